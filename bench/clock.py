"""The clock of a run; tests inject one that they turn themselves."""

import asyncio
from time import perf_counter
from typing import Protocol


class Clock(Protocol):
    """Tells the time and waits for it."""

    def now_s(self) -> float:
        """Seconds since some fixed moment; never goes back."""
        ...

    async def sleep_until(self, time_s: float) -> None:
        """Wait until that time; not at all where it has passed."""
        ...


class RealClock:
    """The process's clock; asyncio wakes up to about a millisecond late."""

    def now_s(self) -> float:
        """Seconds since some fixed moment."""
        return perf_counter()

    async def sleep_until(self, time_s: float) -> None:
        """Wait until that time."""
        await asyncio.sleep(max(0.0, time_s - perf_counter()))
