"""An application behind a real uvicorn, in a thread of the test."""

import threading
from contextlib import contextmanager
from time import monotonic

import httpx
import uvicorn

from service.api.server import listen, make_config
from service.api.settings import Settings

READY_S = 120
END_S = 60


class TellingServer(uvicorn.Server):
    """A uvicorn server that tells when it takes requests."""

    def __init__(self, config):
        super().__init__(config)
        self.has_begun = threading.Event()

    async def startup(self, sockets=None):
        await super().startup(sockets)
        self.has_begun.set()


@contextmanager
def serve_live(app_or_settings, is_service=True):
    """Serve until the context ends, however it ends; gives the URL once requests are taken.

    Args:
        app_or_settings: an application, or the settings of the service.
        is_service: the application has /readyz, and is waited for until it says 200.
    """
    if isinstance(app_or_settings, Settings):
        config = make_config(app_or_settings)
    else:
        config = uvicorn.Config(app_or_settings, log_config=None, access_log=False)
    server = TellingServer(config)
    with listen("127.0.0.1", 0) as listener:
        # A daemon: a server that does not end must not keep the whole run from ending.
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        try:
            assert server.has_begun.wait(READY_S), "the server did not begin"
            url = "http://{}:{}".format(*listener.getsockname())
            if is_service:
                wait_until_ready(url)
            yield url
        finally:
            server.should_exit = True
            thread.join(END_S)
    assert not thread.is_alive(), f"expected the server to end within {END_S} s"


def wait_until_ready(url):
    """Ask until the service is ready; each question lets the server's loop run."""
    until_s = monotonic() + READY_S
    with httpx.Client(base_url=url, timeout=READY_S) as client:
        while (response := client.get("/readyz")).status_code != 200:
            assert "failed" not in response.json()["detail"], response.text
            assert monotonic() < until_s, response.text
