"""A clock that jumps to the next moment at which something is due, once everything waits."""

import asyncio
import heapq
from types import SimpleNamespace

from bench.outcome import Answer


class VirtualClock:
    def __init__(self):
        self._now_s = 0.0
        self._waiting = []

    def now_s(self):
        return self._now_s

    async def sleep_until(self, time_s):
        if time_s <= self._now_s:
            return
        future = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (time_s, id(future), future))
        await future

    def run(self, coroutine):
        """Run to the end; time passes only here."""

        async def drive():
            task = asyncio.ensure_future(coroutine)
            while True:
                for _ in range(20):  # let everything run that can
                    await asyncio.sleep(0)
                if task.done():
                    return task.result()
                self._now_s, _, future = heapq.heappop(self._waiting)
                future.set_result(None)

        return asyncio.run(drive())


class Stalling:
    """Answers one document at a time in 10 ms, but stands still between two moments."""

    WORK_S = 0.01

    def __init__(self, clock, stalls_s):
        self._clock, self._stalls_s = clock, stalls_s
        self._free = asyncio.Lock()
        self.facts = SimpleNamespace(workers=1)

    async def summarize(self, text):
        async with self._free:
            start_s, end_s = self._stalls_s
            now_s = self._clock.now_s()
            begins_s = end_s if start_s <= now_s < end_s else now_s
            await self._clock.sleep_until(begins_s + self.WORK_S)
        return Answer(200)

    async def close(self):
        pass
