"""JSON lines: a file with one JSON value a line, plain, .gz or .xz."""

import gzip
import json
import lzma
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from service.errors import DataError


def read_json_lines(path: Path) -> Iterator[tuple[int, object]]:
    """Read the values of a file, holding one at a time; blank lines are passed over.

    Args:
        path: the file; its suffix says how it is packed.

    Yields:
        The number of the line, from 1 and blank ones counted, and its value.

    Raises:
        DataError: the file is missing or unreadable, or a line is not JSON.
    """
    for number, line in _read_lines(path):
        try:
            value = json.loads(line)
        except RecursionError:
            raise DataError(
                f"{path}, row {number}: expected a JSON object, got one nested too deeply"
            ) from None
        except ValueError as error:  # also a whole number of thousands of digits
            raise DataError(f"{path}, row {number}: expected a JSON object, got {error}") from error
        yield number, value


def count_json_lines(path: Path) -> int:
    """Count the lines of a file that are not blank.

    Raises:
        DataError: the file is missing or unreadable.
    """
    return sum(1 for _ in _read_lines(path))


def _read_lines(path: Path) -> Iterator[tuple[int, str]]:
    try:
        with _open_text(path) as lines:
            for number, line in enumerate(lines, start=1):
                if line.strip():
                    yield number, line
    except FileNotFoundError:
        raise DataError(f"expected a file of JSON lines at {path}, found none") from None
    except (OSError, EOFError, lzma.LZMAError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: expected readable UTF-8 JSON lines, got: {error}") from error


def _open_text(path: Path) -> IO[str]:
    match path.suffix:
        case ".xz":
            return lzma.open(path, "rt", encoding="utf-8")
        case ".gz":
            return gzip.open(path, "rt", encoding="utf-8")
        case _:
            return path.open(encoding="utf-8")
