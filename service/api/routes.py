"""The two routes that summarize: for programs, as a whole or in lines, and for people."""

from anyio import to_thread
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from service.api.accept import NDJSON
from service.api.endpoint import SummarizeEndpoint, check_n_documents
from service.api.explain_page import EXPLAIN_PAGE, HTML, ExplainPage, explain_page_request
from service.api.json_route import BodyLimits, json_route
from service.api.problems import AsciiJsonResponse
from service.api.schemas import ExplainOptions, SummarizeRequest, SummarizeResponse
from service.api.settings import Settings
from service.api.stage_times import stage_times_of

_IN_LINES: dict[str, object] = {NDJSON: {}}


def summarize_router(endpoint: SummarizeEndpoint, settings: Settings) -> APIRouter:
    """Make the routes `/v1/summarize` and `/v1/explain`.

    Args:
        endpoint: answers.
        settings: the limits.
    """
    limits = BodyLimits(settings.max_body_bytes, settings.upload_s)

    def check(value: object) -> None:
        check_n_documents(value, settings.max_documents)

    router = APIRouter(
        prefix="/v1",
        tags=["summarize"],
        route_class=json_route(limits, check, endpoint.host.summaries),
    )
    page = ExplainPage()

    async def respond(request: Request, body: SummarizeRequest) -> SummarizeResponse:
        return (await endpoint.summarize(request, body)).response()

    async def answer(request: Request, body: SummarizeRequest) -> Response:
        if request.state.media_type == NDJSON:
            return endpoint.stream(request, body)
        if request.state.media_type == HTML:
            response = await respond(request, explain_page_request(body))
            # In a thread: a page quotes every evidence sentence, and can be long.
            answered: Response = await to_thread.run_sync(page.answer, body, response)
        else:
            response = await respond(request, body)
            answered = AsciiJsonResponse(response.model_dump(by_alias=True, exclude_none=True))
        answered.headers["Server-Timing"] = stage_times_of(request).server_timing()
        return answered

    @router.post(
        "/summarize", response_model=SummarizeResponse, responses={200: {"content": _IN_LINES}}
    )
    async def summarize(request: Request, body: SummarizeRequest) -> Response:
        """Choose each document's most important sentences."""
        return await answer(request, body)

    async def explain(request: Request, body: SummarizeRequest) -> Response:
        """Choose as `/v1/summarize` does, and always say why: to a program, or to a person."""
        options = body.explain or ExplainOptions()
        return await answer(request, body.model_copy(update={"explain": options}))

    router.add_api_route(
        "/explain",
        explain,
        methods=["POST"],
        response_model=SummarizeResponse,
        responses={200: {**EXPLAIN_PAGE, "content": _IN_LINES | EXPLAIN_PAGE["content"]}},
        route_class_override=json_route(limits, check),  # occlusion, whose lane is another
    )
    return router
