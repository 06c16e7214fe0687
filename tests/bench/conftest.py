"""Real servers in threads: the service over the tiny bundle, and small ones that misbehave."""

import json
import threading
from contextlib import contextmanager

import httpx
import pytest
import uvicorn

from bench.generated import generate_articles
from service.api.app import create_app
from service.api.server import listen
from service.api.settings import Settings

ANSWERS = {
    200: b'{"documents": []}',
    401: b'{"type": "urn:patsum:problem:unauthorized"}',
    429: b'{"type": "urn:patsum:problem:too-busy"}',
}
INFO = {
    "model": {"version": "double@sha256:0", "sha256": "0" * 64, "weights": "int8"},
    "limits": {"threads": 1, "workers": 2},
    "versions": {"patsum": "0"},
    "cpu": {"model": "none"},
}


@contextmanager
def serve(app):
    """Serve an application with a real uvicorn in a thread."""
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False))
    with listen("127.0.0.1", 0) as listener:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        yield "http://{}:{}".format(*listener.getsockname())
        server.should_exit = True
        thread.join()


@pytest.fixture(scope="session")
def service_url(tiny_bundle):
    """The URL of the service over the tiny bundle."""
    app = create_app(Settings(bundle=tiny_bundle, metrics_port=0, workers=2, max_characters=20_000))
    with serve(app) as url, httpx.Client(base_url=url) as client:
        for _ in range(10_000):
            if client.get("/readyz").status_code == 200:
                break
        yield url


class Answering:
    """An application that answers documents with given statuses in turn, and wants a key if told.

    A real service gives these answers too, but not when a test wants them.
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
            body = ANSWERS[status]
            self.n_asked += 1
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})


@pytest.fixture
def answering():
    """Serve an `Answering`; give its URL."""

    @contextmanager
    def start(statuses=(200,), key=None):
        with serve(Answering(statuses, key)) as url:
            yield url

    return start


@pytest.fixture(scope="session")
def texts():
    return generate_articles(5, (40, 80), seed=1)
