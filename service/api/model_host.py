"""The loaded model and the threads that it works on: loading, warming up, one document a thread."""

import logging
from collections.abc import Callable
from functools import partial
from time import perf_counter

import anyio
import anyio.to_thread

from service.api.health import Health
from service.api.logs import FIELDS
from service.api.metrics import Metrics
from service.api.schemas import InputDocument, SummarizeRequest
from service.errors import PatsumError
from service.inference.explain import ExplainMethod
from service.inference.summarizer import Summarizer, Summary

_LOGGER = logging.getLogger("patsum.model")
_WARM_UP_TEXT = (
    "The ferry left the harbour before dawn. Its crew had checked the engines twice. "
    "Nobody on the quay expected the fog. By noon the ferry was back in the harbour."
)


class ModelHost:
    """Runs a summarizer on a bounded number of threads, off the event loop.

    Args:
        load: makes the summarizer; called once, in a thread, by `start`.
        n_workers: most documents that are worked on at one time.
        health: told when the model is ready, or why it is not.
        metrics: where the model's time is counted.
    """

    def __init__(
        self, load: Callable[[], Summarizer], n_workers: int, health: Health, metrics: Metrics
    ) -> None:
        self._load = load
        self._limiter = anyio.CapacityLimiter(n_workers)
        self._health = health
        self._metrics = metrics
        self._summarizer: Summarizer | None = None

    @property
    def summarizer(self) -> Summarizer:
        """The loaded summarizer.

        Raises:
            ProblemError: 503, it is not ready.
        """
        self._health.require_ready()
        assert self._summarizer is not None, "ready means loaded"
        return self._summarizer

    async def start(self) -> None:
        """Load and verify the model, run it once, and become ready.

        Raises:
            PatsumError: the model cannot be loaded.
        """
        started_s = perf_counter()
        try:
            summarizer = await anyio.to_thread.run_sync(self._load_warm, limiter=self._limiter)
        except PatsumError:
            raise
        except Exception as error:
            _LOGGER.exception("unforeseen error while the model was loaded")
            raise PatsumError(
                f"expected to load the model, met an unforeseen {type(error).__name__}; see the log"
            ) from error
        self._summarizer = summarizer
        self._metrics.model_info.labels(summarizer.bundle.version).set(1)
        self._metrics.ready.set(1)
        self._health.become_ready()
        fields = {
            "modelVersion": summarizer.bundle.version,
            "durationS": round(perf_counter() - started_s, 3),
        }
        _LOGGER.info("ready", extra={FIELDS: fields})

    async def summarize(self, document: InputDocument, request: SummarizeRequest) -> Summary:
        """Summarize one document as its request asks, when a thread is free.

        Raises:
            InputError: the document cannot be summarized.
            ProblemError: 503, the model is not ready.
        """
        summarize = partial(self._summarize, self.summarizer, document.text, request)
        return await anyio.to_thread.run_sync(summarize, limiter=self._limiter)

    def _load_warm(self) -> Summarizer:
        summarizer = self._load()
        summarizer.summarize(_WARM_UP_TEXT, explain=ExplainMethod.ATTENTION)
        return summarizer

    def _summarize(self, summarizer: Summarizer, text: str, request: SummarizeRequest) -> Summary:
        options = request.explain
        with self._metrics.inference_seconds.time():
            return summarizer.summarize(
                text,
                rule=request.length_rule(),
                order=request.sort_by,
                redundancy=request.redundancy,
                explain=options.method if options else None,
                top_k=options.top_k if options else 1,
                return_all_scores=request.return_all_scores,
                long_input=request.long_input,
            )
