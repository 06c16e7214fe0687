"""Facts about answers as a stream: a line for each document, in the order of the request."""

import json

import anyio
import pytest

import service.api.ndjson
from service import Summarizer
from service.api.app import create_app

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


@pytest.mark.parametrize("accept", ["application/json", "application/x-ndjson"])
def test_document_that_meets_our_bug_fails_alone(
    settings, start_client, monkeypatch, caplog, accept
):
    summarize = Summarizer.summarize

    def fail_on_poison(self, text, **options):
        if text == "Poison.":
            raise RuntimeError("secret")
        return summarize(self, text, **options)

    documents = [{"id": "bad", "text": "Poison."}, {"id": "good", "text": "Rain."}]
    with start_client(settings) as client:
        monkeypatch.setattr(Summarizer, "summarize", fail_on_poison)
        headers = {"Accept": accept}
        response = client.post("/v1/summarize", json={"documents": documents}, headers=headers)
    assert response.status_code == 200
    answers = [json.loads(line) for line in response.content.splitlines()]
    errors = answers[0]["errors"] if len(answers) == 1 else [answers[0]["error"]]
    done = answers[0]["documents"] if len(answers) == 1 else [answers[1]["document"]]
    assert [(e["id"], e["error"]["code"]) for e in errors] == [("bad", "InternalError")]
    assert [d["id"] for d in done] == ["good"]
    assert "secret" not in response.text
    assert sum(record.levelname == "ERROR" for record in caplog.records) == 1


class SlowReader:
    """A client over ASGI that takes its time for each message, or stops reading for good."""

    def __init__(self, n_read, pause_s):
        self.n_read, self.pause_s, self.messages = n_read, pause_s, []

    async def receive(self):
        if self.body is None:
            await anyio.sleep_forever()
        body, self.body = self.body, None
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(self, message):
        if len(self.messages) >= self.n_read:
            await anyio.sleep_forever()
        await anyio.sleep(self.pause_s)
        self.messages.append(message)

    async def ask(self, app, documents, timeout_s):
        self.body = json.dumps({"documents": documents}).encode()
        headers = {
            "content-type": "application/json",
            "accept": "application/x-ndjson",
            "request-timeout": str(timeout_s),
        }
        scope = {
            "type": "http",
            "method": "POST",
            "path": "/v1/summarize",
            "query_string": b"",
            "headers": [(k.encode(), v.encode()) for k, v in headers.items()],
        }
        async with app.router.lifespan_context(app):
            with anyio.fail_after(60):
                while gauge(app, "patsum_ready") != 1:
                    await anyio.sleep(0.01)
                await app(scope, self.receive, self.send)

    def lines(self):
        return [json.loads(m["body"]) for m in self.messages[1:] if m["body"]]


def gauge(app, name, **labels):
    return app.state.metrics.registry.get_sample_value(name, labels)


@pytest.fixture
def app(settings):
    return create_app(settings)


def test_documents_that_were_done_in_time_are_sent_after_the_deadline(app):
    documents = [{"id": f"d{i}", "text": "A storm came."} for i in range(4)]
    reader = SlowReader(n_read=99, pause_s=0.3)
    anyio.run(reader.ask, app, documents, 0.5)
    assert [line["document"]["id"] for line in reader.lines()] == ["d0", "d1", "d2", "d3"]


def test_client_that_stops_reading_holds_no_place_in_the_queue(app, monkeypatch):
    monkeypatch.setattr(service.api.ndjson, "_LAST_LINES_S", 0.1)
    documents = [{"text": "A storm came. " * 400} for _ in range(20)]
    anyio.run(SlowReader(n_read=1, pause_s=0).ask, app, documents, 0.2)
    assert gauge(app, "patsum_queue_tokens", lane="attention") == 0
    assert gauge(app, "patsum_running_documents", lane="attention") == 0
    assert gauge(app, "patsum_rejections_total", reason="client_gone") == 1
