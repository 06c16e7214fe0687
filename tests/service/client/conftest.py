"""A scripted server, a clock that only sleeping moves, and the real service."""

import socket

import pytest

from service.api.settings import Settings
from tests.live_server import serve_live
from tests.scripted_server import ScriptedServer, serve


@pytest.fixture
def scripted():
    """A running scripted server, with its `url`."""
    server = ScriptedServer()
    with serve(server) as url:
        server.url = url
        yield server


class SleptClock:
    """A clock that stands still but for the sleeps, which it notes."""

    def __init__(self):
        self.now_s = 100.0
        self.pauses_s = []

    def __call__(self):
        return self.now_s

    def sleep(self, seconds):
        self.pauses_s.append(seconds)
        self.now_s += seconds

    async def sleep_async(self, seconds):
        self.sleep(seconds)


@pytest.fixture
def clock():
    return SleptClock()


@pytest.fixture(scope="session")
def real_url(tiny_bundle):
    """The URL of the real service over the tiny bundle."""
    with serve_live(Settings(bundle=tiny_bundle, metrics_port=0, workers=2)) as url:
        yield url


@pytest.fixture
def unused_url():
    """A URL at which nothing listens while the fixture lives: bound, but not listened on."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"
