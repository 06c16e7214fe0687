"""Facts about the meters: what they count, on which port, with which labels."""

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from service.api.metrics import Metrics, serve_metrics
from service.api.server import listen
from service.api.settings import Settings
from service.errors import PatsumError


@pytest.fixture
def free_port():
    with listen("127.0.0.1", 0) as listener:
        return listener.getsockname()[1]


def read_samples(port):
    text = httpx.get(f"http://127.0.0.1:{port}/metrics").text
    return {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_requests_documents_and_model_are_counted(tiny_bundle, start_client, free_port):
    settings = Settings(bundle=tiny_bundle, metrics_port=free_port)
    with start_client(settings) as client:
        documents = [{"text": "A storm came. It was rain."}, {"text": " "}]
        client.post("/v1/summarize", json={"documents": documents})
        client.post("/v1/summarize", json={})
        client.get("/some/path/1")
        client.get("/some/path/2")
        samples = read_samples(free_port)

    route = ("route", "/v1/summarize")
    assert samples["patsum_requests_total", route, ("status", "200")] == 1
    assert samples["patsum_requests_total", route, ("status", "422")] == 1
    unmatched = ("route", "unmatched")
    assert samples["patsum_requests_total", unmatched, ("status", "404")] == 2
    assert samples["patsum_request_duration_seconds_count", route] == 2
    assert samples["patsum_documents_total", ("outcome", "summarized")] == 1
    assert samples["patsum_documents_total", ("outcome", "refused")] == 1
    assert samples["patsum_sentences_total",] == 2
    assert samples["patsum_tokens_total",] > 2
    for stage in ("queue", "encode", "infer"):
        assert samples["patsum_stage_seconds_count", ("stage", stage)] == 1
    assert ("patsum_stage_seconds_count", ("stage", "explain")) not in samples
    for lane in ("attention", "occlusion"):
        for gauge in ("queue_documents", "queue_tokens", "running_documents"):
            assert samples[f"patsum_{gauge}", ("lane", lane)] == 0
        assert samples["patsum_queue_limit_tokens", ("lane", lane)] > 0
    assert samples["patsum_rejections_total", ("reason", "queue_full")] == 0
    assert samples["patsum_ready",] == 1
    assert samples["patsum_draining",] == 0
    (version,) = [key[1][1] for key in samples if key[0] == "patsum_model_info"]
    assert version.startswith("patsum-tiny@sha256:")


def test_metrics_are_not_on_the_port_of_the_api(client):
    assert client.get("/metrics").status_code == 404


def test_port_is_free_again_after_the_end(free_port):
    for _ in range(2):
        with serve_metrics(Metrics(), "127.0.0.1", free_port):
            assert read_samples(free_port)


def test_taken_port_is_told(free_port):
    with (
        listen("127.0.0.1", free_port),
        pytest.raises(PatsumError, match=f"127.0.0.1:{free_port}.*in use"),
        serve_metrics(Metrics(), "127.0.0.1", free_port),
    ):
        pass


def test_taken_metrics_port_is_a_failed_start(tiny_bundle, start_client):
    with listen("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
        with start_client(Settings(bundle=tiny_bundle, metrics_port=port)) as client:
            assert str(port) in client.get("/readyz").json()["detail"]
