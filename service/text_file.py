"""A text file, or the standard input, read as UTF-8."""

import sys
from pathlib import Path

from service.errors import InputError

STANDARD_STREAM = "-"


def read_text(name: str) -> str:
    """Read a text.

    Args:
        name: path of a file, or "-" for the standard input.

    Returns:
        The text as it is: line ends are not translated, so that offsets fit the file.

    Raises:
        InputError: the file cannot be read, or does not hold UTF-8 text.
    """
    try:
        content = sys.stdin.buffer.read() if name == STANDARD_STREAM else Path(name).read_bytes()
    except OSError as error:
        raise InputError(
            f"expected a readable file, got {error.strerror}; check its path and permissions"
        ) from error
    if b"\0" in content:
        raise InputError("expected a text file, got a binary one; convert it to plain text first")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputError(
            f"expected UTF-8, got byte 0x{content[error.start]:02x} at offset {error.start}; "
            "convert it first, for example with `iconv -t UTF-8`"
        ) from error
