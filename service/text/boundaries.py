"""Boundaries: whether a word ends its sentence.

Rules are asked in a fixed order; each looks at a few neighbouring words and answers yes, no, or
nothing, and the first answer counts. Where none answers, Punkt's decision on abbreviations stands.
A capital on the next word tells much, but news summarization is trained on lower-cased text: there
the rules lean on what the words are.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from functools import cached_property
from itertools import islice

from nltk.tokenize.punkt import PunktParameters

TERMINATORS = ".?!…"
CLOSERS = "\"'”’»›)]}*_"
OPENERS = "\"'“”‘’«‹([{¿¡*_`"
QUOTES = "\"'”’»›"


def _words(text: str) -> frozenset[str]:
    """Read a set of words from a text that lists them."""
    return frozenset(text.split())


TITLES = _words("capt col dr gen gov hon lt messrs mr mrs ms prof rep reps rev sen sens sgt")
REFERENCES = _words("art cf ch col eq fig figs no nos op p para pp pt sec vol")
REPORTING_VERBS = _words("""
    add added adds admitted agreed announced answered argued ask asked asking asks began bellowed
    called claimed cried demanded exclaimed explained gasped insisted joked laughed muttered pleaded
    quipped read reads recalled remarked replied replies responded roared said say saying says
    screamed shouted shouting shrieked sighed snapped thought told tweeted urged warned went
    whispered wondered wrote yelled""")
PLAIN_STARTERS = _words("but he i it she that's there they this we")
"""Words that begin a sentence after an abbreviation even where no capital shows it."""

_CITATIONS = re.compile(r"(?:\[\d{1,3}\])+")
_ENUMERATOR = re.compile(r"\d{1,2}\.")
_ACRONYM = re.compile(r"(?:[^\W\d_]{1,2}\.)+[^\W\d_]")
_LONGEST_ITEM = 100
"""Words of a first item within which the second must begin."""
_LONGEST_TAIL = 64
"""Characters looked at in a word; a text may be one word of a million."""

# nltk's flags for the cases in which a word was seen, sums of powers of two.
_SEEN_UPPER_INSIDE = 1 << 2
_SEEN_LOWER = (1 << 4) + (1 << 5) + (1 << 6)


def is_cased(text: str) -> bool:
    """Tell whether a text uses capitals, so that a small letter means that its sentence goes on.

    Args:
        text: any Unicode text.

    Returns:
        True when of a hundred characters that are no white space at least one is a capital;
        ordinary prose has three, lower-cased text none.
    """
    if text.islower():
        return False
    n_needed = math.ceil(sum(map(len, text.split())) / 100)
    capitals = filter(str.isupper, text)
    return len(list(islice(capitals, n_needed))) == n_needed


class Candidate:
    """A word that may end its sentence, and what stands around it.

    Args:
        words: the words of a block.
        number: which of them ends in a terminator.
        after: the number of the first word that is no closing mark of it.
        has_case: the text uses capitals.

    Attributes:
        mark: the terminators that the word ends in, such as "." or "?!".
        stem: the word in lower case, without what stands before its letters and after them: "u.s"
            of "(U.S.)".
        next_word: the word after it, without quotes and brackets before it and punctuation after
            it.
        next_is_capital: the word after it begins with a capital.
        has_case: as given.
    """

    def __init__(self, words: Sequence[str], number: int, after: int, has_case: bool) -> None:
        end = _without_closers(words[number])
        stem = end.rstrip(TERMINATORS)
        self._words = words
        self._after = after
        self.mark = end[len(stem) :]
        self.stem = stem.lstrip(OPENERS).lower()
        self.next_word = words[after][:_LONGEST_TAIL].lstrip(OPENERS).rstrip(",.;:?!…" + CLOSERS)
        self.next_is_capital = self.next_word[:1].isupper()
        self.has_case = has_case

    @cached_property
    def is_quoted(self) -> bool:
        """A quotation ends with the word."""
        return self._words[self._after - 1][-1] in QUOTES

    def next_words(self, n: int) -> Sequence[str]:
        """Give at most n words after it, as they stand."""
        return self._words[self._after : self._after + n]


class BoundaryRules:
    """The rules, in the order in which they are asked.

    Args:
        parameters: what Punkt learned.
    """

    def __init__(self, parameters: PunktParameters) -> None:
        self._abbreviations = frozenset(parameters.abbrev_types)
        self._collocations = frozenset(parameters.collocations)
        self._starters = frozenset(parameters.sent_starters)
        self._case_of_words = dict(parameters.ortho_context)
        self._rules = (
            _is_spaced_ellipsis,
            _is_title,
            _is_reference,
            _goes_on_in_lower_case,
            _is_reported,
            self._ends_ellipsis,
            self._ends_initial,
            self._ends_acronym,
            self._ends_abbreviation,
        )

    def find_ends(self, words: Sequence[str], has_case: bool) -> list[int]:
        """Find the sentences inside a block.

        Args:
            words: the words of a block, none empty.
            has_case: the text uses capitals.

        Returns:
            For each sentence but the last, the number of words up to its end; increasing.
        """
        ends = [0]
        next_item = 0
        marked = [n for n, word in enumerate(words[:-1]) if word[-1] in _LAST_CHARACTERS]
        for number in marked:
            if number < ends[-1]:
                continue
            word = words[number]
            if _is_item(words, number, ends[-1], next_item):
                if number > ends[-1]:
                    ends.append(number)
                next_item = int(word[:-1]) + 1
            elif _without_closers(word)[-1:] in _TERMINATORS:
                after = _skip_closers(words, number + 1)
                if after < len(words) and self._is_boundary(
                    Candidate(words, number, after, has_case)
                ):
                    ends.append(after)
        return ends[1:]

    def _is_boundary(self, candidate: Candidate) -> bool:
        for rule in self._rules:
            answer = rule(candidate)
            if answer is not None:
                return answer
        return True

    def _ends_ellipsis(self, candidate: Candidate) -> bool | None:
        """Three dots end a sentence when the next word looks like a beginning."""
        if ".." not in candidate.mark and "…" not in candidate.mark:
            return None
        if candidate.has_case:
            return candidate.next_is_capital
        return candidate.is_quoted or candidate.next_word in self._starters

    def _ends_initial(self, candidate: Candidate) -> bool | None:
        """A letter ends a sentence only before a word that often begins one: "plan B. He"."""
        if candidate.mark != "." or len(candidate.stem) != 1 or not candidate.stem.isalpha():
            return None
        if candidate.next_is_capital and len(candidate.next_word) > 1:
            next_type = candidate.next_word.lower()
            return (
                next_type in self._starters
                and (candidate.stem, next_type) not in self._collocations
            )
        return False

    def _ends_acronym(self, candidate: Candidate) -> bool | None:
        """Letters with periods ("U.S.") end a sentence before a word that often begins one."""
        if candidate.mark != "." or not _ACRONYM.fullmatch(candidate.stem):
            return None
        if candidate.has_case:
            return candidate.next_is_capital and candidate.next_word.lower() in self._starters
        return candidate.next_word in PLAIN_STARTERS

    def _ends_abbreviation(self, candidate: Candidate) -> bool | None:
        """Punkt: an abbreviation ends a sentence only if the next word shows that it begins one.

        Source:
            Kiss and Strunk 2006, sections 4.1.1 to 4.1.3; in the form of nltk's
            `PunktSentenceTokenizer`.
        """
        stem = candidate.stem
        if candidate.mark != "." or not self._abbreviations.intersection(
            (stem, stem.split("-")[-1])
        ):
            return None
        next_type = candidate.next_word.lower()
        if not candidate.has_case:
            return next_type in PLAIN_STARTERS
        if (stem, next_type) in self._collocations or not candidate.next_is_capital:
            return False
        seen = self._case_of_words.get(next_type, 0)
        return next_type in self._starters or bool(
            seen & _SEEN_LOWER and not seen & _SEEN_UPPER_INSIDE
        )


_TERMINATORS = tuple(TERMINATORS)
_LAST_CHARACTERS = frozenset(TERMINATORS + CLOSERS)


def _without_closers(word: str) -> str:
    """Take the end of a word, without closing marks and citations after its terminator."""
    tail = word[-_LONGEST_TAIL:]
    if tail[-1] in TERMINATORS:
        return tail
    if tail[-1] == "]" and (citations := _CITATIONS.search(tail)) and citations.end() == len(tail):
        tail = tail[: citations.start()]
    return tail.rstrip(CLOSERS)


def _skip_closers(words: Sequence[str], number: int) -> int:
    """Pass over words of nothing but closing marks or citations: the sentence before has them."""
    while number < len(words) and (
        not words[number].strip(CLOSERS) or _CITATIONS.fullmatch(words[number])
    ):
        number += 1
    return number


def _is_item(words: Sequence[str], number: int, first: int, next_item: int) -> bool:
    """Tell whether a word is the number of an item in an enumeration.

    It is if it begins its sentence, follows a colon, continues the enumeration so far, or is a "1."
    that a "2." follows.

    Args:
        words: the words of a block.
        number: which of them is asked for.
        first: the first word of its sentence.
        next_item: the number that would continue the enumeration, 0 where there is none yet.
    """
    if not _ENUMERATOR.fullmatch(words[number]):
        return False
    if number == first or words[number - 1][-1] == ":":
        return True
    value = int(words[number][:-1])
    return value == next_item or (value == 1 and "2." in words[number + 1 : number + _LONGEST_ITEM])


def _is_spaced_ellipsis(candidate: Candidate) -> bool | None:
    """Periods with spaces between them go on to the last."""
    return False if candidate.next_words(1)[0] == "." else None


def _is_title(candidate: Candidate) -> bool | None:
    """A title never ends a sentence, its bearer follows."""
    return False if candidate.mark == "." and candidate.stem in TITLES else None


def _is_reference(candidate: Candidate) -> bool | None:
    """No., pp. and Fig. go on before a number."""
    is_reference = candidate.mark == "." and candidate.stem in REFERENCES
    return False if is_reference and candidate.next_word[:1].isdigit() else None


def _goes_on_in_lower_case(candidate: Candidate) -> bool | None:
    """In a text with capitals no small letter begins a sentence, but in a name such as iPhone."""
    if not candidate.has_case or candidate.next_words(1)[0][0] == "(":
        return None
    return False if candidate.next_word.islower() and "." not in candidate.next_word else None


def _is_reported(candidate: Candidate) -> bool | None:
    """A question in quotes goes on to the words that report it: "What?" he asked."""
    if candidate.mark == "." or not candidate.is_quoted:
        return None
    for word in candidate.next_words(3):
        if word.strip(",.:;").lower() in REPORTING_VERBS:
            return False
        if word[-1] in ",.;:?!" or word.lower() in ("and", "but", "then", "when"):
            return None
    return None
