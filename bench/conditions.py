"""The conditions of a run: what was summarized, what answered, on which machine, how quiet."""

from typing import Literal

from bench.section import Section


class ArticleSet(Section):
    """What was summarized.

    Attributes:
        source: name of the file or folder, or how the articles were made.
        sha256: of the file; None where there is none.
        n: distinct articles.
        n_left_out: articles that the target refused before the run.
        why_left_out: the first refusal, in words.
        words_median: words of an article, cut at white space.
        words_min: of the shortest.
        words_max: of the longest.
    """

    source: str
    sha256: str | None
    n: int
    n_left_out: int
    why_left_out: str
    words_median: float
    words_min: int
    words_max: int


class TargetFacts(Section):
    """What answered.

    Attributes:
        kind: "in process" or "url".
        where: the URL, or the name of the bundle folder.
        model: version of the bundle.
        sha256: of its graph.
        weights: number format, such as "int8".
        threads: that share one document.
        workers: documents at a time.
        versions: package -> version, on the side that answers.
        cpu: model of the processor on the side that answers.
        flags: instruction sets of that processor that matter here.
    """

    kind: Literal["in process", "url"]
    where: str
    model: str
    sha256: str
    weights: str
    threads: int
    workers: int
    versions: dict[str, str]
    cpu: str
    flags: list[str]


class Quiet(Section):
    """Whether the machine did anything else.

    Attributes:
        is_quiet: the verdict.
        reasons: against it; empty when quiet.
        load_before: average of the last minute, as the kernel keeps it.
        load_after: the same, after the run.
        busy_before: share of the processors that was busy before the run, 0 to 1.
        busy_after: the same, after the run.
        others: share of the processors that other processes took during the run; None where the
            target is one of them.
        steal: share that the hypervisor gave to others during the run.
    """

    is_quiet: bool
    reasons: list[str]
    load_before: float | None
    load_after: float | None
    busy_before: float | None
    busy_after: float | None
    others: float | None
    steal: float | None

    @property
    def verdict(self) -> str:
        """Yes, or no and why."""
        return "yes" if self.is_quiet else f"no ({'; '.join(self.reasons)})"


class Machine(Section):
    """The machine that the benchmark ran on.

    Attributes:
        cpu: model name.
        architecture: such as x86_64.
        usable_cpus: that this process may run on.
        quota_cpus: the cgroup's limit; None where there is none.
        governor: of the first processor's clock; None where it cannot be read.
        flags: instruction sets that matter here.
        int8: whether int8 should pay on this processor, in plain words.
        memory_bytes: of the machine; None where it cannot be read.
        kernel: name and release.
    """

    cpu: str
    architecture: str
    usable_cpus: int
    quota_cpus: float | None
    governor: str | None
    flags: list[str]
    int8: str
    memory_bytes: int | None
    kernel: str
