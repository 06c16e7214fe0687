"""The work of one request: its documents admitted together, done side by side, given in order."""

import logging
from collections.abc import Awaitable, Callable
from typing import Self

import anyio

from service.api.logs import FIELDS
from service.api.metrics import Metrics
from service.api.model_host import ModelHost
from service.api.problems import json_pointer
from service.api.schemas import (
    DocumentError,
    DocumentResult,
    ErrorDetail,
    InputDocument,
    SummarizeRequest,
)
from service.api.stage_times import StageTimes
from service.errors import InputError

INTERNAL_ERROR = "InternalError"
"""The code of a document that met our own bug."""

Outcome = DocumentResult | DocumentError
Deliver = Callable[[Outcome], Awaitable[None]]

_LOGGER = logging.getLogger("patsum.work")
_INTERNAL = "expected to answer, met an unforeseen error; report the request's id to the operator"


class RequestWork:
    """Holds the places of a request's documents from admission to the end.

    Use it as a context: at its end every document has left the queue, whatever happened.

    Args:
        host: runs the model.
        body: the request.
        metrics: where documents are counted.
        times: where the stages add up.
        request_id: for the log.

    Attributes:
        documents: of the request, each with an id.
        model_version: of the model that works on them.

    Raises:
        ProblemError: 429, the queue is full; 503, the model is not ready.
    """

    def __init__(
        self,
        host: ModelHost,
        body: SummarizeRequest,
        metrics: Metrics,
        times: StageTimes,
        request_id: str,
    ) -> None:
        self._host = host
        self._request_id = request_id
        self._body = body
        self._metrics = metrics
        self._times = times
        self.documents = body.input_documents()
        self._languages = host.summarizer.bundle.manifest.languages
        self.model_version = host.summarizer.bundle.version
        self._places = host.admit(self.documents, body)
        self._outcomes: list[Outcome | None] = [None] * len(self.documents)
        self._are_done = [anyio.Event() for _ in self.documents]

    def __enter__(self) -> Self:
        """Hold the places."""
        return self

    def __exit__(self, *_: object) -> None:
        """Leave the queue with every document that is still in it."""
        self.leave()

    def leave(self) -> None:
        """Leave the queue; a second time does nothing."""
        for place in self._places:
            place.leave()

    @property
    def has_begun(self) -> bool:
        """Whether the turn of any document has come."""
        return any(place.has_begun for place in self._places)

    @property
    def n_unfinished(self) -> int:
        """How many documents have come to nothing yet."""
        return self._outcomes.count(None)

    async def run(self, deliver: Deliver) -> None:
        """Summarize the documents; a bad one fails alone, and so does one that meets our own bug.

        Args:
            deliver: called with each document's result or error, in the order of the request, as
                soon as it and all before it are done; it must not raise.
        """
        try:
            async with anyio.create_task_group() as tasks:
                for i in range(len(self.documents)):
                    tasks.start_soon(self._work_on, i)
                for i, is_done in enumerate(self._are_done):
                    await is_done.wait()
                    outcome = self._outcomes[i]
                    assert outcome is not None, "done means that there is an outcome"
                    await deliver(outcome)
        finally:
            self.leave()  # before anything more is sent: a slow reader must not hold the queue

    def outcome_or_deadline(self, i: int) -> Outcome:
        """Give what the i-th document came to, or say that its time was up."""
        return self._outcomes[i] or self._error_of(
            i,
            "DeadlineExceeded",
            "expected to be done before the deadline, was not; send fewer documents",
        )

    def _error_of(self, i: int, code: str, message: str) -> DocumentError:
        """Write an error for the text of the i-th document."""
        target = json_pointer(self._body.text_location(i)).removeprefix("#")
        return DocumentError(
            id=str(self.documents[i].id),
            error=ErrorDetail(code=code, message=message, target=target),
        )

    async def _work_on(self, i: int) -> None:
        try:
            self._outcomes[i] = await self._summarize(i)
        except Exception:
            fields = {"requestId": self._request_id}
            _LOGGER.exception("unforeseen error in a document", extra={FIELDS: fields})
            self._outcomes[i] = self._error_of(i, INTERNAL_ERROR, _INTERNAL)
            self._metrics.documents.labels("failed").inc()
            self._host.doubt()
        self._are_done[i].set()

    async def _summarize(self, i: int) -> Outcome:
        document = self.documents[i]
        place = self._places[i]
        try:
            check_language(document, self._languages)
            async with place.turn():
                summary, result = await self._host.summarize(document, self._body)
        except InputError as error:
            place.leave()
            self._metrics.documents.labels("refused").inc()
            return self._refusal(i, error)
        for stage, seconds in self._times.add(place.queue_s, summary.stages).items():
            self._metrics.stage_seconds.labels(stage).observe(seconds)
        self._metrics.documents.labels("summarized").inc()
        self._metrics.sentences.inc(summary.statistics.sentences_count)
        self._metrics.tokens.inc(summary.statistics.tokens_count)
        return result

    def _refusal(self, i: int, error: InputError) -> DocumentError:
        if error.pointer != "/language":
            return self._error_of(i, "InvalidDocument", str(error))
        refusal = self._error_of(i, "UnsupportedLanguage", str(error))
        target = refusal.error.target.removesuffix("/text") + "/language"
        return refusal.model_copy(
            update={"error": refusal.error.model_copy(update={"target": target})}
        )


def check_language(document: InputDocument, languages: tuple[str, ...]) -> None:
    """Check that the model was trained for a document's language, if it names one.

    Args:
        document: the document.
        languages: ISO 639-1 codes.

    Raises:
        InputError: it was not.
    """
    if document.language is None:
        return
    if document.language.split("-")[0].lower() not in languages:
        raise InputError(
            f"expected a language among {', '.join(languages)}, got another; "
            "leave such documents out, or load a bundle for their language",
            "/language",
        )
