"""Admission: a bounded queue, counted in tokens, in front of a fixed number of workers.

    a request's documents --admit--> waiting --turn--> at work --leave--> gone
                             │
                             └ 429 at once when the queue is full

Each class of work has a lane of its own, so that slow occlusions never stand before summaries.
"""

import math
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from enum import StrEnum
from time import perf_counter

import anyio

from service.api.metrics import Metrics, Rejection
from service.api.problems import ProblemError, ProblemKind

_CHARACTERS_PER_TOKEN = 4
"""English news has 4.3 code points a word piece; the queue needs no better estimate."""


class LaneName(StrEnum):
    """The classes of work."""

    ATTENTION = "attention"
    """One run of the model a document."""
    OCCLUSION = "occlusion"
    """One more run for every sentence that is removed."""


def estimate_tokens(text: str, max_tokens: int) -> int:
    """Estimate, before any work, how many tokens of a text the model will read.

    Args:
        text: of one document.
        max_tokens: most that the model reads.

    Returns:
        From 1 to max_tokens.
    """
    return min(max_tokens, max(1, len(text) // _CHARACTERS_PER_TOKEN))


class Lane:
    """The queue of one class of work; used from the event loop only.

    Args:
        name: of the class.
        n_workers: most documents at work at one time.
        metrics: where the queue shows.

    Attributes:
        name: of the class.
        limit_tokens: most tokens that may wait; 0 until the lane is opened.
    """

    def __init__(self, name: LaneName, n_workers: int, metrics: Metrics) -> None:
        self.name = name
        self.limit_tokens = 0
        self._tokens_per_s = 1.0
        self._slots = anyio.CapacityLimiter(n_workers)
        self._metrics = metrics
        self._waiting_tokens = 0
        self._n_waiting = 0
        self._n_running = 0
        metrics.workers.labels(name).set(n_workers)
        self._report()

    def open(self, limit_tokens: int, tokens_per_s: float) -> None:
        """Set how much may wait.

        Args:
            limit_tokens: most tokens that may wait; at least 1.
            tokens_per_s: speed of all workers together, for Retry-After.
        """
        self.limit_tokens = limit_tokens
        self._tokens_per_s = tokens_per_s
        self._metrics.queue_limit_tokens.labels(self.name).set(limit_tokens)

    def admit(self, costs: Sequence[int]) -> list["Place"]:
        """Take the documents of one request in, all or none.

        A request that is larger than the whole queue is taken when nothing else waits.

        Args:
            costs: for each document, the tokens that it will take.

        Returns:
            A place for each document, in order.

        Raises:
            ProblemError: 429, the queue is full; Retry-After says when to come back.
        """
        total = sum(costs)
        if self._n_waiting and self._waiting_tokens + total > self.limit_tokens:
            self._metrics.rejections.labels(Rejection.QUEUE_FULL).inc()
            seconds = max(1, math.ceil(self._waiting_tokens / self._tokens_per_s))
            raise ProblemError(
                ProblemKind.TOO_BUSY,
                f"expected room for about {total} tokens in the queue of {self.limit_tokens}, got "
                f"{self._waiting_tokens} waiting; come back in {seconds} s, or add replicas",
                headers={"Retry-After": str(seconds)},
            )
        return [Place(self, cost) for cost in costs]

    async def acquire(self, place: "Place") -> None:
        """Wait for a free worker: first come, first served."""
        await self._slots.acquire_on_behalf_of(place)

    def release(self, place: "Place") -> None:
        """Give the worker back."""
        self._slots.release_on_behalf_of(place)

    def count(self, *, waiting_tokens: int = 0, n_waiting: int = 0, n_running: int = 0) -> None:
        """Change the counts by these amounts."""
        self._waiting_tokens += waiting_tokens
        self._n_waiting += n_waiting
        self._n_running += n_running
        self._report()

    def _report(self) -> None:
        self._metrics.queue_documents.labels(self.name).set(self._n_waiting)
        self._metrics.queue_tokens.labels(self.name).set(self._waiting_tokens)
        self._metrics.running_documents.labels(self.name).set(self._n_running)


class Place:
    """One document's place in a lane: waiting at first, then at work, then left.

    Args:
        lane: the lane.
        cost_tokens: what the document adds to the queue.

    Attributes:
        queue_s: seconds that it waited; known once its turn has begun.
        has_begun: its turn has come.
    """

    def __init__(self, lane: Lane, cost_tokens: int) -> None:
        self.queue_s = 0.0
        self.has_begun = False
        self._lane = lane
        self._cost_tokens = cost_tokens
        self._is_waiting = True
        self._admitted_at = perf_counter()
        lane.count(waiting_tokens=cost_tokens, n_waiting=1)

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait for a worker, and hold it while the context lasts."""
        await self._lane.acquire(self)
        self.leave()
        self.queue_s = perf_counter() - self._admitted_at
        self.has_begun = True
        self._lane.count(n_running=1)
        try:
            yield
        finally:
            self._lane.count(n_running=-1)
            self._lane.release(self)

    def leave(self) -> None:
        """Stop waiting, whether for the turn or for good; a second time does nothing."""
        if self._is_waiting:
            self._is_waiting = False
            self._lane.count(waiting_tokens=-self._cost_tokens, n_waiting=-1)
