"""The job: everything that the rows of an output depend on, small enough to send to each worker."""

from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from service.api.schemas import SummarizeRequest
from service.bulk.columns import Columns
from service.bulk.file_form import FileForm


@dataclass(frozen=True)
class Job:
    """What is to be read, what every row asks for, and how the answers are written.

    Attributes:
        source: path of the input, or "-".
        input_form: how its rows are written.
        output_form: how answers are written.
        columns: where text and id stand.
        request: what each row would ask of the REST API; its text is no part of it.
        keep: whether the other columns are carried through.
        chunk_rows: most rows of a chunk; at least 1.
        max_row_bytes: a row with more is an error; a chunk of several lines has at most as many.
        bundle: the model's folder; None for the embedded one.
        kept_type: the Arrow struct of the columns that are carried from Parquet into Parquet; None
            where there are none.
    """

    source: str
    input_form: FileForm
    output_form: FileForm
    columns: Columns
    request: SummarizeRequest
    keep: bool
    chunk_rows: int
    max_row_bytes: int
    bundle: Path | None
    kept_type: Any = None

    def identity(self, input_sha256: str | None, model_version: str) -> dict[str, Any]:
        """Describe the job so that two with equal descriptions write the same output.

        Args:
            input_sha256: of the whole input; None when it cannot be read twice.
            model_version: of the bundle.
        """
        return {
            "input sha256": input_sha256,
            "model version": model_version,
            "patsum version": version("patsum"),
            "text column": self.columns.text,
            "id column": self.columns.id,
            "options": self.request.model_dump(
                mode="json", by_alias=True, exclude={"text", "documents"}
            ),
            "--keep": self.keep,
            "--chunk-rows": self.chunk_rows,
            "--max-row-bytes": self.max_row_bytes,
            "input form": self.input_form.rows,
            "output form": self.output_form.rows,
        }
