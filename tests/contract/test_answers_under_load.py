"""Facts about answers: each caller gets its own, the same one whatever else is going on.

Broken variants that these tests were seen to catch: answers kept by the length of the text; a score
that moves with the number of documents at work; a count that is not taken back on cancellation; a
request that nobody watches; a run of the model that is not told to stop.
"""

import asyncio
import json
from collections import Counter

import httpx
import pytest

from tests.contract.load import send_at_rate
from tests.server_process import ServerProcess, make_text

N_CONCURRENT = 500
CLIENT_GONE = ("patsum_rejections_total", "client_gone")
HEADERS = {"X-Request-Id": "same"}


@pytest.fixture(scope="module")
def server(tiny_bundle):
    with ServerProcess(bundle=tiny_bundle, max_queue_tokens=1_000_000) as server:
        yield server


def idle_gauges(server):
    gauges = server.gauges()
    return {
        (name, lane): gauges[f"patsum_{name}", lane]
        for name in ("queue_documents", "queue_tokens", "running_documents")
        for lane in ("attention", "occlusion")
    }


async def ask_all(url, bodies):
    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(base_url=url, limits=limits, timeout=120) as client:
        requests = [client.post("/v1/summarize", json=body, headers=HEADERS) for body in bodies]
        return await asyncio.gather(*requests)


def test_500_concurrent_distinct_documents_each_get_their_own_answer(server):
    bodies = [{"text": make_text(i, 3 + i % 5), "sentenceCount": 2} for i in range(N_CONCURRENT)]
    alone = [httpx.post(f"{server.url}/v1/summarize", json=b, headers=HEADERS) for b in bodies[:20]]
    together = asyncio.run(ask_all(server.url, bodies))
    assert Counter(r.status_code for r in together) == {200: N_CONCURRENT}
    for i, response in enumerate(together):
        assert f"Port {i} " in response.json()["documents"][0]["summary"]
    assert [r.content for r in alone] == [r.content for r in together[:20]]


def test_same_text_gets_the_same_bytes_alone_beside_others_and_under_load():
    text = make_text(7, 30)
    body = {"text": text, "explain": {"method": "attention"}, "returnAllScores": True}

    def ask(client):
        return client.post("/v1/summarize", json=body, headers=HEADERS).content

    async def ask_under_load(url):
        load = asyncio.create_task(send_at_rate(url, 10, 3, 20))
        limits = httpx.Limits(max_connections=None)
        async with httpx.AsyncClient(base_url=url, limits=limits, timeout=60) as client:
            answers = [
                (await client.post("/v1/summarize", json=body, headers=HEADERS)).content
                for _ in range(10)
            ]
        await load
        return answers

    with (
        ServerProcess(max_queue_s=60, deadline_s=60) as server,
        httpx.Client(base_url=server.url, timeout=60) as client,
    ):
        (alone,) = {ask(client) for _ in range(5)}
        under_load = asyncio.run(ask_under_load(server.url))
        batch = {**body, "documents": [{"text": make_text(i, 3)} for i in range(3)]}
        del batch["text"]
        batch["documents"].insert(1, {"id": "0b", "text": text})
        beside = client.post("/v1/summarize", json=batch).json()["documents"][1]
    assert set(under_load) == {alone}
    assert {**beside, "id": "0"} == json.loads(alone)["documents"][0]


def test_one_of_many_cancelled_leaves_the_others_right_and_the_gauges_at_zero():
    n, cancelled = 16, {5, 9, 15}

    async def ask_and_cancel_some(server):
        bodies = [{"text": make_text(i, 30), "sentenceCount": 1} for i in range(n)]
        limits = httpx.Limits(max_connections=None)
        async with httpx.AsyncClient(base_url=server.url, limits=limits, timeout=60) as client:
            tasks = [asyncio.create_task(client.post("/v1/summarize", json=b)) for b in bodies]
            await asyncio.to_thread(  # until most of them wait behind the only worker
                server.wait_until,
                *("patsum_queue_documents", "attention"),
                is_value=lambda waiting: waiting >= n / 2,
            )
            for i in cancelled:
                tasks[i].cancel()
            return await asyncio.gather(*tasks, return_exceptions=True)

    with ServerProcess(workers=1, max_queue_s=60, deadline_s=60) as server:
        answers = asyncio.run(ask_and_cancel_some(server))
        for i in set(range(n)) - cancelled:
            assert f"Port {i} " in answers[i].json()["documents"][0]["summary"]
        server.wait_until(*CLIENT_GONE, is_value=lambda n_gone: n_gone == len(cancelled))
        assert set(idle_gauges(server).values()) == {0}


def test_client_that_has_gone_ends_the_run_of_the_model():
    body = {"text": make_text(0, 300), "explain": {"method": "occlusion"}}  # some seconds of work
    with ServerProcess(deadline_s=600, max_occluded_sentences=1000) as server:
        timeout = httpx.Timeout(60, read=0.5)
        with pytest.raises(httpx.ReadTimeout):
            httpx.post(f"{server.url}/v1/explain", json=body, timeout=timeout)
        server.wait_until(*CLIENT_GONE, is_value=lambda n_gone: n_gone == 1)
        assert set(idle_gauges(server).values()) == {0}
        (line,) = [x for x in server.log if x.get("path") == "/v1/explain"]
    assert line["status"] == 499
    assert line["durationS"] < 20
