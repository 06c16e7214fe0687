"""What a run of `python -m bench.peers` found; times are seconds."""

from typing import Literal

from bench.conditions import ArticleSet, Machine, Quiet
from bench.results import Bounds
from bench.section import Section
from bench.shown import digits, interval, milliseconds
from bench.table import Table


class Peer(Section):
    """One system.

    Attributes:
        name: of the system.
        n_articles: that it summarized.
        n_repeats: runs of each; an article's time is their median.
        median_s: over articles.
        p95_s: over articles.
        ratio: its time on an article as a multiple of ours, median over articles.
        rouge: ROUGE-1, -2 and -L, F1 in [0, 100]; None where it makes no meaningful summary.
        note: what to know about it.
    """

    name: str
    n_articles: int
    n_repeats: int
    median_s: Bounds
    p95_s: Bounds
    ratio: Bounds
    rouge: tuple[Bounds, Bounds, Bounds] | None
    note: str


class PeerResults(Section):
    """Everything that one run found.

    Attributes:
        kind: tells these results from others.
        created: date and time, UTC.
        command: that makes them again.
        seed: of the draw of articles.
        threads: that every system but ours may use.
        model: version of our bundle.
        machine: it ran on.
        quiet: whether the machine did anything else.
        versions: package -> version.
        articles: that were summarized.
        peers: ours first.
        left_out: system -> why it could not run.
    """

    format: Literal[1] = 1
    kind: Literal["peers"] = "peers"
    created: str
    command: str
    seed: int
    threads: int
    model: str
    machine: Machine
    quiet: Quiet
    versions: dict[str, str]
    articles: ArticleSet
    peers: list[Peer]
    left_out: dict[str, str]

    def to_table(self) -> Table:
        """Lay it out as a table."""
        rows = [
            (
                peer.name,
                milliseconds(peer.median_s),
                milliseconds(peer.p95_s),
                f"{digits(peer.ratio.estimate)}×",
                *([interval(b) for b in peer.rouge] if peer.rouge else ["-"] * 3),
                f"{peer.n_articles} × {peer.n_repeats}",
            )
            for peer in self.peers
        ]
        head = ("system", "ms, median", "ms, p95", "ours ×", "R-1", "R-2", "R-L", "n × repeats")
        return Table(
            f"The same articles, three sentences each, up to {self.threads} thread(s)", head, rows
        )

    def to_notes(self) -> list[tuple[str, str]]:
        """Name what one has to know to read the table and to make it again."""
        articles, quiet = self.articles, self.quiet
        notes = [(peer.name, peer.note) for peer in self.peers if peer.note]
        notes += [(f"left out: {name}", why) for name, why in self.left_out.items()]
        source = f"{articles.n} of {articles.source}, median {articles.words_median:.0f} words"
        return [
            *notes,
            ("model", self.model),
            ("articles", f"{source}, sha256 {(articles.sha256 or '-')[:12]}"),
            ("cpu", f"{self.machine.cpu}, {self.machine.usable_cpus} usable"),
            ("quiet", quiet.verdict),
            ("versions", ", ".join(f"{k} {v}" for k, v in self.versions.items())),
            ("command", self.command),
            ("when", self.created),
        ]
