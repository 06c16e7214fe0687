"""From sentence scores to the chosen sentences: how many, without repetition, in which order.

A worked example: scores (0.2, 0.9, 0.9, 0.4) and `LengthRule(sentence_count=2)` choose [1, 2],
the earlier of two equals first; were sentence 2 to repeat three words in a row of sentence 1,
they would choose [1, 3].
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from service.errors import InputError, ShapeError

_WORD = re.compile(r"\w+")

Trigram = tuple[str, str, str]


class Order(StrEnum):
    """The order in which chosen sentences are given."""

    OFFSET = "Offset"
    """As they stand in the document."""
    RANK = "Rank"
    """Best score first."""


class Redundancy(StrEnum):
    """What is done about sentences that repeat a chosen one."""

    TRIGRAM = "trigram"
    """A sentence that shares three words in a row with a chosen one is skipped."""
    NONE = "none"
    """Nothing."""


@dataclass(frozen=True)
class LengthRule:
    """How much to choose: exactly one of the three is given.

    Attributes:
        sentence_count: at most this many sentences, at least 1.
        ratio: this share of the document's sentences, rounded up; in (0, 1].
        max_characters: the chosen sentences, joined by single spaces, have at most this many
            code points; at least 1.

    Raises:
        InputError: none or several are given, or one is out of its range.
    """

    sentence_count: int | None = None
    ratio: float | None = None
    max_characters: int | None = None

    def __post_init__(self) -> None:
        given = {name: value for name, value in vars(self).items() if value is not None}
        if len(given) != 1:
            got = ", ".join(given) if given else "none of them"
            raise InputError(
                f"expected exactly one of sentence_count, ratio, max_characters, got {got}; "
                "give one length rule"
            )
        if self.sentence_count is not None and self.sentence_count < 1:
            raise InputError(
                f"expected sentence_count >= 1, got {self.sentence_count}; ask for one or more",
                "/sentenceCount",
            )
        if self.ratio is not None and not 0 < self.ratio <= 1:
            raise InputError(
                f"expected 0 < ratio <= 1, got {self.ratio}; 0.2 keeps a fifth of the sentences",
                "/ratio",
            )
        if self.max_characters is not None and self.max_characters < 1:
            raise InputError(
                f"expected max_characters >= 1, got {self.max_characters}; ask for one or more",
                "/maxCharacters",
            )

    def max_sentences(self, n_sentences: int) -> int:
        """Tell how many of a document's sentences the rule lets through.

        Args:
            n_sentences: sentences of the whole document.

        Returns:
            The limit; the document's own count under `max_characters`, which has another limit.
        """
        if self.sentence_count is not None:
            return min(self.sentence_count, n_sentences)
        if self.ratio is not None:
            # Decimal: in binary 0.07 * 100 lies above 7 and would be rounded up to 8.
            return math.ceil(Decimal(str(self.ratio)) * n_sentences)
        return n_sentences


def read_length_rule(
    sentence_count: int | None, ratio: float | None, max_characters: int | None
) -> LengthRule | None:
    """Make the rule of which at most one part is given; None where none is.

    Raises:
        InputError: several are given, or one is out of its range.
    """
    if sentence_count is None and ratio is None and max_characters is None:
        return None
    return LengthRule(sentence_count, ratio, max_characters)


def select_sentences(
    scores: npt.NDArray[np.float32],
    sentences: Sequence[str],
    rule: LengthRule,
    redundancy: Redundancy,
) -> list[int]:
    """Choose the best sentences greedily.

    A sentence without a score is never chosen. Where blocking leaves fewer sentences than the
    rule allows, the summary stays shorter: repetition does not fill it up.

    Args:
        scores: (scored sentences,) float32, higher is better, of the document's first sentences;
            those after them were not read by the model.
        sentences: (sentences,) texts of all the document's sentences.
        rule: how much to choose; a ratio counts all sentences.
        redundancy: whether to skip sentences that repeat a chosen one.

    Returns:
        Indexes into `sentences`, best first; of equal scores the earlier sentence first. Empty
        only when nothing has a score or no sentence fits into `max_characters`.

    Raises:
        ShapeError: scores is not one-dimensional, or longer than sentences.

    Source:
        Trigram blocking: Paulus et al., arXiv:1705.04304; for extractive summaries Liu & Lapata,
        arXiv:1908.08345, whose rule of not filling up is kept.
    """
    if scores.ndim != 1 or len(scores) > len(sentences):
        raise ShapeError(f"expected (<= {len(sentences)} sentences,), got {scores.shape}")
    limit = rule.max_sentences(len(sentences))
    n_left = math.inf if rule.max_characters is None else rule.max_characters
    chosen: list[int] = []
    seen: set[Trigram] = set()
    for index in np.argsort(-scores, kind="stable").tolist():
        if len(chosen) == limit:
            break
        n_characters = len(sentences[index]) + (1 if chosen else 0)  # the joining space
        trigrams = _word_trigrams(sentences[index]) if redundancy is Redundancy.TRIGRAM else set()
        if n_characters > n_left or not seen.isdisjoint(trigrams):
            continue
        chosen.append(index)
        seen |= trigrams
        n_left -= n_characters
    return chosen


def in_order(chosen: list[int], order: Order) -> list[int]:
    """Put chosen sentences into the asked order.

    Args:
        chosen: sentence indexes in rank order, as `select_sentences` gives them.
        order: by offset or by rank.

    Returns:
        A new list with the same indexes.
    """
    return sorted(chosen) if order is Order.OFFSET else list(chosen)


def split_words(sentence: str) -> list[str]:
    """Cut a sentence into lower-cased words: runs of letters, digits and underscores."""
    return _WORD.findall(sentence.lower())


def _word_trigrams(sentence: str) -> set[Trigram]:
    """Every three words in a row, lower-cased; none for a sentence of fewer words."""
    words = split_words(sentence)
    return set(zip(words, words[1:], words[2:], strict=False))
