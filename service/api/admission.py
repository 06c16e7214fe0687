"""Admission: a bounded queue, counted in tokens, in front of a fixed number of workers.

    a request's documents --admit--> waiting --turn--> at work --leave--> gone
          │                  │
          │                  └ 429 at once when they do not fit
          └ 429 unread, when hardly anything would fit

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

_DOUBLING_TOKENS = 1_500
"""Length of a text at which a token costs a model with dense heads twice what it does in a short
text (docs/why.md, 24)."""

_CUTTING_SHARE = 0.05
"""What cutting and counting a token costs, of what reading it costs (docs/why.md, 24)."""

_READ_BELOW = 0.9
"""Share of its limit up to which a queue has bodies read: above it, nearly all would be read only
to be refused, and reading is a quarter of what that costs (docs/why.md, 34)."""

_KEPT = 0.98
"""Share of what was observed that is kept with each new document."""


class LaneName(StrEnum):
    """The classes of work."""

    ATTENTION = "attention"
    """One run of the model a document."""
    OCCLUSION = "occlusion"
    """One more run for every sentence that is removed."""


def estimate_cost(text: str, max_tokens: int, *, is_linear: bool) -> int:
    """Estimate, before any work, what a text will cost, in tokens of a short text.

    Where tokens look at all others, a long text costs more a token. What is beyond the reading of
    the model is only cut and counted.

    Args:
        text: of one document.
        max_tokens: most that the model reads.
        is_linear: a token costs the model the same in a text of any length.

    Returns:
        At least 1.
    """
    n_tokens = max(1, len(text) // _CHARACTERS_PER_TOKEN)
    n_read = min(n_tokens, max_tokens)
    growth = 1.0 if is_linear else 1 + n_read / _DOUBLING_TOKENS
    return round(n_read * growth + (n_tokens - n_read) * _CUTTING_SHARE)


class Speed:
    """Tokens that a busy worker does a second, over about the last fifty documents.

    A mean over tokens and seconds, each forgotten at the same pace: long documents and slow spells
    count for as much time as they took.
    """

    def __init__(self) -> None:
        self._tokens = 0.0
        self._seconds = 0.0

    def observe(self, tokens: float, seconds: float) -> None:
        """Count a piece of work."""
        self._tokens = _KEPT * self._tokens + tokens
        self._seconds = _KEPT * self._seconds + seconds

    @property
    def tokens_per_s(self) -> float:
        """The speed; 0 before anything was observed."""
        return self._tokens / self._seconds if self._seconds else 0.0


class Lane:
    """The queue of one class of work; used from the event loop only.

    Args:
        name: of the class.
        n_workers: most documents at work at one time.
        max_queue_s: seconds of work that may wait, at the speed that is observed.
        max_queue_tokens: tokens that may wait, whatever the speed; None for max_queue_s.
        metrics: where the queue shows.
    """

    def __init__(
        self,
        name: LaneName,
        n_workers: int,
        max_queue_s: float,
        max_queue_tokens: int | None,
        metrics: Metrics,
    ) -> None:
        self.name = name
        self._n_workers = n_workers
        self._max_queue_s = max_queue_s
        self._max_queue_tokens = max_queue_tokens
        self._speed = Speed()
        self._slots = anyio.Semaphore(n_workers)  # first come, first served
        self._metrics = metrics
        self._waiting_tokens = 0
        self._n_waiting = 0
        self._n_running = 0
        metrics.workers.labels(name).set(n_workers)
        self._report()

    @property
    def limit_tokens(self) -> int:
        """Most tokens that may wait now."""
        if self._max_queue_tokens is not None:
            return self._max_queue_tokens
        return round(self._max_queue_s * self._tokens_per_s)

    @property
    def is_nearly_full(self) -> bool:
        """Whether so much waits that a request is refused before its body is read."""
        return bool(self._n_waiting) and self._waiting_tokens > _READ_BELOW * self.limit_tokens

    @property
    def _tokens_per_s(self) -> float:
        return self._n_workers * self._speed.tokens_per_s

    def learn(self, tokens: float, seconds: float, *, is_done: bool = True) -> None:
        """Learn from a piece of work how fast a worker is.

        Work that was ended early tells something only when it had already taken longer than such
        work does: on a worker that has become slow, all work may be ended.
        """
        if is_done or seconds * self._speed.tokens_per_s > tokens:
            self._speed.observe(tokens, seconds)
            self._report()

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
            raise self.refuse(f"room for about {total} tokens")
        return [Place(self, cost) for cost in costs]

    def refuse(self, expected: str) -> ProblemError:
        """Count a refusal, and make it.

        Args:
            expected: of the queue, in words.

        Returns:
            429; Retry-After says when the queue will be done.
        """
        self._metrics.rejections.labels(Rejection.QUEUE_FULL).inc()
        seconds = max(1, math.ceil(self._waiting_tokens / max(1.0, self._tokens_per_s)))
        return ProblemError(
            ProblemKind.TOO_BUSY,
            f"expected {expected} in the queue of {self.limit_tokens}, got "
            f"{self._waiting_tokens} waiting; come back in {seconds} s, or add replicas",
            headers={"Retry-After": str(seconds)},
        )

    def refuse_unread(self) -> ProblemError:
        """Refuse a request whose body nobody has looked at, as `refuse` does."""
        return self.refuse(f"at most {_READ_BELOW:.0%} of the limit to wait")

    async def acquire(self) -> None:
        """Wait for a free worker."""
        await self._slots.acquire()

    def release(self) -> None:
        """Give the worker back."""
        self._slots.release()

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
        self._metrics.queue_limit_tokens.labels(self.name).set(self.limit_tokens)


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
        await self._lane.acquire()
        self.leave()
        began_at = perf_counter()
        self.queue_s = began_at - self._admitted_at
        self.has_begun = True
        self._lane.count(n_running=1)
        is_done = False
        try:
            yield
            is_done = True
        finally:
            self._lane.learn(self._cost_tokens, perf_counter() - began_at, is_done=is_done)
            self._lane.count(n_running=-1)
            self._lane.release()

    def leave(self) -> None:
        """Stop waiting, whether for the turn or for good; a second time does nothing."""
        if self._is_waiting:
            self._is_waiting = False
            self._lane.count(waiting_tokens=-self._cost_tokens, n_waiting=-1)
