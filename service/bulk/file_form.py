"""The form of a file, told by its name: JSON lines, plain or compressed, or Parquet."""

import gzip
import hashlib
import lzma
import sys
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal, cast

from service.errors import BatchError, DataError
from service.text_file import STANDARD_STREAM

_FORMS: dict[str, tuple[Literal["jsonl", "parquet"], Literal["", "gz", "xz"]]] = {
    ".jsonl": ("jsonl", ""),
    ".ndjson": ("jsonl", ""),
    ".jsonl.gz": ("jsonl", "gz"),
    ".ndjson.gz": ("jsonl", "gz"),
    ".jsonl.xz": ("jsonl", "xz"),
    ".ndjson.xz": ("jsonl", "xz"),
    ".parquet": ("parquet", ""),
}


@dataclass(frozen=True)
class FileForm:
    """How the rows of a file are written.

    Attributes:
        rows: the format of the rows.
        compression: around the whole file; Parquet compresses inside.
    """

    rows: Literal["jsonl", "parquet"]
    compression: Literal["", "gz", "xz"] = ""


def tell_form(name: str) -> FileForm:
    """Tell the form of a file by the end of its name; "-", a standard stream, is JSON lines.

    Raises:
        BatchError: the name ends otherwise.
    """
    if name == STANDARD_STREAM:
        return FileForm("jsonl")
    for suffix, (rows, compression) in _FORMS.items():
        if name.lower().endswith(suffix):
            return FileForm(rows, compression)
    raise BatchError(
        f"expected a name that ends in one of {', '.join(_FORMS)}, got {name}; rename the file"
    )


def open_input(name: str, form: FileForm) -> tuple[IO[bytes], IO[bytes]]:
    """Open an input for reading.

    Returns:
        The content, and the file underneath, whose position says how far the reading is.

    Raises:
        DataError: it cannot be opened.
    """
    if name == STANDARD_STREAM:
        return sys.stdin.buffer, sys.stdin.buffer
    try:
        raw = Path(name).open("rb")  # noqa: SIM115  # the caller reads from it, and closes it
    except OSError as error:
        raise unreadable(name, error) from error
    if form.compression == "gz":
        return cast("IO[bytes]", gzip.GzipFile(fileobj=raw)), raw
    if form.compression == "xz":
        return lzma.LZMAFile(raw), raw
    return raw, raw


def compress(file: IO[bytes], form: FileForm) -> AbstractContextManager[IO[bytes]]:
    """Wrap a file that is written, and stays open; the same content always gives the same bytes."""
    if form.compression == "gz":
        return cast("IO[bytes]", gzip.GzipFile(filename="", fileobj=file, mode="wb", mtime=0))
    if form.compression == "xz":
        return lzma.LZMAFile(file, "wb")
    return nullcontext(file)


def hash_file(name: str) -> str:
    """Hash a whole file.

    Returns:
        sha256, 64 hexadecimal digits.

    Raises:
        DataError: it cannot be read.
    """
    try:
        with Path(name).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise unreadable(name, error) from error


def unreadable(name: str, error: OSError) -> DataError:
    """Say that an input cannot be read."""
    return DataError(
        f"expected a readable file, got {error.strerror or error} for {name}; "
        "check its path and permissions"
    )
