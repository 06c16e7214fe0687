"""The formats: which code reads and writes which form of file. Parquet's is loaded when used."""

from collections.abc import Collection, Iterable, Iterator
from importlib.util import find_spec
from typing import IO, Any, Protocol

from service.bulk.chunk import Chunk
from service.bulk.columns import Columns
from service.bulk.file_form import FileForm
from service.bulk.job import Job
from service.bulk.json_lines_input import JsonLinesInput, read_json_rows
from service.bulk.json_lines_output import JsonLinesOutput
from service.bulk.row import Row
from service.errors import MissingExtraError


class RowInput(Protocol):
    """A file of rows, open for one reading.

    Attributes:
        length: of the whole, in bytes of the file or in rows; None when not known.
    """

    length: int | None

    def find_columns(self, text: str | None, id: str | None) -> Columns:
        """Choose the columns."""

    def close(self) -> None:
        """Close the file."""

    def kept_type(self) -> Any:
        """Give the Arrow type of what is carried through, where there is one."""

    def cut(self, chunk_rows: int, skip: Collection[int] = ()) -> Iterator[Chunk]:
        """Cut the input into chunks, the same ones each time."""


class RowOutput(Protocol):
    """A way to write answers."""

    def find_flaw(self, record: dict[str, Any]) -> str | None:
        """Say why a record cannot be written; None when it can."""

    def encode(self, records: list[dict[str, Any]], kept: Any) -> bytes:
        """Write the answers of a chunk."""

    def assemble(self, parts: Iterable[bytes], file: IO[bytes]) -> None:
        """Write a whole output from its parts, in order."""


def open_rows(
    name: str, form: FileForm, max_row_bytes: int, columns: Columns | None, keep: bool
) -> RowInput:
    """Open an input.

    Args:
        name: path, or "-".
        form: how its rows are written.
        max_row_bytes: a longer line of JSON is not held in memory.
        columns: where text and id stand, if that is known.
        keep: whether the other columns are wanted.

    Raises:
        DataError: it cannot be opened.
        MissingExtraError: it is Parquet, and there is no pyarrow.
    """
    if form.rows == "jsonl":
        return JsonLinesInput(name, form, max_row_bytes)
    check_parquet()
    from service.bulk.parquet_input import ParquetInput

    return ParquetInput(name, columns, keep)


def read_rows(chunk: Chunk, job: Job) -> Iterator[Row]:
    """Turn a chunk into rows, each good or with an error."""
    if job.input_form.rows == "jsonl":
        return read_json_rows(chunk, job)
    from service.bulk.parquet_input import read_parquet_rows

    return read_parquet_rows(chunk, job, job.output_form.rows == "jsonl")


def make_output(job: Job) -> RowOutput:
    """Make what writes the answers of a job.

    Raises:
        MissingExtraError: that is Parquet, and there is no pyarrow.
    """
    if job.output_form.rows == "jsonl":
        return JsonLinesOutput(job.output_form)
    check_parquet()
    from service.bulk.parquet_output import ParquetOutput

    request = job.request
    return ParquetOutput(request.explain is not None, request.return_all_scores, job.kept_type)


def check_parquet() -> None:
    """Check that Parquet can be read and written.

    Raises:
        MissingExtraError: there is no pyarrow.
    """
    if find_spec("pyarrow") is None:
        raise MissingExtraError("batch", "batch", "pyarrow")
