"""Facts about starting: what the probes say while the model loads, and when it cannot be loaded."""

import threading

import pytest
from starlette.testclient import TestClient

import service.api.app
import service.api.model_host
from service import Summarizer
from service.api.app import create_app
from service.api.health import Health
from service.api.settings import Settings


@pytest.fixture
def corrupt_bundle(tiny_bundle_copy):
    with (tiny_bundle_copy / "model.onnx").open("r+b") as file:
        file.write(b"\xff")
    return tiny_bundle_copy


def test_ready_service_says_so(client):
    assert client.get("/livez").json() == {"status": "alive"}
    assert client.get("/readyz").json() == {"status": "ready"}


def test_starting_service_lives_and_is_not_ready(settings, monkeypatch):
    may_load = threading.Event()
    load = service.api.app.load_summarizer

    def load_later(settings):
        may_load.wait()
        return load(settings)

    monkeypatch.setattr(service.api.app, "load_summarizer", load_later)
    with TestClient(create_app(settings)) as client:
        try:
            assert client.get("/livez").status_code == 200
            assert client.get("/docs").status_code == 200
            for response in (
                client.get("/readyz"),
                client.get("/info"),
                client.post("/v1/summarize", json={"text": "A storm."}),
            ):
                assert response.status_code == 503
                assert response.headers["retry-after"] == "2"
                assert "still starting" in response.json()["detail"]
        finally:
            may_load.set()


def test_corrupt_bundle_is_never_ready_and_says_why(corrupt_bundle, start_client):
    with start_client(Settings(bundle=corrupt_bundle, metrics_port=0)) as client:
        assert client.get("/livez").status_code == 200
        response = client.get("/readyz")
        assert response.status_code == 503
        assert "sha256" in response.json()["detail"]
        assert client.post("/v1/summarize", json={"text": "A storm."}).status_code == 503


def test_missing_bundle_is_never_ready_and_says_where_it_looked(tmp_path, start_client):
    with start_client(Settings(bundle=tmp_path / "nowhere", metrics_port=0)) as client:
        assert "nowhere" in client.get("/readyz").json()["detail"]


def test_bundle_with_another_fingerprint_is_never_ready(tiny_bundle_copy, start_client):
    manifest = tiny_bundle_copy / "manifest.json"
    content = manifest.read_text()
    start = content.index('"fingerprint": "') + len('"fingerprint": "')
    manifest.write_text(content[:start] + "0" * 64 + content[start + 64 :])
    with start_client(Settings(bundle=tiny_bundle_copy, metrics_port=0)) as client:
        assert "fingerprint" in client.get("/readyz").json()["detail"]


def test_failure_is_told_to_who_started(corrupt_bundle):
    failed = threading.Event()
    failures = []

    def on_failure(error):
        failures.append(error)
        failed.set()

    settings = Settings(bundle=corrupt_bundle, metrics_port=0)
    with TestClient(create_app(settings, on_failure)):
        assert failed.wait(60)
    assert "sha256" in str(failures[0])


def test_unforeseen_error_at_the_start_is_never_ready(settings, start_client, monkeypatch):
    def fail(settings):
        raise RuntimeError("secret")

    monkeypatch.setattr(service.api.app, "load_summarizer", fail)
    with start_client(settings) as client:
        response = client.get("/readyz")
    assert response.status_code == 503
    assert "RuntimeError" in response.json()["detail"]
    assert "secret" not in response.text


def test_poisonous_document_leaves_the_service_ready(settings, start_client, monkeypatch):
    summarize = Summarizer.summarize

    def fail_on_poison(self, text, **options):
        if text == "Poison.":
            raise RuntimeError("secret")
        return summarize(self, text, **options)

    with start_client(settings) as client:
        monkeypatch.setattr(Summarizer, "summarize", fail_on_poison)
        for _ in range(5):
            assert client.post("/v1/summarize", json={"text": "Poison."}).status_code == 500
        assert client.get("/readyz").status_code == 200
        assert client.post("/v1/summarize", json={"text": "A storm."}).status_code == 200


def test_model_that_breaks_turns_the_service_unready_until_it_works_again(
    settings, start_client, monkeypatch
):
    is_broken = threading.Event()
    summarize = Summarizer.summarize

    def fail_while_broken(self, text, **options):
        if is_broken.is_set():
            raise MemoryError("secret")
        return summarize(self, text, **options)

    def wait_for(client, status):
        for _ in range(10_000):
            if (response := client.get("/readyz")).status_code == status:
                return response
        raise AssertionError(response.text)

    monkeypatch.setattr(Summarizer, "summarize", fail_while_broken)
    monkeypatch.setattr(service.api.model_host, "_CHECK_AGAIN_S", 0.01)
    with start_client(settings) as client:
        is_broken.set()
        assert client.post("/v1/summarize", json={"text": "A storm."}).status_code == 500
        detail = wait_for(client, 503).json()["detail"]
        assert detail.endswith("fails with MemoryError; see the log")
        assert client.post("/v1/summarize", json={"text": "A storm."}).status_code == 503
        is_broken.clear()
        wait_for(client, 200)
        assert client.post("/v1/summarize", json={"text": "A storm."}).status_code == 200


def test_draining_service_serves_whoever_still_comes(settings, start_client):
    health = Health()
    with start_client(settings, health) as client:
        assert "connection" not in client.get("/readyz").headers
        health.become_draining()
        assert "draining" in client.get("/readyz").json()["detail"]
        assert client.get("/livez").status_code == 200
        response = client.post("/v1/summarize", json={"text": "A storm."})
        assert response.status_code == 200
        assert response.headers["connection"] == "close"
