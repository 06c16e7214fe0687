"""Which columns of the input hold the texts and their ids."""

from collections.abc import Collection
from dataclasses import dataclass

from service.errors import DataError

TEXT_GUESSES = ("text", "article")
ID_GUESS = "id"


@dataclass(frozen=True)
class Columns:
    """Where a row's text and id stand.

    Attributes:
        text: name of a column.
        id: name of a column; None where each row's position is its id: 0, 1, …
    """

    text: str
    id: str | None


def choose_columns(found: Collection[str], text: str | None, id: str | None) -> Columns:
    """Choose the columns of an input.

    Args:
        found: the columns that there are.
        text: the one asked for; None for the first of `TEXT_GUESSES` that there is.
        id: the one asked for; None for `ID_GUESS` where there is one.

    Raises:
        DataError: a column that was asked for, or any for the text, is not there.
    """
    guesses = TEXT_GUESSES if text is None else (text,)
    text = next((name for name in guesses if name in found), None)
    listed = ", ".join(found) or "none"
    if text is None:
        raise DataError(
            f"expected a column {' or '.join(map(repr, guesses))} with the texts, "
            f"got the columns: {listed}; name yours with --text-column"
        )
    if id is not None and id not in found:
        raise DataError(
            f"expected a column {id!r} with the ids, got the columns: {listed}; "
            "name yours with --id-column, or leave it out"
        )
    return Columns(text, id if id is not None else ID_GUESS if ID_GUESS in found else None)
