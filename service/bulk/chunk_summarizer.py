"""What a worker does: a chunk of rows in, the part of the output with their answers out."""

import logging
from typing import Any

from service.api.answer import answer_document
from service.api.schemas import DocumentResult
from service.bulk.chunk import MOST_SHOWN_FAILURES, Chunk, Failure, Part
from service.bulk.formats import make_output, read_rows
from service.bulk.job import Job
from service.bulk.row import INVALID_TEXT, MALFORMED_ROW, Row, RowError
from service.errors import InputError, PatsumError
from service.inference.summarizer import Summarizer

INVALID_DOCUMENT = "InvalidDocument"
INTERNAL_ERROR = "InternalError"
_LOGGER = logging.getLogger(__name__)


class ChunkSummarizer:
    """Summarizes chunks of one job, a row after the other, each as the REST API would.

    Args:
        job: what is asked.

    Attributes:
        model_version: of the bundle that was loaded.

    Raises:
        BundleError: the bundle cannot be used.
    """

    def __init__(self, job: Job) -> None:
        self._job = job
        self._output = make_output(job)
        self._summarizer = Summarizer(job.bundle)
        self.model_version = self._summarizer.bundle.version

    def summarize(self, chunk: Chunk) -> Part:
        """Answer each row of a chunk; a bad one fails alone.

        Raises:
            BundleError: the model does not answer as a model should.
        """
        records, failures = [], []
        for row in read_rows(chunk, self._job):
            record, error = self._answer(row)
            if error is not None:
                failures.append(Failure(row.place, error.code, str(error)))
            records.append(record)
        return Part(
            number=chunk.number,
            n_rows=chunk.n_rows,
            position=chunk.position,
            is_last=chunk.is_last,
            n_failed=len(failures),
            failures=tuple(failures[:MOST_SHOWN_FAILURES]),
            content=self._output.encode(records, chunk.content),
        )

    def _answer(self, row: Row) -> tuple[dict[str, Any], RowError | None]:
        result, error = self._summarize_row(row)
        record = self._make_record(row, result, error)
        flaw = self._output.find_flaw(record)
        if flaw is None:
            return record, error
        error = RowError(MALFORMED_ROW if row.text is None else INVALID_TEXT, flaw)
        return self._make_record(Row(row.place, None, None), None, error), error

    def _summarize_row(self, row: Row) -> tuple[DocumentResult | None, RowError | None]:
        if row.text is None:
            assert row.error is not None, "a row has a text or an error"
            return None, row.error
        request = self._job.request
        try:
            summary = self._summarizer.summarize(row.text, **request.summarizer_options())
        except InputError as error:
            return None, RowError(INVALID_DOCUMENT, str(error))
        except (PatsumError, MemoryError):  # what would fail for every row ends the run
            raise
        except Exception as error:
            _LOGGER.exception("unforeseen error in row %d", row.place)
            return None, RowError(
                INTERNAL_ERROR,
                f"expected to summarize the row, met an unforeseen {type(error).__name__}; "
                "please report it, with the text if you may",
            )
        return answer_document(row.id or "", row.text, summary, request.string_index_type), None

    def _make_record(
        self, row: Row, result: DocumentResult | None, error: RowError | None
    ) -> dict[str, Any]:
        record: dict[str, Any] = {
            "id": None,
            "summary": None,
            "sentences": [],
            "statistics": None,
            "warnings": [],
        }
        if self._job.request.explain is not None:
            record["explanation"] = None
        if self._job.request.return_all_scores:
            record["allScores"] = None
        if result is not None:
            record |= result.model_dump(by_alias=True, mode="json", exclude_none=True)
        record |= {
            "id": row.id,
            "modelVersion": self.model_version,
            "error": error and {"code": error.code, "message": str(error)},
        }
        if self._job.keep:
            record["input"] = row.kept
        return record
