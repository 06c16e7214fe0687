"""Predicates over token pairs: what a person says that a head looks at.

A predicate decides for each pair (i, j) whether token i, which looks, has token j among its places.

    predicate  = both { "or" both }
    both       = one { "and" one }
    one        = "not" one | "(" predicate ")" | name | name "(" integer ")"

    same_token        j is another copy of i (not i itself)
    same_sentence     j is in i's sentence; [CLS], [SEP] and i itself included
    same_class        j is of i's class: cls, sep, punctuation, number, stopword or word
    self              j is i
    previous  next    j = i - 1, j = i + 1
    offset(k)         j = i + k
    lead(n)           j is in the first n sentences
    cls  sep  punctuation  number  stopword  word      j is of that class
    both_cls          i and j are [CLS], so that a sentence looks at a sentence

The paper's patterns are `same_token`, `same_sentence`, `previous` and `next`.

    >>> str(parse("same_token and (offset(-1) or not cls)"))
    'same_token and (previous or not cls)'

Source:
    Li et al., arXiv:2112.05364: a pattern is interpretable when it can be written as a predicate
    P(x_i, x_j). The language is ours.
"""

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final, NamedTuple, NoReturn

import torch
from torch import Tensor

from service.errors import PredicateError
from training.mining.tokens import TokenClass, Tokens


class Predicate(ABC):
    """What a token may look at. Equal predicates have equal texts, and `parse(str(p)) == p`."""

    def mask(self, tokens: Tokens) -> Tensor:
        """Find all pairs that it holds for.

        Args:
            tokens: of one document.

        Returns:
            (tokens, tokens) bool; [i, j] is True when j is among the places of i. False wherever
            one of the two is padding; a row may be empty.
        """
        is_real = tokens.sentence_ids >= 0
        return self.holds(tokens) & is_real[:, None] & is_real[None, :]

    @abstractmethod
    def holds(self, tokens: Tokens) -> Tensor:
        """(tokens, tokens) bool or what broadcasts to it, padding not yet taken out."""

    @abstractmethod
    def describe(self) -> str:
        """Say what j is to i, to follow "looks at a token that is"."""

    @abstractmethod
    def __str__(self) -> str:
        """Its text in the language."""


@dataclass(frozen=True)
class SameToken(Predicate):
    """j is another copy of i."""

    def holds(self, tokens: Tokens) -> Tensor:
        """Compare ids, the diagonal left out."""
        ids = tokens.token_ids
        return (ids[:, None] == ids[None, :]) & ~_is_at_offset(tokens, 0)

    def describe(self) -> str:
        """Describe for people."""
        return "another copy of it"

    def __str__(self) -> str:
        return "same_token"


@dataclass(frozen=True)
class SameSentence(Predicate):
    """j is in i's sentence."""

    def holds(self, tokens: Tokens) -> Tensor:
        """Compare sentences."""
        return tokens.sentence_ids[:, None] == tokens.sentence_ids[None, :]

    def describe(self) -> str:
        """Describe for people."""
        return "in its sentence"

    def __str__(self) -> str:
        return "same_sentence"


@dataclass(frozen=True)
class SameClass(Predicate):
    """j is of i's class."""

    def holds(self, tokens: Tokens) -> Tensor:
        """Compare classes."""
        return tokens.classes[:, None] == tokens.classes[None, :]

    def describe(self) -> str:
        """Describe for people."""
        return "of its class"

    def __str__(self) -> str:
        return "same_class"


@dataclass(frozen=True)
class BothCls(Predicate):
    """Both i and j are [CLS]."""

    def holds(self, tokens: Tokens) -> Tensor:
        """Compare both classes with [CLS]."""
        is_cls = tokens.classes == TokenClass.CLS.number
        return is_cls[:, None] & is_cls[None, :]

    def describe(self) -> str:
        """Describe for people."""
        return "a [CLS] (if it is one itself)"

    def __str__(self) -> str:
        return "both_cls"


@dataclass(frozen=True)
class OfClass(Predicate):
    """j is of a class.

    Attributes:
        token_class: the class.
    """

    token_class: TokenClass

    def holds(self, tokens: Tokens) -> Tensor:
        """Compare j's class."""
        is_of_class = tokens.classes == self.token_class.number
        return is_of_class[None, :].expand(len(tokens), -1)

    def describe(self) -> str:
        """Describe for people."""
        return _CLASS_DESCRIPTIONS[self.token_class]

    def __str__(self) -> str:
        return str(self.token_class)


_CLASS_DESCRIPTIONS: Final = {
    TokenClass.CLS: "a [CLS]",
    TokenClass.SEP: "a [SEP]",
    TokenClass.PUNCTUATION: "punctuation",
    TokenClass.NUMBER: "a number",
    TokenClass.STOPWORD: "a function word",
    TokenClass.WORD: "a content word",
}


