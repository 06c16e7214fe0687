"""Facts about too much work: it is refused at once, and what was taken is answered in time.

Broken variants that these tests were seen to catch: a lane that admits everything (504 instead of
429, and 200 after more than the deadline); Retry-After left out; bodies read while the queue is
full; a refusal that does not wait for the unread body; 100 kB kept of every refusal.
"""

import asyncio
import http.client
import json
import os
import socket
from time import perf_counter
from urllib.parse import urlsplit

import httpx
import pytest

from tests.contract.load import quantile, send_at_rate
from tests.server_process import ServerProcess, make_text

LONG = 400
"""Sentences of a text that keeps one worker busy for some tenths of a second."""

SOAK_S = float(os.environ.get("SOAK_OVERLOAD_S", "60"))
DEADLINE_S = 10
ALLOWED_GROWTH = 1.1
JSON = {"Content-Type": "application/json"}
REFUSED = ("patsum_rejections_total", "queue_full")


def measure_rate(server, n_sentences):
    """Documents a second that the service does when its two workers are busy and warm."""
    body = {"documents": [{"text": make_text(i, n_sentences)} for i in range(4)]}
    for _ in range(2):
        began = perf_counter()
        response = httpx.post(f"{server.url}/v1/summarize", json=body, timeout=60)
        assert response.status_code == 200
    return len(body["documents"]) / (perf_counter() - began)


async def overload(server, rate_per_s, n_sentences):
    """Send for SOAK_S; give the outcome, and the resident bytes at every second of it."""
    load = asyncio.create_task(send_at_rate(server.url, rate_per_s, SOAK_S, n_sentences))
    sizes = []
    while not load.done():
        sizes.append(await asyncio.to_thread(server.resident_bytes))
        await asyncio.wait([load], timeout=1)
    return await load, sizes


def assert_idle(server):
    gauges = server.gauges()
    for gauge in ("queue_documents", "queue_tokens", "running_documents"):
        assert gauges[f"patsum_{gauge}", "attention"] == 0


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


@pytest.fixture(scope="module")
def full_server():
    """A service whose queue for summaries is full for longer than the tests below take."""
    documents = [{"text": make_text(i, LONG)} for i in range(200)]
    limits = {
        "max_documents": 200,
        "max_body_bytes": 10_000_000,
        "max_characters": 10_000_000,
        "upload_s": 2,
    }
    with (
        ServerProcess(workers=1, max_queue_tokens=1, deadline_s=3600, **limits) as server,
        httpx.stream(
            "POST",
            f"{server.url}/v1/summarize",
            json={"documents": documents},
            headers={"Accept": "application/x-ndjson"},
            timeout=60,
        ),
    ):
        yield server
        assert server.gauges()["patsum_queue_documents", "attention"] > 0


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/v1/summarize", 429),
        ("/v2/models/{model}/infer", 429),
        ("/v1/explain", 400),  # its body says whether it asks for occlusion, which has room
    ],
)
def test_full_queue_refuses_a_summary_before_it_reads_the_body(full_server, path, status):
    version = httpx.get(f"{full_server.url}/info").json()["model"]["version"]
    path = path.format(model=version.partition("@")[0])
    n_refused = full_server.gauges()[REFUSED]
    response = httpx.post(f"{full_server.url}{path}", content=b"no JSON", headers=JSON)
    assert response.status_code == status
    assert full_server.gauges()[REFUSED] == n_refused + (status == 429)
    if status == 429:
        assert int(response.headers["retry-after"]) >= 1
        assert "expected at most 90% of the limit to wait" in response.text


def test_full_queue_of_summaries_takes_an_occlusion(full_server):
    body = {"text": "A storm came. It was late.", "explain": {"method": "occlusion"}}
    response = httpx.post(f"{full_server.url}/v1/explain", json=body, timeout=60)
    assert response.status_code == 200


@pytest.mark.parametrize("is_chunked", [False, True])
def test_refusal_of_a_large_unread_body_arrives_and_leaves_the_connection_usable(
    full_server, is_chunked
):
    body = json.dumps({"text": "A storm came. " * 70_000}).encode()
    connection = http.client.HTTPConnection(urlsplit(full_server.url).netloc, timeout=60)
    connection.connect()
    kept = connection.sock
    for _ in range(3):
        chunks = (body[i : i + 65_536] for i in range(0, len(body), 65_536))
        connection.request("POST", "/v1/summarize", chunks if is_chunked else body, JSON)
        response = connection.getresponse()
        assert response.status == 429
        assert response.headers["connection"] is None
        assert json.loads(response.read())["title"] == "The queue is full"
    connection.request("GET", "/livez")
    assert connection.getresponse().read()
    assert connection.sock is kept
    connection.close()


def test_body_over_the_limit_is_413_while_the_queue_is_full(full_server):
    response = httpx.post(
        f"{full_server.url}/v1/summarize", content=b" " * 10_000_001, headers=JSON
    )
    assert response.status_code == 413


def test_unread_body_that_does_not_come_whole_is_waited_for_as_long_as_any(full_server):
    address = urlsplit(full_server.url)
    with socket.create_connection((address.hostname, address.port)) as connection:
        connection.sendall(
            b"POST /v1/summarize HTTP/1.1\r\nHost: localhost\r\n"
            b"Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n{"
        )
        response = http.client.HTTPResponse(connection)
        response.begin()
        assert response.status == 408
        assert "within 2 s, got 1 bytes" in json.loads(response.read())["detail"]


@pytest.mark.slow
@pytest.mark.parametrize("n_sentences", [110, LONG])
def test_tenfold_overload_gives_only_answers_and_refusals_in_flat_memory(n_sentences):
    with ServerProcess(workers=2, max_characters=1_000_000) as server:  # for measure_rate
        rate = measure_rate(server, n_sentences)
        outcome, sizes = asyncio.run(overload(server, 10 * rate, n_sentences))
        assert httpx.get(f"{server.url}/readyz").status_code == 200
        assert_idle(server)
    late_s = quantile(outcome.sent_after_s, 0.99)
    assert late_s < DEADLINE_S / 10, "the sender is late: this measures the sender"
    assert set(outcome.statuses) == {200, 429}
    assert quantile(outcome.latencies_s, 0.99) < DEADLINE_S
    assert quantile(outcome.refused_after_s, 0.99) < DEADLINE_S / 10
    assert all(1 <= int(seconds) <= DEADLINE_S for seconds in outcome.retry_after)
    n_early = len(sizes) // 4 + 1
    assert max(sizes[n_early:]) < ALLOWED_GROWTH * max(sizes[:n_early]), sizes
