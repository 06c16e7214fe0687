"""Load from outside: requests sent on a schedule, whatever the answers do (an open loop)."""

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from time import perf_counter

import httpx

from tests.server_process import make_text


@dataclass
class Outcome:
    """What a schedule of requests came to.

    Attributes:
        statuses: how often each status came; "failed" for a connection that broke.
        latencies_s: of the answers with status 200, from the planned time of the request.
        refused_after_s: of those with 429.
        retry_after: every value of that header that came with a 429.
    """

    statuses: Counter = field(default_factory=Counter)
    latencies_s: list = field(default_factory=list)
    refused_after_s: list = field(default_factory=list)
    retry_after: set = field(default_factory=set)

    def quantile_s(self, share):
        return sorted(self.latencies_s)[int(share * (len(self.latencies_s) - 1))]


async def send_at_rate(url, rate_per_s, seconds, n_sentences, until=None):
    """Send requests of their own texts at a steady rate.

    Args:
        url: of the service.
        rate_per_s: requests a second.
        seconds: how long.
        n_sentences: length of each text.
        until: an asyncio.Event; once set, nothing more is sent.
    """
    outcome = Outcome()
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=100)
    async with httpx.AsyncClient(base_url=url, limits=limits, timeout=60) as client:
        began = perf_counter()

        async def send(number):
            planned = began + number / rate_per_s
            try:
                response = await client.post(
                    "/v1/summarize", json={"text": make_text(number, n_sentences)}
                )
            except httpx.HTTPError as error:
                outcome.statuses[f"failed: {type(error).__name__}"] += 1
                return
            outcome.statuses[response.status_code] += 1
            took_s = perf_counter() - planned
            if response.status_code == 200:
                outcome.latencies_s.append(took_s)
                assert f"Port {number} " in response.json()["documents"][0]["summary"]
            elif response.status_code == 429:
                outcome.refused_after_s.append(took_s)
                outcome.retry_after.add(response.headers["retry-after"])

        async with asyncio.TaskGroup() as tasks:
            for number in range(int(rate_per_s * seconds)):
                if until is not None and until.is_set():
                    break
                await asyncio.sleep(max(0.0, began + number / rate_per_s - perf_counter()))
                tasks.create_task(send(number))
    return outcome
