"""The application: its parts made once, put together, started and stopped."""

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, asynccontextmanager
from typing import Any

import anyio
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from service.api.caller import CallerGoneError
from service.api.docs_page import docs_router
from service.api.endpoint import SummarizeEndpoint
from service.api.exchange import ExchangeObserver
from service.api.gate import Gate, split_keys
from service.api.health import Health, health_router
from service.api.info import find_versions, info_router, read_cpu
from service.api.logs import FIELDS
from service.api.metrics import Metrics, Rejection, serve_metrics
from service.api.model_host import ModelHost
from service.api.open_inference import open_inference_router
from service.api.openapi import describe_api
from service.api.page import page_router
from service.api.problems import http_problem, problem_response, validation_problem
from service.api.routes import summarize_router
from service.api.settings import Settings
from service.api.tracing import RequestTracer, make_tracer_provider
from service.errors import PatsumError
from service.inference.summarizer import Summarizer

_DESCRIPTION = (
    "Extractive summarization that shows its reasons: the document's own most important "
    "sentences, each with its score, its exact place, and on request why it was chosen. "
    "Every refusal is a problem document (RFC 9457), below /v2 an object with `error`. "
    "A header X-Request-Id of 1 to 128 of A-Z a-z 0-9 . _ : / + = @ - is returned; without one, "
    "or with another, a random one is made."
)

CLIENT_CLOSED_REQUEST = 499
"""What the log and the meters say of a request whose client has gone; nobody receives it.

Source:
    nginx, which logs it so.
"""

OnFailure = Callable[[PatsumError], None]

_LOGGER = logging.getLogger("patsum")


def load_summarizer(settings: Settings) -> Summarizer:
    """Load the bundle that the settings name.

    Raises:
        BundleError: it cannot be used.
    """
    return Summarizer(settings.bundle, settings.threads, settings.max_occluded_sentences)


def create_app(
    settings: Settings, on_failure: OnFailure | None = None, health: Health | None = None
) -> FastAPI:
    """Make the application.

    The model is loaded after the start, in a thread: until it is ready `/livez` answers 200 and
    everything else that needs it 503.

    Args:
        settings: how this process runs.
        on_failure: called when the start fails; without it the process lives on, and
            `/readyz` says why it is not ready.
        health: of the process, where whoever ends it holds it too.

    Raises:
        MissingExtraError: traces are asked for without the extra `otel`.
    """
    metrics = Metrics()
    health = health or Health()
    _show_process(metrics, health)
    provider = (
        make_tracer_provider(settings.otlp_endpoint, find_versions()["patsum"])
        if settings.otlp_endpoint
        else None
    )
    host = ModelHost(lambda: load_summarizer(settings), settings, health, metrics)

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
            stack.callback(host.close)
            if provider is not None:
                stack.callback(provider.shutdown)
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(start, stack)
                tasks.start_soon(host.keep_checking)
                yield
                tasks.cancel_scope.cancel()

    app = _describe_app(lifespan)
    app.state.metrics = metrics
    endpoint = SummarizeEndpoint(host, settings, metrics)
    for router in (
        summarize_router(endpoint, settings),
        open_inference_router(endpoint, settings, health),
        health_router(health),
        info_router(host, settings),
        docs_router(app.openapi),
        page_router(),
    ):
        app.include_router(router)
    app.add_exception_handler(HTTPException, _answer_http_error)
    app.add_exception_handler(RequestValidationError, _answer_validation_error)
    app.add_exception_handler(CallerGoneError, _answer_nobody(metrics))
    keys = split_keys(settings.api_key.get_secret_value()) if settings.api_key else []
    app.add_middleware(Gate, keys=keys, metrics=metrics)
    if provider is not None:
        app.add_middleware(RequestTracer, provider=provider)
    app.add_middleware(ExchangeObserver, health=health, metrics=metrics)  # the outermost
    return app


def _show_process(metrics: Metrics, health: Health) -> None:
    """Fill the meters that say what runs here and how it stands."""
    metrics.ready.set_function(lambda: health.is_ready)
    metrics.draining.set_function(lambda: health.is_draining)
    metrics.build_info.labels(find_versions()["patsum"]).set(1)
    for feature in read_cpu().features:
        metrics.cpu_feature.labels(feature).set(1)


class _Application(FastAPI):
    """FastAPI whose description is complete."""

    def openapi(self) -> dict[str, Any]:
        """Describe the routes, once."""
        if self.openapi_schema is None:
            self.openapi_schema = describe_api(self)
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
        generate_unique_id_function=lambda route: route.name,
    )


async def _answer_http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException), "registered for this type only"
    return problem_response(request, http_problem(request, error))


async def _answer_validation_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError), "registered for this type only"
    return problem_response(request, validation_problem(error.errors()))


def _answer_nobody(metrics: Metrics) -> Callable[[Request, Exception], Response]:
    def answer(request: Request, error: Exception) -> Response:
        metrics.rejections.labels(Rejection.CLIENT_GONE).inc()
        return Response(status_code=CLIENT_CLOSED_REQUEST)

    return answer
