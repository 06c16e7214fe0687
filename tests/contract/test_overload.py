"""Facts about too much work: it is refused at once, and what was taken is answered in time.

Broken variants that these tests were seen to catch: a lane that admits everything (504 instead of
429, and 200 after more than the deadline); Retry-After left out.
"""

import asyncio
import os
from time import perf_counter

import httpx
import pytest

from tests.contract.load import send_at_rate
from tests.server_process import ServerProcess, make_text

LONG = 400
"""Sentences of a text that keeps one worker busy for some tenths of a second."""

SOAK_S = float(os.environ.get("SOAK_OVERLOAD_S", "60"))


def measure_rate(server):
    """Documents of LONG sentences a second that the service does when all its workers are busy."""
    body = {"documents": [{"text": make_text(i, LONG)} for i in range(3)]}
    began = perf_counter()
    response = httpx.post(f"{server.url}/v1/summarize", json=body, timeout=60)
    assert response.status_code == 200
    return len(body["documents"]) / (perf_counter() - began)


def overload(seconds, factor, **settings):
    with ServerProcess(**settings) as server:
        rate = measure_rate(server)
        outcome = asyncio.run(send_at_rate(server.url, factor * rate, seconds, LONG))
        assert httpx.get(f"{server.url}/readyz").status_code == 200
        assert_idle(server)
    return outcome


def assert_idle(server):
    gauges = server.gauges()
    for gauge in ("queue_documents", "queue_tokens", "running_documents"):
        assert gauges[f"patsum_{gauge}", "attention"] == 0


def check(outcome, deadline_s):
    assert set(outcome.statuses) == {200, 429}
    assert outcome.quantile_s(0.99) < deadline_s
    assert all(1 <= int(seconds) <= deadline_s for seconds in outcome.retry_after)
    assert sorted(outcome.refused_after_s)[len(outcome.refused_after_s) // 2] < deadline_s / 10


def test_burst_gives_only_answers_and_refusals():
    body = {"text": make_text(0, LONG)}

    async def send_burst(url):
        limits = httpx.Limits(max_connections=None)
        async with httpx.AsyncClient(base_url=url, limits=limits, timeout=60) as client:
            return await asyncio.gather(
                *(client.post("/v1/summarize", json=body) for _ in range(60))
            )

    with ServerProcess(max_queue_tokens=20_000, deadline_s=60) as server:
        responses = asyncio.run(send_burst(server.url))
        assert httpx.get(f"{server.url}/readyz", timeout=60).status_code == 200
        assert_idle(server)
    refused = [response for response in responses if response.status_code == 429]
    assert {response.status_code for response in responses} == {200, 429}
    assert all(1 <= int(response.headers["retry-after"]) <= 60 for response in refused)
    assert all(response.json()["title"] == "The queue is full" for response in refused)


@pytest.mark.slow
def test_tenfold_overload_gives_only_answers_and_refusals():
    check(overload(seconds=SOAK_S, factor=10), deadline_s=10)
