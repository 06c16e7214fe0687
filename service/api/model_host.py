"""The loaded model and the lanes that lead to it: loading, warming up, one document a worker."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from statistics import median
from time import perf_counter

import anyio
import anyio.to_thread

from service.api.admission import Lane, LaneName, Place, estimate_cost
from service.api.answer import answer_document
from service.api.health import Health
from service.api.logs import FIELDS
from service.api.metrics import Metrics, Rejection
from service.api.problems import ProblemError
from service.api.schemas import DocumentResult, InputDocument, SummarizeRequest
from service.api.settings import Settings
from service.errors import PatsumError
from service.inference.explain import ExplainMethod
from service.inference.stop import StopSignal
from service.inference.summarizer import Summarizer, Summary

_LOGGER = logging.getLogger("patsum.model")
_WARM_UP_TEXT = " ".join(
    f"Ferry {i} left the harbour before dawn. Its crew had checked engine {i} twice. "
    f"Nobody on quay {i} expected the fog. By noon the ferry was back in the harbour."
    for i in range(10)
)
_N_WARM_UPS = 3
_CHARACTERS_PER_SENTENCE = 100
_CHECK_AGAIN_S = 5.0


class ModelHost:
    """Runs a summarizer on a bounded number of threads, off the event loop.

    Args:
        load: makes the summarizer; called once, in a thread, by `start`.
        settings: how many workers, and how much may wait.
        health: told when the model is ready, or why it is not.
        metrics: where the queue shows.
    """

    def __init__(
        self, load: Callable[[], Summarizer], settings: Settings, health: Health, metrics: Metrics
    ) -> None:
        self._load = load
        self._settings = settings
        self._health = health
        self._metrics = metrics
        self._summarizer: Summarizer | None = None
        n_workers = {
            LaneName.ATTENTION: settings.workers,
            LaneName.OCCLUSION: settings.occlusion_workers,
        }
        self._lanes = {
            name: Lane(name, n, settings.max_queue_s, settings.max_queue_tokens, metrics)
            for name, n in n_workers.items()
        }
        # One thread more than workers: for the check of a model that is in doubt.
        self._threads = ThreadPoolExecutor(sum(n_workers.values()) + 1, "patsum-worker")
        self._is_in_doubt = anyio.Event()

    @property
    def summarizer(self) -> Summarizer:
        """The loaded summarizer.

        Raises:
            ProblemError: 503, it is not ready.
        """
        self._health.require_model()
        assert self._summarizer is not None, "ready means loaded"
        return self._summarizer

    @property
    def summaries(self) -> Lane:
        """The lane of all work but occlusion."""
        return self._lanes[LaneName.ATTENTION]

    @property
    def queue_limits(self) -> dict[str, int]:
        """Most tokens that may wait in each lane, by its name; 0 before the warm-up."""
        return {name.value: lane.limit_tokens for name, lane in self._lanes.items()}

    async def start(self) -> None:
        """Load and verify the model, run it a few times, and become ready.

        Raises:
            PatsumError: the model cannot be loaded.
        """
        started_s = perf_counter()
        try:
            summarizer, tokens_per_s = await anyio.to_thread.run_sync(self._load_warm)
        except PatsumError:
            raise
        except Exception as error:
            _LOGGER.exception("unforeseen error while the model was loaded")
            raise PatsumError(
                f"expected to load the model, met an unforeseen {type(error).__name__}; see the log"
            ) from error
        self._summarizer = summarizer
        for lane in self._lanes.values():
            lane.learn(tokens_per_s, 1.0)
        self._metrics.model_info.labels(summarizer.bundle.version).set(1)
        self._health.become_ready()
        fields = {
            "modelVersion": summarizer.bundle.version,
            "durationS": round(perf_counter() - started_s, 3),
            "tokensPerS": round(tokens_per_s),
        }
        _LOGGER.info("ready", extra={FIELDS: fields})

    def close(self) -> None:
        """Let the worker threads end."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def admit(self, documents: Sequence[InputDocument], request: SummarizeRequest) -> list[Place]:
        """Take the documents of a request into the queue, before any work on them.

        Returns:
            A place for each document; leave each of them in the end.

        Raises:
            ProblemError: 429, the queue is full; 503, the model is not ready.
        """
        try:
            summarizer = self.summarizer
        except ProblemError:
            self._metrics.rejections.labels(Rejection.NOT_READY).inc()
            raise
        lane = self.summaries
        costs = [_estimate(summarizer, document.text) for document in documents]
        if request.explain is not None and request.explain.method is ExplainMethod.OCCLUSION:
            lane = self._lanes[LaneName.OCCLUSION]
            runs = [1 + self._estimate_removals(document.text) for document in documents]
            costs = [cost * n for cost, n in zip(costs, runs, strict=True)]
        return lane.admit(costs)

    async def summarize(
        self, document: InputDocument, request: SummarizeRequest
    ) -> tuple[Summary, DocumentResult]:
        """Summarize one document, whose turn has come, as its request asks.

        When the task is cancelled the run of the model ends early, and only then the task.

        Returns:
            The summary, and how the API answers it.

        Raises:
            InputError: the document cannot be summarized.
            ProblemError: 503, the model is not ready.
        """
        stop = StopSignal()
        work = partial(_summarize, self.summarizer, document, request, stop)
        future = asyncio.get_running_loop().run_in_executor(self._threads, work)
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            stop.set()
            with anyio.CancelScope(shield=True):
                await asyncio.wait([future])
            future.exception()  # seen: nobody else will ask for it
            raise

    def doubt(self) -> None:
        """Have the model checked soon: something that was not foreseen has happened in its work."""
        self._is_in_doubt.set()

    async def keep_checking(self) -> None:
        """Check the model whenever it is in doubt, for as long as the process lives.

        One poisonous document must not take the service down, a broken model must, and one that
        works again must bring it back.
        """
        while True:
            await self._is_in_doubt.wait()
            self._is_in_doubt = anyio.Event()
            while (failure := await self._check_model()) is not None:
                self._health.become_failed(failure)
                await anyio.sleep(_CHECK_AGAIN_S)
            self._health.become_ready()

    async def _check_model(self) -> str | None:
        """Run the model on a known text; give its failure in words."""
        assert self._summarizer is not None, "doubt comes after the first work"
        work = partial(self._summarizer.summarize, _WARM_UP_TEXT)
        try:
            await asyncio.get_running_loop().run_in_executor(self._threads, work)
        except Exception as error:
            _LOGGER.exception("the model fails on the text of the warm-up")
            return f"the model fails with {type(error).__name__}; see the log"
        return None

    def _estimate_removals(self, text: str) -> int:
        n_sentences = len(text) // _CHARACTERS_PER_SENTENCE
        return min(self._settings.max_occluded_sentences, n_sentences)

    def _load_warm(self) -> tuple[Summarizer, float]:
        """Load, warm up, and measure the tokens a second of one worker."""
        summarizer = self._load()
        cost = _estimate(summarizer, _WARM_UP_TEXT)
        summarizer.summarize(_WARM_UP_TEXT, explain=ExplainMethod.ATTENTION)
        seconds = []
        for _ in range(_N_WARM_UPS):
            started_s = perf_counter()
            summarizer.summarize(_WARM_UP_TEXT)
            seconds.append(perf_counter() - started_s)
        return summarizer, cost / median(seconds)


def _estimate(summarizer: Summarizer, text: str) -> int:
    """What one run on a text will cost, in tokens of a short text."""
    bundle = summarizer.bundle
    max_tokens = bundle.encoder.settings.max_tokens
    return estimate_cost(text, max_tokens, is_linear=bundle.manifest.model.is_linear)


def _summarize(
    summarizer: Summarizer, document: InputDocument, request: SummarizeRequest, stop: StopSignal
) -> tuple[Summary, DocumentResult]:
    summary = summarizer.summarize(document.text, **request.summarizer_options(), stop=stop)
    return summary, answer_document(
        str(document.id), document.text, summary, request.string_index_type
    )
