"""What Prometheus is told: requests, documents, and the model's time; every label is bounded."""

from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    start_http_server,
)

from service.errors import PatsumError

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


class Metrics:
    """The meters of one application, in a registry of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "patsum_requests",
            "Requests answered, by route template and status.",
            ("route", "status"),
            registry=self.registry,
        )
        self.request_seconds = Histogram(
            "patsum_request_duration_seconds",
            "Time from the first byte asked to the last byte answered.",
            ("route",),
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.documents = Counter(
            "patsum_documents",
            "Documents by outcome: summarized or refused.",
            ("outcome",),
            registry=self.registry,
        )
        self.sentences = Counter(
            "patsum_sentences",
            "Sentences of the summarized documents.",
            registry=self.registry,
        )
        self.tokens = Counter(
            "patsum_tokens",
            "Tokens of the summarized documents, also those that the model did not read.",
            registry=self.registry,
        )
        self.inference_seconds = Histogram(
            "patsum_inference_seconds",
            "Time for one document in its thread: encoding, model, choice, explanation.",
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.ready = Gauge(
            "patsum_ready", "1 when requests are taken, else 0.", registry=self.registry
        )
        self.model_info = Gauge(
            "patsum_model_info", "1 for the loaded model.", ("version",), registry=self.registry
        )
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)


@contextmanager
def serve_metrics(metrics: Metrics, host: str, port: int) -> Iterator[None]:
    """Serve `/metrics` from a thread of its own while the context lasts.

    Args:
        metrics: the meters.
        host: address to listen on.
        port: 0 serves nothing.

    Raises:
        PatsumError: the port cannot be listened on.
    """
    if port == 0:
        yield
        return
    try:
        server, thread = start_http_server(port, host, metrics.registry)
    except OSError as error:
        raise PatsumError(
            f"expected to serve metrics on {host}:{port}, got {error.strerror}; "
            "choose another metrics port, or 0 for none"
        ) from error
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
