"""Real servers in threads: the service over the tiny bundle, and small ones that misbehave."""

import json
from contextlib import contextmanager

import pytest

from bench.generated import generate_articles
from service.api.settings import Settings
from tests.live_server import serve_live

ANSWERS = {
    200: b'{"documents": []}',
    401: b'{"type": "urn:patsum:problem:unauthorized"}',
    429: b'{"type": "urn:patsum:problem:too-busy"}',
}
INFO = {
    "model": {"version": "double@sha256:0", "sha256": "0" * 64, "weights": "int8"},
    "limits": {"threads": 1, "workers": 2},
    "versions": {"patsum": "0.0.7"},
    "cpu": {"model": "none", "features": ["avx2", "avx_vnni"]},
}


@pytest.fixture(scope="session")
def service_url(tiny_bundle):
    """The URL of the service over the tiny bundle."""
    settings = Settings(bundle=tiny_bundle, metrics_port=0, workers=2, max_characters=20_000)
    with serve_live(settings) as url:
        yield url


class Answering:
    """An application that answers documents with given statuses in turn, and wants a key if told.

    Status 0 is no answer. A real service does all this too, but not when a test wants it.
    """

    def __init__(self, statuses, key=None):
        self.statuses, self.key, self.n_asked = statuses, key, 0

    async def __call__(self, scope, receive, send):
        if scope["type"] != "http":
            return
        while (await receive()).get("more_body"):
            pass
        headers = [(b"server-timing", b"queue;dur=1.5, infer;dur=20")]
        if self.key and (b"authorization", f"Bearer {self.key}".encode()) not in scope["headers"]:
            status, body = 401, ANSWERS[401]
        elif scope["path"] == "/info":
            status, body = 200, json.dumps(INFO).encode()
        else:
            status = self.statuses[self.n_asked % len(self.statuses)]
            self.n_asked += 1
            if status == 0:
                await receive()  # until the client has gone
                return
            body = ANSWERS[status]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})


@pytest.fixture
def answering():
    """Serve an `Answering`; give its URL."""

    @contextmanager
    def start(statuses=(200,), key=None):
        with serve_live(Answering(statuses, key), is_service=False) as url:
            yield url

    return start


@pytest.fixture(scope="session")
def texts():
    return generate_articles(5, (40, 80), seed=1)
