"""From a checked body to the answer, whatever protocol asked: admission, work, what is given up."""

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from service.api.caller import CallerGoneError, DeadlineError, read_timeout, work_for_caller
from service.api.logs import log_fields_of
from service.api.metrics import Metrics, Rejection
from service.api.model_host import ModelHost
from service.api.ndjson import DocumentStream
from service.api.problems import FieldProblem, ProblemError, ProblemKind, internal_problem
from service.api.request_work import INTERNAL_ERROR, Outcome, RequestWork
from service.api.schemas import DocumentError, DocumentResult, SummarizeRequest, SummarizeResponse
from service.api.settings import Settings
from service.api.stage_times import stage_times_of


class Batch(BaseModel):
    """The documents of one request, summarized or refused."""

    request_id: str
    model_version: str
    documents: list[DocumentResult] = []
    errors: list[DocumentError] = []

    async def take(self, outcome: Outcome) -> None:
        """Put a document's outcome where it belongs."""
        if isinstance(outcome, DocumentError):
            self.errors.append(outcome)
        else:
            self.documents.append(outcome)

    def response(self) -> SummarizeResponse:
        """Answer for the batch.

        Raises:
            ProblemError: 422, no document has a summary; 500, and one met our own bug.
        """
        if not self.documents:
            if any(error.error.code == INTERNAL_ERROR for error in self.errors):
                raise internal_problem()
            errors = [
                FieldProblem(
                    detail=e.error.message, pointer=f"#{e.error.target}", code=e.error.code
                )
                for e in self.errors
            ]
            raise ProblemError(ProblemKind.UNPROCESSABLE, self.errors[0].error.message, errors)
        return SummarizeResponse(
            id=self.request_id,
            model_version=self.model_version,
            documents=self.documents,
            errors=self.errors,
        )


class SummarizeEndpoint:
    """From a checked body to the answer, whatever protocol asked for it.

    Args:
        host: runs the model.
        settings: the limits.
        metrics: where documents and rejections are counted.

    Attributes:
        host: runs the model.
    """

    def __init__(self, host: ModelHost, settings: Settings, metrics: Metrics) -> None:
        self.host = host
        self._settings = settings
        self._metrics = metrics

    def admit(self, request: Request, body: SummarizeRequest) -> RequestWork:
        """Decide about a request before any work.

        Raises:
            ProblemError: 413, too much text; 429, the queue is full; 503, not ready.
        """
        n_characters = check_n_characters(body, self._settings.max_characters)
        log_fields_of(request).update(
            documents=len(body.input_documents()),
            characters=n_characters,
            modelVersion=self.host.summarizer.bundle.version,
        )
        return RequestWork(
            self.host, body, self._metrics, stage_times_of(request), request.state.request_id
        )

    async def summarize(self, request: Request, body: SummarizeRequest) -> Batch:
        """Summarize all documents of a request.

        Raises:
            ProblemError: as `admit`, and 400, Request-Timeout cannot be read; 504, the deadline
                passed.
            CallerGoneError: the client has gone.
        """
        timeout_s = read_timeout(request.headers, self._settings.deadline_s)
        with self.admit(request, body) as work:
            batch = Batch(request_id=request.state.request_id, model_version=work.model_version)
            try:
                await work_for_caller(request.receive, timeout_s, lambda: work.run(batch.take))
            except DeadlineError as error:
                self._count_given_up(work, error)
                raise _deadline_problem(work, timeout_s) from error
        return batch

    def stream(self, request: Request, body: SummarizeRequest) -> Response:
        """Answer with one line for each document.

        Raises:
            ProblemError: as `admit`, and 400, Request-Timeout cannot be read.
        """
        timeout_s = read_timeout(request.headers, self._settings.deadline_s)
        work = self.admit(request, body)
        return DocumentStream(
            work,
            request.state.request_id,
            timeout_s,
            lambda error: self._count_given_up(work, error),
        )

    def _count_given_up(self, work: RequestWork, error: Exception) -> None:
        if isinstance(error, CallerGoneError):
            reason = Rejection.CLIENT_GONE
        else:
            is_at_work = work.has_begun
            reason = Rejection.DEADLINE_AT_WORK if is_at_work else Rejection.DEADLINE_IN_QUEUE
            self._metrics.documents.labels("expired").inc(work.n_unfinished)
        self._metrics.rejections.labels(reason).inc()


def check_n_documents(value: object, max_documents: int) -> None:
    """Check how many documents a parsed body holds; whatever else it is, is left to the schema.

    Raises:
        ProblemError: 413.
    """
    documents = value.get("documents") if isinstance(value, dict) else None
    if isinstance(documents, list):
        _check_size(len(documents), max_documents, "documents", "#/documents")


def check_n_characters(body: SummarizeRequest, max_characters: int) -> int:
    """Check how much text a request holds, in code points.

    Returns:
        The code points of all its texts.

    Raises:
        ProblemError: 413.
    """
    n_characters = sum(len(document.text) for document in body.input_documents())
    pointer = "#/text" if body.documents is None else "#/documents"
    _check_size(n_characters, max_characters, "characters of text", pointer)
    return n_characters


def _check_size(n: int, limit: int, unit: str, pointer: str) -> None:
    if n > limit:
        detail = f"expected at most {limit} {unit} a request, got {n}; send several requests"
        raise ProblemError(
            ProblemKind.TOO_LARGE, detail, [FieldProblem(detail=detail, pointer=pointer)]
        )


def _deadline_problem(work: RequestWork, timeout_s: float) -> ProblemError:
    where = "at work" if work.has_begun else "in the queue"
    return ProblemError(
        ProblemKind.DEADLINE,
        f"expected to answer within {timeout_s:g} s, was still {where}; "
        "send fewer or shorter documents, or come back later",
    )
