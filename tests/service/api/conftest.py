"""An application over the tiny bundle: inside the test's process, and behind a real server."""

from contextlib import contextmanager

import pytest
from starlette.testclient import TestClient

from service.api.app import create_app
from service.api.settings import Settings
from tests.live_server import serve_live

TEXT = (
    "The ferry left the harbour before the storm. The mayor said that the council had a report. "
    "No train was on time. The storm came in the night, and the water was over the road. "
    "People would vote for a new bridge over the river."
)


def wait_until_ready(client):
    """Ask until the start is over; each question lets the server's loop run."""
    for _ in range(10_000):
        response = client.get("/readyz")
        if response.status_code == 200 or "failed" in response.json()["detail"]:
            return response
    raise AssertionError(response.text)


@pytest.fixture
def text():
    return TEXT


@pytest.fixture(scope="session")
def settings(tiny_bundle):
    return Settings(bundle=tiny_bundle, metrics_port=0, workers=2)


@pytest.fixture(scope="session")
def start_client():
    """Start a client of an application with given settings, once its start is over."""

    @contextmanager
    def start(settings, health=None):
        app = create_app(settings, health=health)
        with TestClient(app, raise_server_exceptions=False) as client:
            wait_until_ready(client)
            yield client

    return start


@pytest.fixture(scope="session")
def client(settings, start_client):
    with start_client(settings) as client:
        yield client


@pytest.fixture(scope="session")
def server_url(settings):
    """The URL of a real server in a thread."""
    with serve_live(settings) as url:
        yield url