@dataclass(frozen=True)
class Offset(Predicate):
    """j is so many places after i; also `previous`, `self` and `next`.

    Attributes:
        places: j - i, negative for tokens before.
    """

    places: int

    def holds(self, tokens: Tokens) -> Tensor:
        """Compare places."""
        return _is_at_offset(tokens, self.places)

    def describe(self) -> str:
        """Describe for people."""
        if self.places in _NEIGHBOUR_DESCRIPTIONS:
            return _NEIGHBOUR_DESCRIPTIONS[self.places]
        return f"{abs(self.places)} places {'after' if self.places > 0 else 'before'} it"

    def __str__(self) -> str:
        return _NEIGHBOURS.get(self.places, f"offset({self.places})")


_NEIGHBOURS: Final = {-1: "previous", 0: "self", 1: "next"}
_NEIGHBOUR_DESCRIPTIONS: Final = {-1: "right before it", 0: "itself", 1: "right after it"}


@dataclass(frozen=True)
class Lead(Predicate):
    """j is in one of the first sentences.

    Attributes:
        sentences: how many, at least 1.
    """

    sentences: int

    def holds(self, tokens: Tokens) -> Tensor:
        """Compare j's sentence."""
        return (tokens.sentence_ids < self.sentences)[None, :].expand(len(tokens), -1)

    def describe(self) -> str:
        """Describe for people."""
        return (
            f"in the first {'sentence' if self.sentences == 1 else f'{self.sentences} sentences'}"
        )

    def __str__(self) -> str:
        return f"lead({self.sentences})"


@dataclass(frozen=True)
class Not(Predicate):
    """The other one does not hold.

    Attributes:
        part: the other one.
    """

    part: Predicate

    def holds(self, tokens: Tokens) -> Tensor:
        """Turn the other one round."""
        return ~self.part.holds(tokens)

    def describe(self) -> str:
        """Describe for people."""
        return f"not {_describe_inside(self.part)}"

    def __str__(self) -> str:
        return f"not {_bracket(self.part, And, Or)}"


@dataclass(frozen=True)
class And(Predicate):
    """All parts hold.

    Attributes:
        parts: at least two.
    """

    parts: tuple[Predicate, ...]

    def holds(self, tokens: Tokens) -> Tensor:
        """Take the pairs that all parts share."""
        found = self.parts[0].holds(tokens)
        for part in self.parts[1:]:
            found = found & part.holds(tokens)
        return found

    def describe(self) -> str:
        """Describe for people."""
        return " and ".join(map(_describe_inside, self.parts))

    def __str__(self) -> str:
        return " and ".join(_bracket(part, And, Or) for part in self.parts)


@dataclass(frozen=True)
class Or(Predicate):
    """At least one part holds.

    Attributes:
        parts: at least two.
    """

    parts: tuple[Predicate, ...]

    def holds(self, tokens: Tokens) -> Tensor:
        """Take the pairs of any part."""
        found = self.parts[0].holds(tokens)
        for part in self.parts[1:]:
            found = found | part.holds(tokens)
        return found

    def describe(self) -> str:
        """Describe for people."""
        return " or ".join(map(_describe_inside, self.parts))

    def __str__(self) -> str:
        return " or ".join(_bracket(part, Or) for part in self.parts)


def _is_at_offset(tokens: Tokens, offset: int) -> Tensor:
    """(tokens, tokens) bool, True where j = i + offset."""
    places = torch.arange(len(tokens), device=tokens.token_ids.device)
    return places[None, :] == places[:, None] + offset


def _bracket(part: Predicate, *kinds: type[Predicate]) -> str:
    return f"({part})" if isinstance(part, kinds) else str(part)


def _describe_inside(part: Predicate) -> str:
    return f"({part.describe()})" if isinstance(part, (And, Or)) else part.describe()


def allow_self_where_empty(mask: Tensor) -> Tensor:
    """Let a token that may look nowhere look at itself, so that no row is empty.

    Args:
        mask: (tokens, tokens) bool.

    Returns:
        The mask, with the diagonal in each empty row.
    """
    is_empty = ~mask.any(dim=-1, keepdim=True)
    return mask | (is_empty & torch.eye(len(mask), dtype=torch.bool, device=mask.device))


PLAIN: Final[Mapping[str, Predicate]] = {
    "same_token": SameToken(),
    "same_sentence": SameSentence(),
    "same_class": SameClass(),
    "both_cls": BothCls(),
    **{name: Offset(places) for places, name in _NEIGHBOURS.items()},
    **{str(token_class): OfClass(token_class) for token_class in TokenClass},
}
"""The predicates without a number, by name."""

