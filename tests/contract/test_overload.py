"""Facts about too much work: it is refused at once, and what was taken is answered in time.

Broken variants that these tests were seen to catch: a lane that admits everything (504 instead of
429, and 200 after more than the deadline); a lane that refuses whatever does not fit its queue,
even when nothing waits; Retry-After left out.
"""

import asyncio
import os
from time import perf_counter

import httpx
import pytest

from tests.contract.load import send_at_rate
from tests.server_process import ServerProcess, make_text

LONG = 110
"""Sentences of a text that keeps one worker busy for some tenths of a second."""

SOAK_S = float(os.environ.get("SOAK_OVERLOAD_S", "60"))


def measure_rate(server):
    """Documents of LONG sentences a second that the service does when all its workers are busy."""
    body = {"documents": [{"text": make_text(i, LONG)} for i in range(10)]}
    began = perf_counter()
    response = httpx.post(f"{server.url}/v1/summarize", json=body, timeout=60)
    assert response.status_code == 200
    return len(body["documents"]) / (perf_counter() - began)


def overload(seconds, factor, **settings):
    with ServerProcess(**settings) as server:
        rate = measure_rate(server)
        outcome = asyncio.run(send_at_rate(server.url, factor * rate, seconds, LONG))
        assert httpx.get(f"{server.url}/readyz").status_code == 200
        gauges = server.gauges()
    for gauge in ("queue_documents", "queue_tokens", "running_documents"):
        assert gauges[f"patsum_{gauge}", "attention"] == 0
    return outcome


def check(outcome, deadline_s):
    assert set(outcome.statuses) == {200, 429}
    assert outcome.quantile_s(0.99) < deadline_s
    assert all(1 <= int(seconds) <= deadline_s for seconds in outcome.retry_after)
    assert sorted(outcome.refused_after_s)[len(outcome.refused_after_s) // 2] < deadline_s / 10


def test_short_overload_gives_only_answers_and_refusals():
    check(overload(seconds=8, factor=5), deadline_s=10)


@pytest.mark.slow
def test_tenfold_overload_gives_only_answers_and_refusals():
    check(overload(seconds=SOAK_S, factor=10), deadline_s=10)


def test_request_larger_than_the_queue_is_taken_when_nothing_waits(tiny_bundle):
    with ServerProcess(bundle=tiny_bundle, max_queue_tokens=1) as server:
        response = httpx.post(f"{server.url}/v1/summarize", json={"text": make_text(0, 20)})
    assert response.status_code == 200
