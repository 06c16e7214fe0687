"""Facts about the end: SIGTERM under load loses no request.

Broken variants that these tests were seen to catch: uvicorn's own handling of SIGTERM, which closes
the socket at once; answers without `Connection: close`, whose connections break when reused.
"""

import asyncio

import httpx

from tests.contract.load import send_at_rate
from tests.server_process import ServerProcess

ANSWERED = ("patsum_documents_total", "summarized")


def test_sigterm_under_load_loses_no_request():
    async def load_and_terminate(server):
        is_told = asyncio.Event()
        load = asyncio.create_task(send_at_rate(server.url, 8, 120, 20, until=is_told))
        await asyncio.to_thread(
            server.wait_until, *ANSWERED, is_value=lambda n_answered: n_answered >= 10
        )
        async with httpx.AsyncClient(base_url=server.url, timeout=60) as prober:
            server.terminate()
            await asyncio.to_thread(server.wait_for, "draining")
            ready, live = await prober.get("/readyz"), await prober.get("/livez")
        n_before = server.gauges()[ANSWERED]
        await asyncio.to_thread(  # the balancer takes its time to act on it
            server.wait_until, *ANSWERED, is_value=lambda n_answered: n_answered >= n_before + 5
        )
        is_told.set()
        await asyncio.sleep(1 / 8)  # what is on its way has been sent
        server.terminate()  # the second one: the wait is over, what is open is finished
        return await load, ready, live

    with ServerProcess(max_queue_s=60, drain_s=3600) as server:
        outcome, ready, live = asyncio.run(load_and_terminate(server))
        assert server.process.wait(60) in (0, -15)
    assert set(outcome.statuses) == {200}
    assert ready.status_code == 503
    assert "draining" in ready.json()["detail"]
    assert ready.headers["connection"] == "close"
    assert live.status_code == 200
    assert not any("error" in line for line in server.log)


def test_drain_ends_by_itself(tiny_bundle):
    with ServerProcess(bundle=tiny_bundle, drain_s=0.3) as server:
        server.terminate()
        assert server.process.wait(60) in (0, -15)


def test_second_sigterm_skips_the_wait(tiny_bundle):
    with ServerProcess(bundle=tiny_bundle, drain_s=3600) as server:
        server.terminate()
        server.wait_for("draining")
        server.terminate()
        assert server.process.wait(60) in (0, -15)
