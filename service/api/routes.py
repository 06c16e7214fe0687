"""The two routes that summarize: what is checked before work, and how a batch is answered."""

from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from service.api.accept import JSON, choose_media_type
from service.api.answer import answer_document
from service.api.explain_page import EXPLAIN_PAGE, HTML, ExplainPage, explain_page_request
from service.api.json_route import json_route
from service.api.metrics import Metrics
from service.api.model_host import ModelHost
from service.api.problems import (
    AsciiJsonResponse,
    FieldProblem,
    ProblemError,
    ProblemKind,
    json_pointer,
)
from service.api.schemas import (
    DocumentError,
    DocumentResult,
    ErrorDetail,
    ExplainOptions,
    InputDocument,
    SummarizeRequest,
    SummarizeResponse,
)
from service.api.settings import Settings
from service.errors import InputError

PROBLEM_STATUSES: dict[int | str, dict[str, Any]] = {
    400: {"description": "The body is not JSON."},
    406: {"description": "The Accept header takes nothing that is offered."},
    413: {"description": "The body, its documents or its text are over a limit."},
    415: {"description": "The body is not application/json, or is compressed."},
    422: {"description": "A field is wrong, or no document could be summarized."},
    500: {"description": "The service failed; the body carries only the request id."},
    503: {"description": "The service is starting, or its model cannot be used."},
}


def summarize_router(host: ModelHost, settings: Settings, metrics: Metrics) -> APIRouter:
    """Make the routes `/v1/summarize` and `/v1/explain`.

    Args:
        host: runs the model.
        settings: the limits.
        metrics: where documents are counted.
    """
    router = APIRouter(
        prefix="/v1",
        tags=["summarize"],
        route_class=json_route(
            settings.max_body_bytes, lambda value: check_n_documents(value, settings.max_documents)
        ),
    )

    page = ExplainPage()

    async def respond(request: Request, body: SummarizeRequest) -> SummarizeResponse:
        check_n_characters(body, settings.max_characters)
        batch = await summarize_batch(host, body, metrics)
        return batch.response(request.state.request_id, host.summarizer.bundle.version)

    async def answer(request: Request, body: SummarizeRequest) -> Response:
        response = await respond(request, body)
        return AsciiJsonResponse(response.model_dump(by_alias=True, exclude_none=True))

    @router.post("/summarize", response_model=SummarizeResponse, responses=PROBLEM_STATUSES)
    async def summarize(request: Request, body: SummarizeRequest) -> Response:
        """Choose each document's most important sentences."""
        return await answer(request, body)

    @router.post(
        "/explain",
        response_model=SummarizeResponse,
        responses={200: EXPLAIN_PAGE, **PROBLEM_STATUSES},
    )
    async def explain(request: Request, body: SummarizeRequest) -> Response:
        """Choose as `/v1/summarize` does, and always say why: to a program, or to a person."""
        options = body.explain or ExplainOptions()
        body = body.model_copy(update={"explain": options})
        if choose_media_type(request.headers.getlist("accept"), (JSON, HTML)) == HTML:
            return page.answer(body, await respond(request, explain_page_request(body)))
        return await answer(request, body)

    return router


class Batch(BaseModel):
    """The documents of one request, summarized or refused."""

    documents: list[DocumentResult] = []
    errors: list[DocumentError] = []

    def response(self, request_id: str, model_version: str) -> SummarizeResponse:
        """Answer for the batch.

        Raises:
            ProblemError: 422, no document has a summary.
        """
        if not self.documents:
            errors = [
                FieldProblem(detail=e.error.message, pointer=f"#{e.error.target}")
                for e in self.errors
            ]
            raise ProblemError(ProblemKind.UNPROCESSABLE, self.errors[0].error.message, errors)
        return SummarizeResponse(
            id=request_id,
            model_version=model_version,
            documents=self.documents,
            errors=self.errors,
        )


async def summarize_batch(host: ModelHost, body: SummarizeRequest, metrics: Metrics) -> Batch:
    """Summarize the documents of a request one after the other; a bad one fails alone.

    Args:
        host: runs the model.
        body: the request.
        metrics: where documents are counted.

    Raises:
        ProblemError: 503, the model is not ready.
    """
    batch = Batch()
    for i, document in enumerate(body.input_documents()):
        target = json_pointer(body.text_location(i)).removeprefix("#")
        try:
            check_language(document, host.summarizer.bundle.manifest.languages)
            summary = await host.summarize(document, body)
        except InputError as error:
            batch.errors.append(_document_error(document, error, target))
            metrics.documents.labels("refused").inc()
            continue
        batch.documents.append(
            answer_document(str(document.id), document.text, summary, body.string_index_type)
        )
        metrics.documents.labels("summarized").inc()
        metrics.sentences.inc(summary.statistics.sentences_count)
        metrics.tokens.inc(summary.statistics.tokens_count)
    return batch


def check_n_documents(value: object, max_documents: int) -> None:
    """Check how many documents a parsed body holds; whatever else it is, is left to the schema.

    Raises:
        ProblemError: 413.
    """
    documents = value.get("documents") if isinstance(value, dict) else None
    if isinstance(documents, list):
        _check_size(len(documents), max_documents, "documents", "#/documents")


def check_n_characters(body: SummarizeRequest, max_characters: int) -> None:
    """Check how much text a request holds, in code points.

    Raises:
        ProblemError: 413.
    """
    n_characters = sum(len(document.text) for document in body.input_documents())
    pointer = "#/text" if body.documents is None else "#/documents"
    _check_size(n_characters, max_characters, "characters of text", pointer)


def _check_size(n: int, limit: int, unit: str, pointer: str) -> None:
    if n > limit:
        detail = f"expected at most {limit} {unit} a request, got {n}; send several requests"
        raise ProblemError(
            ProblemKind.TOO_LARGE, detail, [FieldProblem(detail=detail, pointer=pointer)]
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


def _document_error(document: InputDocument, error: InputError, target: str) -> DocumentError:
    is_language = error.pointer == "/language"
    return DocumentError(
        id=str(document.id),
        error=ErrorDetail(
            code="UnsupportedLanguage" if is_language else "InvalidDocument",
            message=str(error),
            target=target.removesuffix("/text") + "/language" if is_language else target,
        ),
    )
