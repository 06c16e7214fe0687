"""The adaptive length: two, three or four sentences, whichever is worth most in this text.

Sentences are chosen one after the other, so a longer summary begins with the shorter one and there
are three candidates. The worth of one is the sum of its features, each times the bundle's weight;
the largest worth wins, of equals the shorter summary.

A worked example: of a text of 10 sentences the ranked ones have scores (0.8, 0.6, 0.1) and 10, 10
and 60 words, none twice. With weight 100 on `expected_f1` and 0 elsewhere, two sentences are worth
100 * 2 * (8 + 6) / (20 + 20) = 70, and three are worth 100 * 2 * (8 + 6 + 6) / (80 + 20) = 40: the
long, weak third sentence is left out.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from service.errors import ShapeError
from service.text.select import LengthRule, Redundancy, select_sentences, split_words

COUNTS: Final = (2, 3, 4)
"""Sentences of the candidates."""

FEATURES: Final = ("is_two", "is_four", "expected_f1", "document_length", "repetition")
"""Names of the features, in the order of `measure_candidates`."""

_LONGEST: Final = LengthRule(sentence_count=COUNTS[-1])
_REFERENCE_WORDS: Final = 20

Features = tuple[float, ...]


class AdaptiveLength:
    """Chooses how many sentences a summary has.

    Args:
        weights: by the name of the feature, in ROUGE-1 points for each unit of it.

    Raises:
        ShapeError: a weight is missing, or is of no known feature.
    """

    def __init__(self, weights: Mapping[str, float]) -> None:
        if set(weights) != set(FEATURES):
            raise ShapeError(f"expected weights of {sorted(FEATURES)}, got {sorted(weights)}")
        self._weights = tuple(weights[name] for name in FEATURES)

    def choose(
        self, scores: npt.NDArray[np.float32], sentences: Sequence[str], redundancy: Redundancy
    ) -> list[int]:
        """Choose the summary's sentences.

        Args:
            scores: (scored sentences,) float32 in [0, 1], of the document's first sentences.
            sentences: (sentences,) texts of all the document's sentences.
            redundancy: whether to skip sentences that repeat a chosen one.

        Returns:
            Indexes into `sentences`, best first; the first ones of `select_sentences`. All of them
            where there are no more than two.

        Raises:
            ShapeError: scores is not one-dimensional, or longer than sentences.
        """
        ranked = rank_sentences(scores, sentences, redundancy)
        candidates = measure_candidates(scores, sentences, ranked)
        return ranked[: self.best(candidates)]

    def best(self, candidates: Mapping[int, Features]) -> int:
        """Give the number of sentences of the candidate that is worth most.

        Args:
            candidates: features by the number of sentences, as `measure_candidates` gives them.
        """
        return min(candidates, key=lambda n: (-self._worth(candidates[n]), n))

    def _worth(self, features: Iterable[float]) -> float:
        return math.fsum(w * x for w, x in zip(self._weights, features, strict=True))


def rank_sentences(
    scores: npt.NDArray[np.float32], sentences: Sequence[str], redundancy: Redundancy
) -> list[int]:
    """Choose the sentences of the longest candidate; the others begin it.

    Args:
        scores: as `AdaptiveLength.choose` takes them.
        sentences: likewise.
        redundancy: likewise.

    Returns:
        Up to four indexes into `sentences`, best first.

    Raises:
        ShapeError: scores is not one-dimensional, or longer than sentences.
    """
    return select_sentences(scores, sentences, _LONGEST, redundancy)


def measure_candidates(
    scores: npt.NDArray[np.float32], sentences: Sequence[str], ranked: Sequence[int]
) -> dict[int, Features]:
    """Measure what decides between the candidates.

    is_two, is_four: 1 for the candidate of so many sentences, else 0.
    expected_f1: 2 * sum(score * words) / (sum(words) + 20), the F1 of the summary if a score were
        the share of a sentence's words that a person's summary has, out of few words in all.
    document_length: natural logarithm of the sentences that were read, times -1, 0 and 1 for two,
        three and four sentences.
    repetition: share of distinct words that a sentence of the summary has in common with others,
        in [0, 1].

    Args:
        scores: (scored sentences,) float32 in [0, 1].
        sentences: (sentences,) texts; words are those of trigram blocking.
        ranked: indexes as `rank_sentences` gives them.

    Returns:
        Features in the order of `FEATURES` by the number of sentences, fewest first; where fewer
        than two sentences are ranked, of these alone.

    Source:
        Ours; what was tried is in docs/log.md. Fitting a worth to ROUGE follows summary-level
        re-ranking, Zhong et al., arXiv:2004.08795, with five numbers in place of a second encoder.
    """
    words = [split_words(sentences[i]) for i in ranked]
    counts = [n for n in COUNTS if n <= len(ranked)] or [len(ranked)]
    return {n: _measure(scores[ranked[:n]].tolist(), words[:n], len(scores)) for n in counts}


def _measure(scores: Sequence[float], words: Sequence[Sequence[str]], n_read: int) -> Features:
    n_words = sum(len(row) for row in words)
    n_expected = math.fsum(score * len(row) for score, row in zip(scores, words, strict=True))
    n_distinct = sum(len(set(row)) for row in words)
    return (
        float(len(words) == COUNTS[0]),
        float(len(words) == COUNTS[-1]),
        2 * n_expected / (n_words + _REFERENCE_WORDS),
        math.log(n_read) * (len(words) - 3) if n_read else 0.0,
        1 - len(set().union(*words)) / n_distinct if n_distinct else 0.0,
    )
