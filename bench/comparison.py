"""The comparison: several systems, the same articles, in turns; times and ROUGE of each."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from statistics import median
from time import perf_counter

import numpy as np

from bench.peer_results import Peer
from bench.peer_systems import Summarize
from bench.progress import progress
from bench.results import Bounds
from bench.statistics import quantile
from training.data.articles import Article
from training.evaluate.rouge import rouge_scores
from training.evaluate.significance import mean_intervals


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


@contextmanager
def limit_threads(threads: int) -> Iterator[None]:
    """Let numpy, scikit-learn and torch use so many threads, as far as they are installed.

    Only pools that are loaded by then are limited: the systems have to be made before.
    """
    with ExitStack() as stack:
        try:
            import torch
        except ModuleNotFoundError:
            pass
        else:
            stack.callback(torch.set_num_threads, torch.get_num_threads())
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
                f"there is no `{error.name}`; install it with "
                "`pip install -c constraints.txt -e '.[peers]'`"
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
    turns = np.random.default_rng(0)  # a cycle would let each follow the same one every time
    with progress("articles", n_repeats * len(articles)) as on_article:
        for repeat in range(n_repeats):
            for i, article in enumerate(articles):
                for j in turns.permutation(len(systems)).tolist():
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
