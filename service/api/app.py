"""The application: its parts made once, put together, started and stopped."""

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, asynccontextmanager
from typing import Any

import anyio
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from service.api.docs_page import docs_router
from service.api.exchange import ExchangeObserver
from service.api.health import Health, health_router
from service.api.info import find_versions, info_router
from service.api.logs import FIELDS
from service.api.metrics import Metrics, serve_metrics
from service.api.model_host import ModelHost
from service.api.page import page_router
from service.api.problems import Problem, http_problem, problem_response, validation_problem
from service.api.routes import summarize_router
from service.api.settings import Settings
from service.errors import PatsumError
from service.inference.summarizer import Summarizer

_DESCRIPTION = (
    "Extractive summarization that shows its reasons: the document's own most important "
    "sentences, each with its score, its exact place, and on request why it was chosen. "
    "Every refusal is a problem document (RFC 9457). A header X-Request-Id of 1 to 128 of "
    "A-Z a-z 0-9 . _ : / + = @ - is returned; without one, or with another, a random one is made."
)

OnFailure = Callable[[PatsumError], None]

_LOGGER = logging.getLogger("patsum")


def load_summarizer(settings: Settings) -> Summarizer:
    """Load the bundle that the settings name.

    Raises:
        BundleError: it cannot be used.
    """
    return Summarizer(settings.bundle, settings.threads, settings.max_occluded_sentences)


def create_app(settings: Settings, on_failure: OnFailure | None = None) -> FastAPI:
    """Make the application.

    The model is loaded after the start, in a thread: until it is ready `/livez` answers 200 and
    everything else that needs it 503.

    Args:
        settings: how this process runs.
        on_failure: called when the start fails; without it the process lives on, and
            `/readyz` says why it is not ready.
    """
    metrics = Metrics()
    health = Health()
    host = ModelHost(lambda: load_summarizer(settings), settings.workers, health, metrics)

    async def start(stack: ExitStack) -> None:
        try:
            stack.enter_context(serve_metrics(metrics, settings.host, settings.metrics_port))
            await host.start()
        except PatsumError as error:
            _LOGGER.error("cannot start", extra={FIELDS: {"reason": str(error)}})
            health.become_failed(str(error))
            if on_failure is not None:
                on_failure(error)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        with ExitStack() as stack:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(start, stack)
                yield

    app = _describe_app(lifespan)
    for router in (
        summarize_router(host, settings, metrics),
        health_router(health),
        info_router(host, settings),
        docs_router(app.openapi),
        page_router(),
    ):
        app.include_router(router)
    app.add_exception_handler(HTTPException, _answer_http_error)
    app.add_exception_handler(RequestValidationError, _answer_validation_error)
    app.add_middleware(ExchangeObserver, metrics=metrics)
    return app


class _Application(FastAPI):
    """FastAPI whose description names our problem documents."""

    def openapi(self) -> dict[str, Any]:
        """Describe the routes; refusals as `application/problem+json`."""
        if self.openapi_schema is None:
            described = get_openapi(
                title=self.title,
                version=self.version,
                description=self.description,
                routes=self.routes,
            )
            schemas = described["components"]["schemas"]
            problem = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
            schemas |= problem.pop("$defs") | {"Problem": problem}
            for methods in described["paths"].values():
                for operation in methods.values():
                    _name_problems(operation["responses"])
            self.openapi_schema = described
        return self.openapi_schema


def _describe_app(lifespan: Any) -> _Application:
    return _Application(
        title="patsum",
        version=find_versions()["patsum"],
        description=_DESCRIPTION,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )


def _name_problems(responses: dict[str, Any]) -> None:
    reference = {"schema": {"$ref": "#/components/schemas/Problem"}}
    for status, response in responses.items():
        if status >= "400":
            response["content"] = {"application/problem+json": reference}


async def _answer_http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException), "registered for this type only"
    return problem_response(request, http_problem(request, error))


async def _answer_validation_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError), "registered for this type only"
    return problem_response(request, validation_problem(error.errors()))
