"""The oracle: which sentences of a document a perfect extractive summarizer would take.

Take the sentence that most raises ROUGE-1 F + ROUGE-2 F against the human summary, again and
again, until nothing raises it. A worked example, summary "the cat sat":

    0  "A dog ran."           no word of the summary                     R-1 0.00  R-2 0.00
    1  "The cat sat down."    3 of 4 words, 2 of 3 bigrams are in it     R-1 0.86  R-2 0.80
    2  "The cat."             2 of 2 words, 1 of 1 bigram are in it      R-1 0.80  R-2 0.67

The oracle takes 1, then stops: 2 adds nothing that 1 does not have.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from training.data.rouge_words import rouge_words

FloatArray: TypeAlias = NDArray[np.float32]


@dataclass(frozen=True)
class _NGrams:
    """The distinct stemmed words and word pairs of one text."""

    words: frozenset[str]
    pairs: frozenset[tuple[str, str]]


def greedy_oracle(
    sentences: Sequence[str],
    summary: str,
    max_sentences: int = 3,
    excluded: frozenset[int] = frozenset(),
) -> list[int]:
    """Take the sentences that together most resemble the summary, one at a time.

    Args:
        sentences: (sentences,) texts of one document, in its order.
        summary: the human summary, one highlight a line.
        max_sentences: how many to take at most, at least 0.
        excluded: indexes that may not be taken.

    Returns:
        Indexes in the order taken, at most max_sentences; of equally good sentences the earlier
        one. Empty when no sentence shares a word with the summary.

    Source:
        Liu & Lapata 2019, arXiv:1908.08345, the greedy selection of PreSumm. Ours differs in two
        ways: words are those of rouge-score (stemmed), and a pair never crosses a highlight.
    """
    ngrams = [_read_ngrams(sentence) for sentence in sentences]
    return _take_greedily(ngrams, _read_ngrams(summary), max_sentences, excluded)


def soft_labels(
    sentences: Sequence[str], summary: str, rounds: int = 5, max_sentences: int = 3
) -> FloatArray:
    """Label sentences by how soon the oracle takes them when it is denied its earlier choices.

    Args:
        sentences: (sentences,) texts of one document, in its order.
        summary: the human summary, one highlight a line.
        rounds: how often the oracle runs, at least 1.
        max_sentences: how many it takes at most in one round.

    Returns:
        (sentences,) float32 in [0, 1]: (rounds - r) / rounds for a sentence taken in round r,
        counted from 0, and 0 for one never taken. The hard labels are those equal to 1.

    Source:
        DistilSum, CIKM 2020, soft labels by repeated greedy search.
    """
    ngrams = [_read_ngrams(sentence) for sentence in sentences]
    wanted = _read_ngrams(summary)
    labels = np.zeros(len(sentences), dtype=np.float32)
    taken: frozenset[int] = frozenset()
    for r in range(rounds):
        chosen = _take_greedily(ngrams, wanted, max_sentences, taken)
        if not chosen:
            break
        labels[chosen] = (rounds - r) / rounds
        taken = taken.union(chosen)
    return labels


def _take_greedily(
    sentences: Sequence[_NGrams], wanted: _NGrams, max_sentences: int, excluded: frozenset[int]
) -> list[int]:
    """Run the greedy search on n-grams that have been read before."""
    # A sentence without one word of the summary only lowers the score: never a candidate.
    left = [
        i
        for i, ngrams in enumerate(sentences)
        if i not in excluded and not ngrams.words.isdisjoint(wanted.words)
    ]
    chosen: list[int] = []
    held = _NGrams(frozenset(), frozenset())
    best = 0.0
    while left and len(chosen) < max_sentences:
        scores = [_score_union(held, sentences[i], wanted) for i in left]
        top = max(scores)
        if top <= best:
            break
        best = top
        taken = left.pop(scores.index(top))
        chosen.append(taken)
        held = _NGrams(
            held.words | sentences[taken].words,
            held.pairs | sentences[taken].pairs,
        )
    return chosen


def _score_union(held: _NGrams, added: _NGrams, wanted: _NGrams) -> float:
    """Return ROUGE-1 F + ROUGE-2 F, each in [0, 1], of both texts together."""
    return _f1(held.words | added.words, wanted.words) + _f1(held.pairs | added.pairs, wanted.pairs)


def _f1(candidate: frozenset[object], wanted: frozenset[object]) -> float:
    """Return F1 in [0, 1] of two sets: 2 hits / (candidate size + wanted size)."""
    size = len(candidate) + len(wanted)
    return 2 * len(candidate & wanted) / size if size else 0.0


def _read_ngrams(text: str) -> _NGrams:
    """Collect the n-grams of a text; a pair never crosses a line."""
    lines = [rouge_words(line) for line in text.split("\n")]
    return _NGrams(
        words=frozenset(word for line in lines for word in line),
        pairs=frozenset(pair for line in lines for pair in pairwise(line)),
    )
