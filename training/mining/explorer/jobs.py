"""Long work behind the page: one job at a time, with its progress, cancelled when nobody wants it.

A job runs in a thread of its own. Another one that is started meanwhile waits its turn.
"""

import itertools
import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from service.errors import PatsumError

_LOGGER = logging.getLogger("patsum.explorer")
_Item = TypeVar("_Item")


class Cancelled(Exception):  # noqa: N818  # no error: the person wanted it
    """The person does not want the job's result any more."""


class Job:
    """One piece of work and how far it is.

    Args:
        number: names it.
        title: what it does, for the person.
    """

    def __init__(self, number: int, title: str) -> None:
        self.number = number
        self.title = title
        self.state = "waiting"
        self.n_done = 0
        self.n_total = 0
        self.result: Any = None
        self.error = ""
        self.is_cancelled = False
        self._began_s = time.monotonic()
        self._ended_s: float | None = None

    def track(self, items: Iterable[_Item], n_total: int) -> Iterator[_Item]:
        """Go through items, counting them.

        Raises:
            Cancelled: before the next item, once the job is cancelled.
        """
        self.n_total = n_total
        for item in items:
            self.check()
            yield item
            self.n_done += 1
        self.check()

    def check(self) -> None:
        """Stop here if the job is cancelled.

        Raises:
            Cancelled: it is.
        """
        if self.is_cancelled:
            raise Cancelled

    def cancel(self) -> None:
        """Want it no more: it stops at its next item, or never starts."""
        self.is_cancelled = True
        if self.state == "waiting":
            self.state = "cancelled"

    def run(self, work: Callable[["Job"], Any]) -> None:
        """Do the work and keep what came of it."""
        if self.is_cancelled:
            self.state = "cancelled"
            return
        self._began_s = time.monotonic()
        self.state = "running"
        try:
            result = work(self)
        except Cancelled:
            self._end("cancelled")
        except PatsumError as error:
            self.error = str(error)
            self._end("failed")
        except Exception as error:
            # The page must not wait for ever; what went wrong stands whole in the log.
            _LOGGER.exception("job failed: %s", self.title)
            self.error = f"{type(error).__name__}: {error}; see the terminal of `patsum explore`"
            self._end("failed")
        else:
            self.result = result
            self._end("done")

    def _end(self, state: str) -> None:
        self._ended_s = time.monotonic()
        self.state = state

    def to_json(self) -> dict[str, Any]:
        """How far it is; `result` once its state is "done", `error` once it is "failed"."""
        ended_s = time.monotonic() if self._ended_s is None else self._ended_s
        return {
            "number": self.number,
            "title": self.title,
            "state": self.state,
            "done": self.n_done,
            "total": self.n_total,
            "seconds": round(ended_s - self._began_s, 2),
            "error": self.error,
            "result": self.result,
        }


class Jobs:
    """The jobs of one process; the latest hundred are remembered."""

    _N_KEPT = 100

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="job")
        self._jobs: dict[int, Job] = {}
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()

    def start(self, title: str, work: Callable[[Job], Any]) -> Job:
        """Queue work; it is given its job, to track its progress with."""
        with self._lock:
            job = Job(next(self._numbers), title)
            self._jobs[job.number] = job
            for number in list(self._jobs)[: -self._N_KEPT]:
                del self._jobs[number]
        self._pool.submit(job.run, work)
        return job

    def find(self, number: int) -> Job | None:
        """The job of a number, if it is remembered."""
        return self._jobs.get(number)

    def close(self) -> None:
        """Cancel what runs and what waits, and wait for it to end."""
        for job in list(self._jobs.values()):
            job.cancel()
        self._pool.shutdown(wait=True, cancel_futures=True)
