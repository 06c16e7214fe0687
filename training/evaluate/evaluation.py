"""The evaluation: our summary, Lead-3 and the oracle on the same articles, cut by our splitter."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from service.errors import DataError
from service.inference.summarizer import Summarizer
from service.text.select import LengthRule, Redundancy
from training.data.articles import Article
from training.data.oracle import greedy_oracle
from training.evaluate.report import (
    LEAD3,
    ORACLE,
    OURS,
    TOP3,
    UNBLOCKED,
    EvaluationReport,
    Intervals,
    Provenance,
    SystemScores,
)
from training.evaluate.rouge import SIGNATURE, rouge_scores
from training.evaluate.significance import Interval, mean_intervals, paired_differences

ScoreArray: TypeAlias = NDArray[np.float64]

N_SENTENCES = 3


@dataclass(frozen=True)
class EvaluatedDocument:
    """What a summarizer made of one text.

    Attributes:
        sentences: all sentences of the text, in its order, as the summarizer cut it.
        chosen: indexes of the summary's sentences, in document order.
        unblocked: the same without trigram blocking; None where it is not to be measured.
        top3: the same with three sentences; None where all summaries have three.
        is_truncated: the summarizer did not read the whole text.
    """

    sentences: tuple[str, ...]
    chosen: tuple[int, ...]
    unblocked: tuple[int, ...] | None = None
    top3: tuple[int, ...] | None = None
    is_truncated: bool = False


def evaluate(
    summarize: Callable[[str], EvaluatedDocument],
    articles: Iterable[Article],
    provenance: Provenance,
    *,
    n_articles: int | None = None,
    n_resamples: int = 10_000,
    seed: int = 0,
    show_progress: bool = True,
    clock: Callable[[], float] = time.perf_counter,
) -> EvaluationReport:
    """Measure a summarizer against Lead-3 and the oracle.

    Args:
        summarize: raw text to what was chosen in it.
        articles: to measure on; held one at a time.
        provenance: what is measured on what.
        n_articles: how many there will be at most, for the time left; None when not known.
        n_resamples: draws of the bootstrap.
        seed: of the draws.
        show_progress: draw a bar with the time left on stderr.
        clock: seconds since any moment.

    Returns:
        The report.

    Raises:
        DataError: there is no article.
    """
    start = clock()
    scores: dict[str, list[ScoreArray]] = {}
    n_words: dict[str, int] = {}
    n_truncated = 0
    bar = tqdm(articles, total=n_articles, unit=" articles", disable=not show_progress)
    for article in bar:
        document = summarize(article.text)
        n_truncated += document.is_truncated
        for name, chosen in _choose_by_system(document, article.summary).items():
            summary = [document.sentences[i] for i in chosen]
            scores.setdefault(name, []).append(rouge_scores(summary, article.summary))
            n_words[name] = n_words.get(name, 0) + sum(len(s.split()) for s in summary)
    if not scores:
        raise DataError(f"expected articles to evaluate on in {provenance.data}, got none")
    n = len(scores[OURS])
    rouge = _stack_scores(scores)
    intervals, differences = _find_intervals(rouge, n_resamples, seed)
    return EvaluationReport(
        provenance=provenance,
        systems={name: SystemScores(intervals[name], n_words[name] / n) for name in rouge},
        differences=differences,
        n=n,
        n_truncated=n_truncated,
        n_resamples=n_resamples,
        seed=seed,
        signature=SIGNATURE,
        seconds=clock() - start,
    )


def through_service(
    summarizer: Summarizer, *, redundancy: Redundancy = Redundancy.TRIGRAM
) -> Callable[[str], EvaluatedDocument]:
    """Summarize as the service does, and tell which sentences were taken.

    Args:
        summarizer: the service's own.
        redundancy: with trigram blocking, the choice without it is given too.

    Returns:
        A function for `evaluate`: what a caller gets who gives no length rule; where that is not
        always three sentences, the choice of three beside it.
    """
    three = LengthRule(sentence_count=N_SENTENCES)
    is_adaptive = summarizer.bundle.adaptive_length is not None

    def summarize(text: str) -> EvaluatedDocument:
        encoded = summarizer.bundle.encoder.encode(text)
        summary = summarizer.summarize(
            text, redundancy=redundancy, return_all_scores=True, encoded=encoded
        )
        sentences = tuple(text[span.start : span.end] for span in encoded.spans)
        scored = summary.all_scores or ()
        scores = np.array([sentence.rank_score for sentence in scored], dtype=np.float32)

        def choose(rule: LengthRule | None, redundancy: Redundancy) -> tuple[int, ...]:
            return tuple(sorted(summarizer.choose(scores, sentences, rule, redundancy)))

        is_blocked = redundancy is Redundancy.TRIGRAM
        return EvaluatedDocument(
            sentences=sentences,
            chosen=tuple(sentence.index for sentence in summary.sentences),
            unblocked=choose(None, Redundancy.NONE) if is_blocked else None,
            top3=choose(three, redundancy) if is_adaptive else None,
            is_truncated=summary.statistics.truncated,
        )

    return summarize


def _choose_by_system(document: EvaluatedDocument, summary: str) -> dict[str, Sequence[int]]:
    """Return each system's sentence indexes, in document order."""
    systems: dict[str, Sequence[int]] = {OURS: document.chosen}
    if document.unblocked is not None:
        systems[UNBLOCKED] = document.unblocked
    if document.top3 is not None:
        systems[TOP3] = document.top3
    systems[LEAD3] = range(min(N_SENTENCES, len(document.sentences)))
    systems[ORACLE] = sorted(greedy_oracle(document.sentences, summary, N_SENTENCES))
    return systems


def _stack_scores(scores: Mapping[str, list[ScoreArray]]) -> dict[str, ScoreArray]:
    """Return (documents, 3) by system; a system must have answered every document."""
    n = len(scores[OURS])
    assert all(len(rows) == n for rows in scores.values()), "a system for all or none"
    return {name: np.stack(rows) for name, rows in scores.items()}


def _find_intervals(
    rouge: Mapping[str, ScoreArray], n_resamples: int, seed: int
) -> tuple[dict[str, Intervals], dict[str, Intervals]]:
    """Bootstrap every system, and ours minus each baseline that it should beat."""
    means = iter(mean_intervals(np.hstack([*rouge.values()]), n_resamples=n_resamples, seed=seed))
    intervals = {name: _take_three(means) for name in rouge}
    differences = {
        name: _take_three(
            paired_differences(rouge[OURS], rouge[name], n_resamples=n_resamples, seed=seed)
        )
        for name in (LEAD3, UNBLOCKED, TOP3)
        if name in rouge
    }
    return intervals, differences


def _take_three(intervals: Iterable[Interval]) -> Intervals:
    rouge1, rouge2, rouge_l = islice(intervals, 3)
    return rouge1, rouge2, rouge_l