_NUMBERED: Final[Mapping[str, tuple[Callable[[int], Predicate], int | None]]] = {
    "offset": (Offset, None),
    "lead": (Lead, 1),
}
"""The predicates with a number: how they are made, and the least number."""

_WORDS: Final = ("and", "or", "not")
_LEXEMES: Final = re.compile(r"\s*(?:(?P<word>[A-Za-z_]\w*)|(?P<integer>[+-]?\d+)|(?P<mark>\S))")
_MOST_DIGITS: Final = 6  # no document has a million tokens
_MOST_NESTED: Final = 50  # more brackets than a person writes, fewer than Python's stack holds


def parse(text: str) -> Predicate:
    """Read a predicate.

    Args:
        text: in the language that this file describes; line breaks count as spaces.

    Returns:
        The predicate. Two texts that differ in spaces, needless brackets or names for one offset
        give equal predicates.

    Raises:
        PredicateError: the text does not follow the grammar; says where, and what was expected.
    """
    parser = _Parser(text)
    predicate = parser.read_or(0)
    parser.expect_end()
    return predicate


class _Lexeme(NamedTuple):
    """A word, an integer or a mark of the text; kind "end" after the last one."""

    kind: str
    text: str
    position: int


def _split(source: str) -> Iterator[_Lexeme]:
    for found in _LEXEMES.finditer(source):
        kind = found.lastgroup
        assert kind is not None
        yield _Lexeme(kind, found[kind], found.start(kind))
    yield _Lexeme("end", "", len(source))


class _Parser:
    """Reads the lexemes of one text from left to right, a method for each rule of the grammar."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._lexemes = list(_split(source))
        self._at = 0

    def read_or(self, depth: int) -> Predicate:
        parts = [self._read_and(depth)]
        while self._take("or"):
            parts.append(self._read_and(depth))
        return Or(tuple(parts)) if len(parts) > 1 else parts[0]

    def expect_end(self) -> None:
        if self._next.kind != "end":
            self._fail("'and', 'or' or the end")

    def _read_and(self, depth: int) -> Predicate:
        parts = [self._read_one(depth)]
        while self._take("and"):
            parts.append(self._read_one(depth))
        return And(tuple(parts)) if len(parts) > 1 else parts[0]

    def _read_one(self, depth: int) -> Predicate:
        if depth > _MOST_NESTED:
            self._fail(f"at most {_MOST_NESTED} nested brackets and 'not's")
        if self._take("not"):
            return Not(self._read_one(depth + 1))
        if self._take("("):
            inside = self.read_or(depth + 1)
            if not self._take(")"):
                self._fail("'and', 'or' or ')'")
            return inside
        return self._read_name()

    def _read_name(self) -> Predicate:
        lexeme = self._next
        if lexeme.kind != "word" or lexeme.text in _WORDS:
            self._fail("a predicate, 'not' or '('")
        if lexeme.text in PLAIN:
            self._at += 1
            return PLAIN[lexeme.text]
        if lexeme.text not in _NUMBERED:
            self._fail(f"a predicate ({_suggest(lexeme.text)})")
        self._at += 1
        make, least = _NUMBERED[lexeme.text]
        if not self._take("("):
            self._fail(f"'(' and a number after {lexeme.text!r}")
        number = self._read_integer(least)
        if not self._take(")"):
            self._fail("')'")
        return make(number)

    def _read_integer(self, least: int | None) -> int:
        lexeme = self._next
        bound = "" if least is None else f" of at least {least}"
        if lexeme.kind != "integer" or len(lexeme.text) > _MOST_DIGITS:
            self._fail(f"a whole number{bound}")
        if least is not None and int(lexeme.text) < least:
            self._fail(f"a whole number{bound}")
        self._at += 1
        return int(lexeme.text)

    @property
    def _next(self) -> _Lexeme:
        return self._lexemes[self._at]

    def _take(self, text: str) -> bool:
        """Step over the next lexeme if it is this one."""
        if self._next.text != text:
            return False
        self._at += 1
        return True

    def _fail(self, expected: str) -> NoReturn:
        lexeme = self._next
        got = repr(lexeme.text) if lexeme.kind != "end" else "the end"
        line = re.sub(r"\s", " ", self._source)
        raise PredicateError(
            f"predicate, column {lexeme.position + 1}: expected {expected}, got {got} in {line!r}",
            self._source,
            lexeme.position,
        )


def _suggest(name: str) -> str:
    """Name what was probably meant, or else all that there is."""
    names = [*PLAIN, *(f"{numbered}(n)" for numbered in _NUMBERED)]
    close = get_close_matches(name.lower(), names, n=1)
    return f"perhaps {close[0]!r}" if close else f"one of {', '.join(names)}"
