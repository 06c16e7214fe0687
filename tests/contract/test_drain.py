"""Facts about the end: SIGTERM under load loses no request.

Broken variants that these tests were seen to catch: uvicorn's own handling of SIGTERM, which closes
the socket at once; answers without `Connection: close`, whose connections break when reused.
"""

import asyncio

import httpx

from tests.contract.load import send_at_rate
from tests.server_process import ServerProcess


def test_sigterm_under_load_loses_no_request():
    async def load_and_terminate(server):
        is_told = asyncio.Event()
        load = asyncio.create_task(send_at_rate(server.url, 8, 60, 20, until=is_told))
        async with httpx.AsyncClient(base_url=server.url) as prober:
            await asyncio.sleep(2)
            server.terminate()
            for _ in range(2_000):  # a balancer that looks every few milliseconds
                if (ready := await prober.get("/readyz")).status_code == 503:
                    break
            live = await prober.get("/livez")
        await asyncio.sleep(1)  # the balancer takes a second to act on it
        is_told.set()
        return await load, ready, live

    with ServerProcess(max_queue_s=30, drain_s=3) as server:
        outcome, ready, live = asyncio.run(load_and_terminate(server))
        assert server.process.wait(60) in (0, -15)
    assert set(outcome.statuses) == {200}
    assert outcome.statuses[200] > 20
    assert ready.status_code == 503
    assert "draining" in ready.json()["detail"]
    assert ready.headers["connection"] == "close"
    assert live.status_code == 200
    assert not any("error" in line for line in server.log)


def test_second_sigterm_skips_the_wait(tiny_bundle):
    with ServerProcess(bundle=tiny_bundle, drain_s=3600) as server:
        server.terminate()
        server.wait_for("draining")
        server.terminate()
        assert server.process.wait(60) in (0, -15)
