"""JSON lines as an output: one object a row, one row a line."""

import json
from collections.abc import Iterable
from typing import IO, Any

from service.bulk.file_form import FileForm, compress


class JsonLinesOutput:
    """Writes answers as JSON lines.

    Args:
        form: the compression of the whole file.
    """

    def __init__(self, form: FileForm) -> None:
        self._form = form

    def find_flaw(self, record: dict[str, Any]) -> str | None:
        """Say why a record cannot be written; None when it can."""
        try:
            _encode(record)
        except (ValueError, RecursionError) as error:
            return f"expected values that JSON can hold, got: {error}"
        return None

    def encode(self, records: list[dict[str, Any]], kept: Any) -> bytes:
        """Write the answers of a chunk; what is kept of the input is already in the records."""
        return b"".join(map(_encode, records))

    def assemble(self, parts: Iterable[bytes], file: IO[bytes]) -> None:
        """Write a whole output from its parts, in order."""
        with compress(file, self._form) as whole:
            for part in parts:
                whole.write(part)


def _encode(record: dict[str, Any]) -> bytes:
    line = json.dumps(record, ensure_ascii=False, allow_nan=False)
    try:
        return line.encode() + b"\n"
    except UnicodeEncodeError:  # a lone surrogate, which JSON holds as an escape only
        return json.dumps(record, allow_nan=False).encode() + b"\n"
