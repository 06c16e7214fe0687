"""Facts about answers as a stream: a line for each document, in the order of the request."""

import json

import pytest

from service import Summarizer

NDJSON = {"Accept": "application/x-ndjson", "X-Request-Id": "r1"}


def lines_of(response):
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("application/x-ndjson")
    assert response.content.endswith(b"\n")
    return [json.loads(line) for line in response.content.splitlines()]


@pytest.mark.parametrize("path", ["/v1/summarize", "/v1/explain"])
def test_lines_say_what_the_whole_answer_says_in_the_order_of_the_request(client, text, path):
    documents = [
        {"id": "long", "text": f"{text} {text} {text}"},
        {"id": "empty", "text": ""},
        {"id": "short", "text": "A storm came."},
        {"id": "german", "text": text, "language": "de"},
    ]
    whole = client.post(path, json={"documents": documents}).json()
    lines = lines_of(client.post(path, json={"documents": documents}, headers=NDJSON))
    assert [line["id"] for line in lines] == ["r1"] * 4
    assert {line["modelVersion"] for line in lines} == {whole["modelVersion"]}
    assert [next(iter(line.keys() - {"id", "modelVersion"})) for line in lines] == [
        "document",
        "error",
        "document",
        "error",
    ]
    assert [line["document"] for line in lines if "document" in line] == whole["documents"]
    assert [line["error"] for line in lines if "error" in line] == whole["errors"]


def test_stream_without_any_usable_document_has_their_errors(client):
    (line,) = lines_of(client.post("/v1/summarize", json={"text": " "}, headers=NDJSON))
    assert line["error"]["error"]["code"] == "InvalidDocument"
    assert line["error"]["error"]["target"] == "/text"


def test_lone_surrogates_stay_ascii(client):
    response = client.post(
        "/v1/summarize",
        content=b'{"text":"The storm \\ud800 came."}',
        headers={**NDJSON, "Content-Type": "application/json"},
    )
    assert b"storm \\ud800 came" in response.content
    assert response.content.isascii()


def test_bad_body_is_refused_before_the_stream_begins(client):
    response = client.post("/v1/summarize", json={"text": 7}, headers=NDJSON)
    assert response.status_code == 422
    assert response.headers["content-type"] == "application/problem+json"


def test_unforeseen_error_is_a_line_without_its_words(settings, start_client, monkeypatch):
    def fail(*args, **kwargs):
        raise RuntimeError("secret")

    with start_client(settings) as client:
        monkeypatch.setattr(Summarizer, "summarize", fail)
        documents = [{"id": "a", "text": "A storm."}, {"id": "b", "text": "Rain."}]
        lines = lines_of(
            client.post("/v1/summarize", json={"documents": documents}, headers=NDJSON)
        )
    assert [line["error"]["id"] for line in lines] == ["a", "b"]
    assert {line["error"]["error"]["code"] for line in lines} == {"InternalError"}
    assert "secret" not in json.dumps(lines)
