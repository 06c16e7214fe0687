"""What travels: a chunk of rows to a worker, and the part of the output that it makes of them."""

from dataclasses import dataclass
from typing import Any

MOST_SHOWN_FAILURES = 5
"""Most failed rows of which a part, and a run, gives place and reason; the others are counted."""


@dataclass(frozen=True)
class Chunk:
    """Some rows in a row, unread; the same ones each time the input is cut.

    Attributes:
        number: 0 for the first of the input.
        first_row: rows before it in the input.
        n_rows: 0 only for the one chunk of an empty input.
        position: how far in the input it ends, in the unit of the input's `length`.
        is_last: nothing comes after it.
        content: the rows, as the input's format has them.
    """

    number: int
    first_row: int
    n_rows: int
    position: int
    is_last: bool
    content: Any


@dataclass(frozen=True)
class Failure:
    """A row without a summary.

    Attributes:
        place: number of the line or row, from 1.
        code: for programs.
        message: for people.
    """

    place: int
    code: str
    message: str


@dataclass(frozen=True)
class Part:
    """The answers to one chunk, written as the output needs them.

    Attributes:
        number: of the chunk, as are n_rows, position and is_last.
        n_rows: answers, failed ones too.
        position: how far in the input the chunk ends.
        is_last: nothing comes after it.
        n_failed: rows without a summary.
        failures: the first MOST_SHOWN_FAILURES of those.
        content: the answers.
    """

    number: int
    n_rows: int
    position: int
    is_last: bool
    n_failed: int
    failures: tuple[Failure, ...]
    content: bytes
