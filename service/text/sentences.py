"""Sentences: where each one begins and ends, in characters of the original text.

A text is cut into blocks at its line breaks, a block into words at its white space, and the words
of a block are grouped into sentences. So a span never has white space at its ends, and each other
character lies in exactly one. Which words end a sentence is decided in `boundaries`, with the
parameters that Punkt learned.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import accumulate, count
from operator import add
from pathlib import Path
from typing import NamedTuple

from nltk.tokenize.punkt import PunktParameters

from service.text.blocks import split_blocks
from service.text.boundaries import BoundaryRules, is_cased
from service.text.punkt_json import read_punkt

_WORD = re.compile(r"\S+")


class Span(NamedTuple):
    """A stretch of a text: code points of the original, half open."""

    start: int
    end: int


class SentenceSplitter:
    """Cuts a text into sentences: Punkt's decisions, and rules for what Punkt does not model.

    It takes time linear in the text, looks at nothing but the text and its parameters, and keeps no
    state.

    nltk's own tokenizer is not called: it gives up with an error once a match has taken five
    seconds of wall-clock time, which ordinary text of a megabyte reaches on a busy machine, and it
    takes "t." of "isn't." for an initial. The tests hold our decisions against its.

    Args:
        parameters: what Punkt learned of abbreviations, collocations, sentence starters and
            capitals.

    Source:
        Kiss and Strunk, "Unsupervised Multilingual Sentence Boundary Detection", Computational
        Linguistics 32(4), 2006; the other rules in `boundaries` and the treatment of line breaks
        are ours.
    """

    def __init__(self, parameters: PunktParameters) -> None:
        self._rules = BoundaryRules(parameters)

    @classmethod
    def from_json(cls, path: Path) -> SentenceSplitter:
        """Make a splitter from the parameters of a bundle.

        Args:
            path: a file written by `write_punkt`.

        Raises:
            BundleError: the file is missing, is no JSON, or holds something else.
        """
        return cls(read_punkt(path))

    def split(self, text: str) -> list[Span]:
        """Find the sentences of a text.

        Args:
            text: any Unicode text, of any length; it need not be clean.

        Returns:
            Ordered, disjoint, non-empty spans without white space at their ends; every other
            character of the text lies in exactly one. A text of white space has none.
        """
        has_case = is_cased(text)
        sentences = []
        for block_start, block_end in split_blocks(text):
            words = text[block_start:block_end].split()
            if not words:
                continue
            starts = _find_starts(text, block_start, block_end, words)
            first = 0
            for end in [*self._rules.find_ends(words, has_case), len(words)]:
                sentences.append(Span(starts[first], starts[end - 1] + len(words[end - 1])))
                first = end
        return sentences


def _find_starts(text: str, start: int, end: int, words: Sequence[str]) -> list[int]:
    """Find where the words of a block begin: by counting where one space lies between any two."""
    n_before = list(accumulate(map(len, words), initial=0))
    if n_before[-1] + len(words) - 1 == end - start:
        return list(map(add, n_before[:-1], count(start)))
    return [word.start() for word in _WORD.finditer(text, start, end)]
