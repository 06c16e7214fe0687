"""Parquet as an output: one row a row, nested columns named as in the JSON."""

from collections.abc import Iterable
from typing import IO, Any

import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet as pq

_GROUP_ROWS = 10_000
_GROUP_BYTES = 64 * 1024 * 1024

_TEXT, _INTEGER, _NUMBER = pa.string(), pa.int64(), pa.float64()
_SENTENCE = pa.struct(
    {"text": _TEXT, "rankScore": _NUMBER, "offset": _INTEGER, "length": _INTEGER, "index": _INTEGER}
)
_STATISTICS = pa.struct(
    {
        "charactersCount": _INTEGER,
        "sentencesCount": _INTEGER,
        "tokensCount": _INTEGER,
        "truncated": pa.bool_(),
    }
)
_MESSAGE = pa.struct({"code": _TEXT, "message": _TEXT})
_REASON = pa.struct(
    {
        "index": _INTEGER,
        "evidence": pa.list_(pa.struct({"index": _INTEGER, "weight": _NUMBER})),
        "patterns": pa.list_(pa.struct({"name": _TEXT, "share": _NUMBER})),
    }
)
_EXPLANATION = pa.struct(
    {
        "method": _TEXT,
        "selected": pa.list_(_REASON),
        "faithfulness": pa.map_(_TEXT, _NUMBER),
        "notes": pa.list_(_TEXT),
    }
)


class ParquetOutput:
    """Writes answers as Parquet.

    Args:
        has_explanation: whether there is a column for reasons.
        has_all_scores: whether there is a column for every sentence that was read.
        kept_type: of the columns of the input that are carried through; None for none.
    """

    def __init__(
        self, has_explanation: bool, has_all_scores: bool, kept_type: pa.StructType | None
    ) -> None:
        columns = {
            "id": _TEXT,
            "summary": _TEXT,
            "sentences": pa.list_(_SENTENCE),
            "statistics": _STATISTICS,
            "warnings": pa.list_(_MESSAGE),
            **({"explanation": _EXPLANATION} if has_explanation else {}),
            **({"allScores": pa.list_(_SENTENCE)} if has_all_scores else {}),
            "modelVersion": _TEXT,
            "error": _MESSAGE,
        }
        self._answer_schema = pa.schema(columns)
        self._schema = self._answer_schema
        if kept_type is not None:
            self._schema = self._answer_schema.append(pa.field("input", kept_type))
        self._kept_type = kept_type

    def find_flaw(self, record: dict[str, Any]) -> str | None:
        """Say why a record cannot be written; None when it can."""
        try:
            pa.RecordBatch.from_pylist([record], self._answer_schema)
        except UnicodeEncodeError:
            return (
                "expected text that UTF-8 can hold, as Parquet needs it, got a lone surrogate; "
                "write JSON lines instead, or mend the text"
            )
        return None

    def encode(self, records: list[dict[str, Any]], kept: Any) -> bytes:
        """Write the answers of a chunk.

        Args:
            records: (rows,) answers.
            kept: a record batch of as many rows, whose columns are carried through; else None.
        """
        batch = pa.RecordBatch.from_pylist(records, self._answer_schema)
        if self._kept_type is not None:
            fields = list(self._kept_type)
            columns = [kept.column(field.name) for field in fields]
            column = pa.StructArray.from_arrays(columns, fields=fields)
            batch = pa.RecordBatch.from_arrays([*batch.columns, column], schema=self._schema)
        sink = pa.BufferOutputStream()
        with pyarrow.ipc.new_stream(sink, self._schema) as writer:
            writer.write_batch(batch)
        return bytes(sink.getvalue())

    def assemble(self, parts: Iterable[bytes], file: IO[bytes]) -> None:
        """Write a whole output from its parts, in order, in row groups of a useful size."""
        held: list[pa.Table] = []
        n_rows = n_bytes = 0
        with pq.ParquetWriter(file, self._schema, compression="zstd") as writer:
            for part in parts:
                table = pyarrow.ipc.open_stream(part).read_all()
                held.append(table)
                n_rows += table.num_rows
                n_bytes += len(part)
                if n_rows >= _GROUP_ROWS or n_bytes >= _GROUP_BYTES:
                    writer.write_table(pa.concat_tables(held), row_group_size=n_rows)
                    held, n_rows, n_bytes = [], 0, 0
            if n_rows:
                writer.write_table(pa.concat_tables(held), row_group_size=n_rows)
