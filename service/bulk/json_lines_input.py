"""JSON lines as an input: cut into chunks of lines; a worker turns the lines into rows.

A line is a row. Lines of white space only are none, and are left out of the count of rows, not out
of the count of lines that places are told by.
"""

import json
import lzma
import math
import os
import zlib
from collections.abc import Collection, Generator, Iterator
from itertools import chain, islice
from typing import IO, Any, NamedTuple

from service.bulk.chunk import Chunk
from service.bulk.columns import Columns, choose_columns
from service.bulk.file_form import FileForm, open_input
from service.bulk.job import Job
from service.bulk.row import (
    MALFORMED_ROW,
    ROW_TOO_LARGE,
    Row,
    RowError,
    decode_utf8,
    read_id_value,
    read_text_value,
)
from service.errors import DataError
from service.text_file import STANDARD_STREAM

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_MOST_SAMPLED_LINES = 100


class Line(NamedTuple):
    """A line of the input.

    Attributes:
        number: from 1.
        content: with its line end; None when it is larger than allowed.
    """

    number: int
    content: bytes | None


class JsonLinesInput:
    """A file of JSON lines, or the standard input, open for one reading.

    Args:
        name: path, or "-".
        form: its compression.
        max_row_bytes: a longer line is not held.

    Attributes:
        length: bytes of the file as it lies on the disk; None for the standard input.

    Raises:
        DataError: the file cannot be opened.
    """

    def __init__(self, name: str, form: FileForm, max_row_bytes: int) -> None:
        content, raw = open_input(name, form)
        self.length = None if name == STANDARD_STREAM else os.fstat(raw.fileno()).st_size
        self._name = name
        self._max_row_bytes = max_row_bytes
        self._position = 0
        self._head: list[Line] = []
        self._files = raw, content
        self._rest = self._read_lines(content, raw)

    def find_columns(self, text: str | None, id: str | None) -> Columns:
        """Choose the columns by the first row that has the one for the text.

        Without any JSON object among the first 100 rows there is nothing to go by: then it is what
        was asked for, and each row will say what is wrong with it.

        Raises:
            DataError: none of the first 100 rows has the column for the text, or the first one
                that has lacks the one for the id.
        """
        found: dict[str, None] = {}
        for line in islice(self._rest, _MOST_SAMPLED_LINES):
            self._head.append(line)
            try:
                row = _parse(line, self._max_row_bytes, is_strict=False)
            except RowError:
                continue
            try:
                choose_columns(row, text, None)
            except DataError:
                found.update(dict.fromkeys(row))
                continue
            return choose_columns(row, text, id)
        return choose_columns(found, text, id) if found else Columns(text or "text", id)

    def close(self) -> None:
        """Close the file."""
        self._rest.close()
        for file in self._files:
            file.close()

    def kept_type(self) -> None:
        """JSON has no types to carry through."""

    def cut(self, chunk_rows: int, skip: Collection[int] = ()) -> Iterator[Chunk]:
        """Cut the input into chunks of at most so many rows and `max_row_bytes` bytes.

        Args:
            chunk_rows: at least 1.
            skip: numbers of chunks that are not wanted.

        Raises:
            DataError: the input cannot be read to its end.
        """
        n_rows = 0
        chunks = self._group(chunk_rows)
        lines = next(chunks, [])
        number = 0
        while True:
            following = next(chunks, None)
            if number not in skip:
                yield Chunk(number, n_rows, len(lines), self._position, following is None, lines)
            if following is None:
                return
            n_rows += len(lines)
            number += 1
            lines = following

    def _group(self, chunk_rows: int) -> Iterator[list[Line]]:
        lines: list[Line] = []
        n_bytes = 0
        for line in chain(self._head, self._rest):
            size = len(line.content or b"")
            if lines and (len(lines) == chunk_rows or n_bytes + size > self._max_row_bytes):
                yield lines
                lines, n_bytes = [], 0
            lines.append(line)
            n_bytes += size
        if lines:
            yield lines

    def _read_lines(self, content: IO[bytes], raw: IO[bytes]) -> Generator[Line, None, None]:
        try:
            for number, line in enumerate(_bounded_lines(content, self._max_row_bytes), 1):
                if self.length is not None:
                    self._position = raw.tell()
                if number == 1 and line:
                    line = line.removeprefix(_BYTE_ORDER_MARK)
                if line is None or line.strip():
                    yield Line(number, line)
        except (EOFError, OSError, zlib.error, lzma.LZMAError) as error:
            raise DataError(
                f"expected to read {self._name} to its end, got {type(error).__name__}: {error}; "
                "the file is damaged or incomplete: copy it again"
            ) from error


def read_json_rows(chunk: Chunk, job: Job) -> Iterator[Row]:
    """Turn the lines of a chunk into rows, each good or with an error."""
    columns = job.columns
    for i, line in enumerate(chunk.content):
        id = None if columns.id else str(chunk.first_row + i)
        kept = None
        try:
            values = _parse(line, job.max_row_bytes, is_strict=job.keep)
            if job.keep:
                kept = {name: value for name, value in values.items() if name != columns.text}
            if columns.id:
                id = read_id_value(values.get(columns.id), columns.id)
            if columns.text not in values:
                raise RowError(
                    MALFORMED_ROW,
                    f"expected a column {columns.text!r}, got the columns: "
                    f"{', '.join(values) or 'none'}",
                )
            text = read_text_value(values[columns.text], columns.text)
            yield Row(line.number, id, text, kept=kept)
        except RowError as error:
            yield Row(line.number, id, None, error, kept)


def _bounded_lines(file: IO[bytes], max_bytes: int) -> Iterator[bytes | None]:
    """Read lines; None for one of more bytes, its line end not counted."""
    while line := file.readline(max_bytes + 1):
        if len(line) <= max_bytes or line.endswith(b"\n"):
            yield line
            continue
        while line and not line.endswith(b"\n"):
            line = file.readline(max_bytes + 1)
        yield None


def _parse(line: Line, max_bytes: int, is_strict: bool) -> dict[str, Any]:
    """Parse a line; strict about numbers that could not be written again."""
    if line.content is None:
        raise RowError(
            ROW_TOO_LARGE,
            f"expected a line of at most {max_bytes} bytes, got a longer one; "
            "raise --max-row-bytes",
        )
    text = decode_utf8(line.content, "of the line")
    try:
        if is_strict:
            values = json.loads(text, parse_constant=_refuse, parse_float=_read_finite)
        else:
            values = json.loads(text)
    except json.JSONDecodeError as error:
        raise RowError(
            MALFORMED_ROW, f"expected JSON, got {error.msg} at character {error.pos} of the line"
        ) from error
    except (ValueError, RecursionError) as error:
        raise RowError(MALFORMED_ROW, f"expected JSON that can be read, got: {error}") from error
    if not isinstance(values, dict):
        raise RowError(
            MALFORMED_ROW, f"expected a JSON object, got a {type(values).__name__} in its place"
        )
    return values


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant}, which is not JSON and cannot be carried through")


def _read_finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError(f"{digits}, which is beyond a double and cannot be carried through")
    return number
