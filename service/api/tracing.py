"""Traces: one OpenTelemetry span a request, sent to an OTLP collector; never a word of a text."""

from contextlib import AbstractContextManager, ExitStack
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.api.health import PROBES
from service.api.stage_times import stage_times_of
from service.errors import MissingExtraError

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider


def make_tracer_provider(endpoint: str, version: str) -> "TracerProvider":
    """Make the provider that sends spans in batches, from a thread of its own.

    Args:
        endpoint: URL of the collector; `/v1/traces` is added where it has no path.
        version: of patsum.

    Raises:
        MissingExtraError: the extra `otel` is not installed.
    """
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ModuleNotFoundError as error:
        raise MissingExtraError("serve --otlp-endpoint", "otel", error.name) from error
    if endpoint.count("/") < 3:
        endpoint = f"{endpoint}/v1/traces"
    provider = TracerProvider(
        resource=Resource.create({"service.name": "patsum", "service.version": version})
    )
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint)))
    return provider


class RequestTracer:
    """Wraps each request, except probes, in a server span that continues the caller's trace.

    Args:
        app: the application inside.
        provider: where spans go.

    Source:
        The attributes are OpenTelemetry's semantic conventions for HTTP servers; `patsum.*_ms` are
        our stages in milliseconds.
    """

    def __init__(self, app: ASGIApp, provider: "TracerProvider") -> None:
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        self._app = app
        self._tracer = provider.get_tracer("patsum")
        self._propagator = TraceContextTextMapPropagator()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on; see the class."""
        if scope["type"] != "http" or scope["path"] in PROBES:
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive)
        with ExitStack() as stack:
            span = stack.enter_context(self._start_span(request))

            async def send_seen(message: Message) -> None:
                if message["type"] == "http.response.start":
                    span.set_attribute("http.response.status_code", message["status"])
                await send(message)

            try:
                await self._app(scope, receive, send_seen)
            finally:
                route = getattr(scope.get("route"), "path", "unmatched")
                span.update_name(f"{scope['method']} {route}")
                span.set_attribute("http.route", route)
                span.set_attribute("patsum.request_id", request.state.request_id)
                for name, seconds in stage_times_of(request).items():
                    span.set_attribute(f"patsum.{name}_ms", seconds * 1e3)

    def _start_span(self, request: Request) -> AbstractContextManager[Any]:
        from opentelemetry.trace import SpanKind

        return self._tracer.start_as_current_span(
            request.method,
            context=self._propagator.extract(dict(request.headers)),
            kind=SpanKind.SERVER,
            attributes={"http.request.method": request.method},
            record_exception=False,  # an exception's text may quote a caller's
        )
