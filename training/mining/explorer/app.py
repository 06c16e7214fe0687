"""The explorer's web server: the page, and what it asks, on one machine for one person."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Annotated, Any

from fastapi import APIRouter, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.middleware.trustedhost import TrustedHostMiddleware

from service.errors import PatsumError, PredicateError
from training.mining.decisions import Verdict
from training.mining.explorer.explorer import Explorer, read_change
from training.mining.explorer.head_change import Change
from training.mining.explorer.page import page_router
from training.model.patterns import Unmatched

_NO_STORE = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}

PredicateText = Annotated[str, Field(min_length=1, max_length=2_000)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class ParseBody(_Body):
    """A predicate to read."""

    text: Annotated[str, Field(max_length=2_000)]


class RelevanceBody(_Body):
    """Predicates to measure over all documents."""

    predicates: Annotated[list[PredicateText], Field(min_length=1, max_length=50)]


class ChangeBody(_Body):
    """One head and what to do to it."""

    layer: int
    head: int
    change: Change
    predicate: PredicateText | None = None
    unmatched: Unmatched = Unmatched.SELF


class WhatIfBody(_Body):
    """The heads to change at once."""

    changes: Annotated[list[ChangeBody], Field(max_length=1_000)]


class PlaceBody(_Body):
    """A pattern in a head."""

    layer: int
    head: int
    predicate: PredicateText


class DecisionBody(PlaceBody):
    """What the person decided about it."""

    verdict: Verdict
    note: Annotated[str, Field(max_length=2_000)] = ""


def create_app(
    explorers: Sequence[Explorer], hosts: tuple[str, ...] = ("127.0.0.1", "localhost")
) -> FastAPI:
    """Make the application: what is asked about a model lies under `/api/STAGE`.

    Args:
        explorers: one a model of the same run, in the order of the page; closed when the server
            ends.
        hosts: names that the page may be asked under, so that no other site's name can be made to
            lead here.
    """

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        for explorer in explorers:
            explorer.close()

    app = FastAPI(title="patsum explore", lifespan=lifespan, docs_url=None, redoc_url=None)
    app.middleware("http")(_refuse_other_sites)
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=list(hosts), www_redirect=False)
    app.add_exception_handler(PatsumError, _answer_refusal)
    app.add_exception_handler(RequestValidationError, _answer_invalid)
    app.include_router(page_router())
    for explorer in explorers:
        for make_router in (_document_router, _job_router, _board_router):
            app.include_router(make_router(explorer), prefix=f"/api/{explorer.exhibit.name}")

    @app.get("/api/models")
    def models() -> Response:
        return _json([explorer.exhibit.name for explorer in explorers])

    return app


def _document_router(explorer: Explorer) -> APIRouter:
    """What the model sees and does in single documents."""
    router = APIRouter()

    @router.get("/run")
    def run() -> Response:
        return _json(explorer.describe())

    @router.get("/documents/{number}")
    def document(number: int) -> Response:
        return _json(explorer.view(number))

    @router.get("/documents/{number}/thumbnails")
    def thumbnails(number: int) -> Response:
        return _bytes(explorer.thumbnails(number))

    @router.get("/documents/{number}/heads/{layer}/{head}")
    def head_map(number: int, layer: int, head: int) -> Response:
        return _bytes(explorer.head(number, layer, head))

    @router.get("/documents/{number}/matches")
    def matches(number: int, predicate: str) -> Response:
        return _bytes(explorer.matches(number, predicate))

    @router.get("/documents/{number}/relevance")
    def relevance(number: int, predicate: str) -> Response:
        return _json(explorer.relevance(number, predicate))

    @router.get("/documents/{number}/residual")
    def residual(number: int) -> Response:
        return _json(explorer.residual(number))

    @router.post("/predicate")
    def predicate(body: ParseBody) -> Response:
        return _json(explorer.parse(body.text))

    return router


def _job_router(explorer: Explorer) -> APIRouter:
    """What takes longer than a person waits without a bar."""
    router = APIRouter()

    @router.get("/relevance")
    def measured() -> Response:
        return _json(explorer.measured())

    @router.post("/relevance", status_code=202)
    def relevance(body: RelevanceBody) -> Response:
        return _json(explorer.start_relevance(body.predicates).to_json(), 202)

    @router.post("/what-if", status_code=202)
    def what_if(body: WhatIfBody) -> Response:
        changes = [
            read_change(c.layer, c.head, c.change, c.predicate, c.unmatched) for c in body.changes
        ]
        return _json(explorer.start_what_if(changes).to_json(), 202)

    @router.get("/jobs/{number}")
    def job(number: int) -> Response:
        found = explorer.jobs.find(number)
        if found is None:
            raise HTTPException(404, f"no job {number} in this process")
        return _json(found.to_json())

    @router.delete("/jobs/{number}")
    def cancel(number: int) -> Response:
        found = explorer.jobs.find(number)
        if found is None:
            raise HTTPException(404, f"no job {number} in this process")
        found.cancel()
        return _json(found.to_json())

    return router


def _board_router(explorer: Explorer) -> APIRouter:
    """What the person decided."""
    router = APIRouter()

    @router.get("/board")
    def board() -> Response:
        return _json(explorer.describe_board())

    @router.post("/board")
    def decide(body: DecisionBody) -> Response:
        explorer.decide(body.layer, body.head, body.predicate, body.verdict, body.note)
        return _json(explorer.describe_board())

    @router.delete("/board")
    def take_back(body: PlaceBody) -> Response:
        explorer.take_back(body.layer, body.head, body.predicate)
        return _json(explorer.describe_board())

    return router


async def _refuse_other_sites(
    request: Request, call_next: Callable[[Request], Awaitable[Response]]
) -> Response:
    """Refuse what another site's page sends: a browser tells where a request comes from."""
    origin = request.headers.get("origin")
    if origin is not None and origin != f"{request.url.scheme}://{request.headers.get('host')}":
        detail = "expected a request of the explorer's own page, got one of another site"
        return JSONResponse({"detail": detail}, 403)
    return await call_next(request)


def _answer_refusal(_: Request, error: Exception) -> Response:
    detail, position = str(error), None
    if isinstance(error, PredicateError):
        position = error.position
    return JSONResponse({"detail": detail, "position": position}, 422)


def _answer_invalid(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    where = ".".join(map(str, first["loc"]))
    return JSONResponse({"detail": f"{where}: {first['msg']}", "position": None}, 422)


def _json(content: Any, status: int = 200) -> Response:
    return JSONResponse(content, status, headers=_NO_STORE)


def _bytes(content: bytes) -> Response:
    return Response(content, headers=_NO_STORE, media_type="application/octet-stream")
