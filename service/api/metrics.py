"""What Prometheus is told: requests, documents, and the model's time; every label is bounded."""

from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum

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


class Rejection(StrEnum):
    """Why a request was not answered with what it asked for, though its body was right."""

    QUEUE_FULL = "queue_full"
    DEADLINE_IN_QUEUE = "deadline_queue"
    DEADLINE_AT_WORK = "deadline_work"
    CLIENT_GONE = "client_gone"
    NOT_READY = "not_ready"
    UNAUTHORIZED = "unauthorized"


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
            "Documents by outcome: summarized, refused, failed (our bug), expired (deadline).",
            ("outcome",),
            registry=self.registry,
        )
        for outcome in ("summarized", "refused", "failed", "expired"):
            self.documents.labels(outcome)
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
        self.stage_seconds = Histogram(
            "patsum_stage_seconds",
            "Time of one document in a stage: queue, encode, infer, explain.",
            ("stage",),
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.rejections = self._counter(
            "patsum_rejections", "Requests that were turned away or given up.", "reason"
        )
        for reason in Rejection:
            self.rejections.labels(reason)  # a series that is 0 until it happens can be alerted on
        self.queue_documents = self._gauge(
            "patsum_queue_documents", "Documents that wait for a worker.", "lane"
        )
        self.queue_tokens = self._gauge(
            "patsum_queue_tokens", "Tokens, as estimated, that wait for a worker.", "lane"
        )
        self.queue_limit_tokens = self._gauge(
            "patsum_queue_limit_tokens", "Most tokens that may wait.", "lane"
        )
        self.running_documents = self._gauge(
            "patsum_running_documents", "Documents that are worked on.", "lane"
        )
        self.workers = self._gauge(
            "patsum_workers", "Most documents that are worked on at one time.", "lane"
        )
        self.ready = self._gauge("patsum_ready", "1 when /readyz answers 200, else 0.")
        self.draining = self._gauge("patsum_draining", "1 from SIGTERM to the end, else 0.")
        self.build_info = self._gauge(
            "patsum_build_info", "1 for the version of patsum that runs.", "version"
        )
        self.cpu_feature = self._gauge(
            "patsum_cpu_feature",
            "1 for each instruction set, of those that matter here, that the processor has.",
            "feature",
        )
        self.model_info = Gauge(
            "patsum_model_info", "1 for the loaded model.", ("version",), registry=self.registry
        )
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)

    def _counter(self, name: str, documentation: str, *labels: str) -> Counter:
        return Counter(name, documentation, labels, registry=self.registry)

    def _gauge(self, name: str, documentation: str, *labels: str) -> Gauge:
        return Gauge(name, documentation, labels, registry=self.registry)


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
