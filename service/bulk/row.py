"""One row of the input: what is to be summarized, or why it cannot be."""

from dataclasses import dataclass
from typing import Any

from service.errors import InputError

MALFORMED_ROW = "MalformedRow"
INVALID_UTF8 = "InvalidUtf8"
INVALID_TEXT = "InvalidText"
INVALID_ID = "InvalidId"
ROW_TOO_LARGE = "RowTooLarge"


class RowError(InputError):
    """Why a row has no summary.

    Args:
        code: for programs, one of the constants of this module or of the API.
        message: for people.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class Row:
    """One row, as far as it could be read.

    Attributes:
        place: the number, from 1, by which a person finds the row: of the line, or of the row.
        id: None where the row has none that can be read.
        text: None when there is an error.
        error: None when there is a text.
        kept: the row's other columns as JSON values, where they are to be carried through.
    """

    place: int
    id: str | None
    text: str | None
    error: RowError | None = None
    kept: dict[str, Any] | None = None


def read_text_value(value: object, column: str) -> str:
    """Take the text out of a row's column.

    Args:
        value: what stands there; bytes hold UTF-8.
        column: its name, for the message.

    Raises:
        RowError: it is no text.
    """
    if isinstance(value, bytes):
        value = decode_utf8(value, f"in column {column!r}")
    if not isinstance(value, str):
        raise RowError(
            INVALID_TEXT, f"expected a text in column {column!r}, got {_name_type(value)}"
        )
    return value


def read_id_value(value: object, column: str) -> str | None:
    """Take the id out of a row's column: a string as it is, an integer in digits, null as None.

    Raises:
        RowError: it is none of them.
    """
    if isinstance(value, bytes):
        value = decode_utf8(value, f"in column {column!r}")
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise RowError(
        INVALID_ID,
        f"expected a string, an integer or null in column {column!r}, got {_name_type(value)}",
    )


def decode_utf8(content: bytes, place: str) -> str:
    """Decode UTF-8.

    Raises:
        RowError: the bytes are something else; the message says which byte at which offset.
    """
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise RowError(
            INVALID_UTF8,
            f"expected UTF-8, got byte 0x{content[error.start]:02x} at offset {error.start} "
            f"{place}; convert the input first, for example with `iconv -t UTF-8`",
        ) from error


def _name_type(value: object) -> str:
    names = {bool: "true or false", dict: "an object", list: "a list", float: "a number"}
    if value is None:
        return "null"
    return names.get(type(value), "a number" if isinstance(value, int) else type(value).__name__)
