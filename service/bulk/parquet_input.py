"""Parquet as an input: cut into chunks of rows inside each row group."""

from collections.abc import Collection, Iterator
from typing import Any

import pyarrow as pa
import pyarrow.compute
import pyarrow.parquet as pq

from service.bulk.chunk import Chunk
from service.bulk.columns import Columns, choose_columns
from service.bulk.job import Job
from service.bulk.json_value import to_json_value
from service.bulk.row import (
    MALFORMED_ROW,
    ROW_TOO_LARGE,
    Row,
    RowError,
    read_id_value,
    read_text_value,
)
from service.errors import DataError


class ParquetInput:
    """A Parquet file, open for reading; one row group's pages are held at a time.

    Args:
        name: path.
        columns: where text and id stand; None until `find_columns` has said so.
        keep: whether the other columns are read too.

    Attributes:
        length: rows of the file.

    Raises:
        DataError: the file cannot be opened, or is no Parquet.
    """

    def __init__(self, name: str, columns: Columns | None, keep: bool) -> None:
        self._name = name
        self._columns = columns
        self._keep = keep
        try:
            self._file = pq.ParquetFile(name, pre_buffer=False)
        except (OSError, pa.ArrowException) as error:
            raise DataError(
                f"expected a Parquet file, got {error} for {name}; check the path, or copy it again"
            ) from error
        self.schema: pa.Schema = self._file.schema_arrow
        self.length: int | None = self._file.metadata.num_rows

    def find_columns(self, text: str | None, id: str | None) -> Columns:
        """Choose the columns by the schema.

        Raises:
            DataError: a column is not there, stands there twice, or is of a type that cannot hold
                what it should.
        """
        self._columns = columns = choose_columns(self.schema.names, text, id)
        self._check_type(columns.text, "texts", is_text)
        if columns.id is not None:
            self._check_type(columns.id, "ids", lambda t: is_text(t) or pa.types.is_integer(t))
        return columns

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def kept_type(self) -> pa.StructType | None:
        """Describe the columns that are carried through; None when there are none."""
        assert self._columns is not None, "columns are chosen before anything is read"
        fields = [field for field in self.schema if field.name != self._columns.text]
        return pa.struct(fields) if fields else None

    def cut(self, chunk_rows: int, skip: Collection[int] = ()) -> Iterator[Chunk]:
        """Cut each row group into chunks of so many rows; its last one may have fewer.

        Args:
            chunk_rows: at least 1.
            skip: numbers of chunks that are not wanted.

        Raises:
            DataError: the input cannot be read to its end.
        """
        names = self._names_to_read()
        if self.length == 0:
            empty = pa.RecordBatch.from_pylist([], pa.schema([self.schema.field(n) for n in names]))
            yield Chunk(0, 0, 0, 0, True, empty)
        number = first_row = 0
        for group in range(self._file.num_row_groups):
            n_rows = self._file.metadata.row_group(group).num_rows
            n_chunks = -(-n_rows // chunk_rows)
            if set(range(number, number + n_chunks)).issubset(skip):
                number += n_chunks
                first_row += n_rows
                continue
            for batch in _rebatch(self._read_group(group, chunk_rows, names), chunk_rows):
                end = first_row + batch.num_rows
                if number not in skip:
                    yield Chunk(number, first_row, len(batch), end, end == self.length, batch)
                number += 1
                first_row = end

    def _names_to_read(self) -> list[str]:
        assert self._columns is not None, "columns are chosen before anything is read"
        wanted = {self._columns.text, self._columns.id}
        return [name for name in self.schema.names if self._keep or name in wanted]

    def _read_group(self, group: int, chunk_rows: int, names: list[str]) -> Iterator[Any]:
        try:
            yield from self._file.iter_batches(
                chunk_rows, row_groups=[group], columns=names, use_threads=False
            )
        except (OSError, pa.ArrowException) as error:
            raise DataError(
                f"expected to read {self._name} to its end, got {error} in row group {group}; "
                "the file is damaged: copy it again"
            ) from error

    def _check_type(self, name: str, content: str, is_fit: Any) -> None:
        indices = self.schema.get_all_field_indices(name)
        if len(indices) > 1:
            raise DataError(
                f"expected one column {name!r}, got {len(indices)} of that name; rename them"
            )
        found = self.schema.field(indices[0]).type
        if not is_fit(found):
            raise DataError(
                f"expected {content} in column {name!r}, got the type {found}; "
                f"name another column, or convert it. The columns: {', '.join(self.schema.names)}"
            )


def is_text(kind: pa.DataType) -> bool:
    """Say whether a column of this type can hold texts: strings, or bytes that should be UTF-8."""
    types = pa.types
    if types.is_dictionary(kind):
        kind = kind.value_type
    checks = (types.is_string, types.is_large_string, types.is_string_view)
    return any(check(kind) for check in (*checks, types.is_binary, types.is_large_binary))


def read_parquet_rows(chunk: Chunk, job: Job, has_json_output: bool) -> Iterator[Row]:
    """Turn a batch into rows, each good or with an error.

    Args:
        chunk: with a record batch.
        job: says which columns.
        has_json_output: what is kept is wanted as JSON values.
    """
    batch, columns = chunk.content, job.columns
    texts = _read_values(batch.column(columns.text))
    ids = _read_values(batch.column(columns.id)) if columns.id else None
    for i, value in enumerate(texts):
        id = None if columns.id else str(chunk.first_row + i)
        kept = None
        try:
            if job.keep and has_json_output:
                kept = _read_kept(batch, i, columns.text)
            if ids is not None:
                id = read_id_value(ids[i], str(columns.id))
            if isinstance(value, bytes) and len(value) > job.max_row_bytes:
                raise RowError(
                    ROW_TOO_LARGE,
                    f"expected a text of at most {job.max_row_bytes} bytes, got {len(value)}; "
                    "raise --max-row-bytes",
                )
            text = read_text_value(value, columns.text)
            yield Row(chunk.first_row + i + 1, id, text, kept=kept)
        except RowError as error:
            yield Row(chunk.first_row + i + 1, id, None, error, kept)


def _read_values(column: pa.Array) -> list[Any]:
    """Read a column's values, strings as bytes: a Parquet file may call anything UTF-8."""
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if is_text(column.type):
        column = column.cast(pa.large_binary())
    return list(column.to_pylist())


def _read_kept(batch: pa.RecordBatch, i: int, text_column: str) -> dict[str, Any]:
    """Turn a row's other columns into JSON values."""
    kept = {}
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        if name == text_column:
            continue
        value = column.slice(i, 1)
        try:
            if pa.types.is_temporal(value.type):  # Python's own times have no nanoseconds
                value = value.cast(pa.string())
            kept[name] = to_json_value(value.to_pylist()[0])
        except (ValueError, pa.ArrowException) as error:
            raise RowError(
                MALFORMED_ROW,
                f"expected a value that JSON can hold in column {name!r}, got {error}; "
                "leave out --keep, or write Parquet",
            ) from error
    return kept


def _rebatch(batches: Iterator[Any], n_rows: int) -> Iterator[Any]:
    """Make batches of exactly so many rows, the last one perhaps of fewer, whatever comes in."""
    held = pa.table({})
    for batch in batches:
        table = pa.Table.from_batches([batch])
        held = pa.concat_tables([held, table]) if held.num_rows else table
        while held.num_rows >= n_rows:
            yield _as_batch(held.slice(0, n_rows))
            held = held.slice(n_rows)
    if held.num_rows:
        yield _as_batch(held)


def _as_batch(table: pa.Table) -> pa.RecordBatch:
    (batch,) = table.combine_chunks().to_batches()
    return batch
