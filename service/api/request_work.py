"""The work of one request: its documents admitted together, done side by side, given in order."""

from collections.abc import Awaitable, Callable
from typing import Self

import anyio
from starlette.requests import Request

from service.api.answer import answer_document
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

Outcome = DocumentResult | DocumentError
Deliver = Callable[[Outcome], Awaitable[None]]


class RequestWork:
    """Holds the places of a request's documents from admission to the end.

    Use it as a context: at its end every document has left the queue, whatever happened.

    Args:
        host: runs the model.
        body: the request.
        metrics: where documents are counted.
        times: where the stages add up.

    Raises:
        ProblemError: 429, the queue is full; 503, the model is not ready.
    """

    def __init__(
        self, host: ModelHost, body: SummarizeRequest, metrics: Metrics, times: StageTimes
    ) -> None:
        self._host = host
        self._body = body
        self._metrics = metrics
        self._times = times
        self.documents = body.input_documents()
        self._languages = host.summarizer.bundle.manifest.languages
        self.model_version = host.summarizer.bundle.version
        self._places = host.admit(body)
        self._outcomes: list[Outcome | Exception | None] = [None] * len(self.documents)
        self._are_done = [anyio.Event() for _ in self.documents]

    def __enter__(self) -> Self:
        """Hold the places."""
        return self

    def __exit__(self, *_: object) -> None:
        """Leave the queue with every document that is still in it."""
        for place in self._places:
            place.leave()

    @property
    def has_begun(self) -> bool:
        """Whether the turn of any document has come."""
        return any(place.has_begun for place in self._places)

    async def run(self, deliver: Deliver) -> None:
        """Summarize the documents; a bad one fails alone.

        Args:
            deliver: called with each document's result or error, in the order of the request, as
                soon as it and all before it are done.

        Raises:
            Exception: the first one that was not foreseen; the other documents are given up.
        """
        failure: Exception | None = None
        async with anyio.create_task_group() as tasks:
            for i in range(len(self.documents)):
                tasks.start_soon(self._work_on, i)
            for i, is_done in enumerate(self._are_done):
                await is_done.wait()
                outcome = self._outcomes[i]
                assert outcome is not None, "done means that there is an outcome"
                if isinstance(outcome, Exception):
                    failure = outcome
                    tasks.cancel_scope.cancel()
                    break
                await deliver(outcome)
        if failure is not None:
            raise failure

    def error_of(self, i: int, code: str, message: str) -> DocumentError:
        """Write an error for the text of the i-th document."""
        target = json_pointer(self._body.text_location(i)).removeprefix("#")
        return DocumentError(
            id=str(self.documents[i].id),
            error=ErrorDetail(code=code, message=message, target=target),
        )

    async def _work_on(self, i: int) -> None:
        try:
            self._outcomes[i] = await self._summarize(i)
        except Exception as error:  # noqa: BLE001  # raised where all documents come together
            self._outcomes[i] = error
            await self._host.check_model()
        self._are_done[i].set()

    async def _summarize(self, i: int) -> Outcome:
        document = self.documents[i]
        place = self._places[i]
        try:
            check_language(document, self._languages)
            async with place.turn():
                summary = await self._host.summarize(document, self._body)
        except InputError as error:
            place.leave()
            self._metrics.documents.labels("refused").inc()
            return self._refusal(i, error)
        for stage, seconds in self._times.add(place.queue_s, summary.stages).items():
            self._metrics.stage_seconds.labels(stage).observe(seconds)
        self._metrics.documents.labels("summarized").inc()
        self._metrics.sentences.inc(summary.statistics.sentences_count)
        self._metrics.tokens.inc(summary.statistics.tokens_count)
        return answer_document(
            str(document.id), document.text, summary, self._body.string_index_type
        )

    def _refusal(self, i: int, error: InputError) -> DocumentError:
        if error.pointer != "/language":
            return self.error_of(i, "InvalidDocument", str(error))
        refusal = self.error_of(i, "UnsupportedLanguage", str(error))
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


def stage_times_of(request: Request) -> StageTimes:
    """Give the times of a request, made when first asked for."""
    if not hasattr(request.state, "stage_times"):
        request.state.stage_times = StageTimes()
    times = request.state.stage_times
    assert isinstance(times, StageTimes), "nobody else uses that name"
    return times
