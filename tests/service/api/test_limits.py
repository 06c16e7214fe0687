"""Facts about sizes: each limit holds at its edge, is shown in /info, and is told in words."""

import http.client
import json
import socket

import httpx
import pytest

from service.api.settings import Settings
from tests.server_process import ServerProcess

JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def small(tiny_bundle, start_client):
    """A client of an application with small limits."""
    settings = Settings(
        bundle=tiny_bundle, metrics_port=0, max_body_bytes=300, max_documents=3, max_characters=60
    )
    with start_client(settings) as client:
        yield client


def body_of(n_bytes):
    start = b'{"text": "A storm came."'
    return start + b" " * (n_bytes - len(start) - 1) + b"}"


@pytest.mark.parametrize("is_chunked", [False, True])
@pytest.mark.parametrize(("n_bytes", "status"), [(300, 200), (301, 413), (100_000, 413)])
def test_body_limit_holds_by_length_and_chunked(small, n_bytes, status, is_chunked):
    body = body_of(n_bytes)
    content = (body[i : i + 100] for i in range(0, n_bytes, 100)) if is_chunked else body
    response = small.post("/v1/summarize", content=content, headers=JSON)
    assert ("content-length" in response.request.headers) is not is_chunked
    assert response.status_code == status
    if status == 413:
        assert response.headers["content-type"] == "application/problem+json"
        assert "at most 300 bytes" in response.json()["detail"]


@pytest.mark.parametrize("is_chunked", [False, True])
def test_real_server_refuses_a_large_body(server_url, is_chunked):
    body = body_of(1_000_001)
    content = (body[i : i + 65_536] for i in range(0, len(body), 65_536)) if is_chunked else body
    response = httpx.post(f"{server_url}/v1/summarize", content=content, headers=JSON)
    assert response.status_code == 413
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["connection"] == "close"


def test_largest_body_of_spaces_is_over_the_character_limit(server_url):
    text = " " * (1_000_000 - len('{"text":""}'))
    content = json.dumps({"text": text}, separators=(",", ":"))
    assert len(content) == 1_000_000
    response = httpx.post(f"{server_url}/v1/summarize", content=content, headers=JSON)
    assert response.status_code == 413
    assert "125000 characters" in response.json()["detail"]


@pytest.mark.parametrize(("n_documents", "status"), [(3, 200), (4, 413)])
def test_document_limit_holds_at_its_edge(small, n_documents, status):
    response = small.post("/v1/summarize", json={"documents": [{"text": "Rain."}] * n_documents})
    assert response.status_code == status
    if status == 413:
        assert response.json()["errors"][0]["pointer"] == "#/documents"


def test_countless_bad_documents_are_refused_before_each_is_an_error(client):
    body = json.dumps({"documents": [1] * 100_000}, separators=(",", ":"))
    response = client.post("/v1/summarize", content=body, headers=JSON)
    assert response.status_code == 413  # a schema that saw them would say 422
    detail = "expected at most 25 documents a request, got 100000; send several requests"
    assert response.json()["errors"] == [{"detail": detail, "pointer": "#/documents"}]


@pytest.mark.parametrize(("n_characters", "status"), [(60, 200), (61, 413)])
def test_character_limit_counts_code_points_of_all_documents(small, n_characters, status):
    texts = ["🌧" * 30, "A" * (n_characters - 30)]
    response = small.post("/v1/summarize", json={"documents": [{"text": t} for t in texts]})
    assert response.status_code == status


def test_info_shows_every_limit(small):
    limits = small.get("/info").json()["limits"]
    assert limits["maxBodyBytes"] == 300
    assert limits["maxDocuments"] == 3
    assert limits["maxCharacters"] == 60
    assert limits["maxOccludedSentences"] == 40
    assert limits["threads"] == 1


def test_occlusion_is_capped_and_says_so(tiny_bundle, start_client, text):
    settings = Settings(bundle=tiny_bundle, metrics_port=0, max_occluded_sentences=2)
    body = {"text": text, "sentenceCount": 1, "explain": {"method": "occlusion"}}
    with start_client(settings) as client:
        explanation = client.post("/v1/explain", json=body).json()["documents"][0]["explanation"]
    assert len(explanation["selected"][0]["evidence"]) == 2
    assert any("only the 2" in note for note in explanation["notes"])


@pytest.fixture(scope="module")
def slow_upload_server(tiny_bundle):
    with ServerProcess(bundle=tiny_bundle, upload_s=0.3) as server:
        yield server


def send_part_of_a_body(server):
    connection = socket.create_connection(("127.0.0.1", int(server.url.rpartition(":")[2])))
    connection.sendall(
        b"POST /v1/summarize HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        b"Content-Length: 1000\r\n\r\n{"
    )
    return connection


def test_body_that_does_not_come_whole_in_time_is_408(slow_upload_server):
    with send_part_of_a_body(slow_upload_server) as connection:
        response = http.client.HTTPResponse(connection)
        response.begin()
        problem = json.loads(response.read())
    assert response.status == 408
    assert "within 0.3 s, got 1 bytes" in problem["detail"]
    assert response.headers["connection"] == "close"


def test_client_that_goes_while_it_sends_is_no_failure_of_ours(slow_upload_server):
    send_part_of_a_body(slow_upload_server).close()
    for _ in range(1_000):
        if slow_upload_server.gauges()["patsum_rejections_total", "client_gone"]:
            break
    gauges = slow_upload_server.gauges()
    assert gauges["patsum_requests_total", "/v1/summarize", "499"] == 1
    assert not any("error" in line for line in slow_upload_server.log)
