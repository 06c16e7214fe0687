"""Facts about the log: one JSON object a line, without the caller's text."""

import json
import logging
import sys

from service.api.logs import FIELDS, JsonFormatter
from service.errors import BundleError


def written(record):
    return json.loads(JsonFormatter().format(record))


def record_of(error=None):
    try:
        raise error
    except type(error):
        info = sys.exc_info()
    return logging.LogRecord("patsum", logging.ERROR, "file", 1, "failed", None, info)


def test_request_is_logged_without_its_text(client, caplog):
    with caplog.at_level(logging.INFO):
        client.post(
            "/v1/summarize?q=secret", json={"text": "A secret."}, headers={"X-Request-Id": "r1"}
        )
    (record,) = [r for r in caplog.records if getattr(r, FIELDS, {}).get("requestId") == "r1"]
    line = written(record)
    assert line["durationS"] > 0
    assert {k: line[k] for k in ("level", "logger", "method", "path", "status", "requestId")} == {
        "level": "info",
        "logger": "patsum.access",
        "method": "POST",
        "path": "/v1/summarize",
        "status": 200,
        "requestId": "r1",
    }
    assert line["documents"] == 1
    assert line["characters"] == len("A secret.")
    assert line["modelVersion"].startswith("patsum-tiny@sha256:")
    assert line["inferS"] > 0
    assert "secret" not in json.dumps(line)


def test_refusal_is_logged_with_its_kind(client, caplog):
    with caplog.at_level(logging.INFO):
        client.post("/v1/summarize", json={"text": 7}, headers={"X-Request-Id": "r2"})
    (record,) = [r for r in caplog.records if getattr(r, FIELDS, {}).get("requestId") == "r2"]
    assert written(record)["problem"] == "unprocessable"
    assert written(record)["route"] == "/v1/summarize"


def test_error_of_ours_keeps_its_message():
    assert written(record_of(BundleError("expected a, got b")))["error"]["message"]


def test_other_error_is_placed_without_its_message():
    error = written(record_of(ValueError("a caller's words")))["error"]
    assert error["type"] == "ValueError"
    assert "record_of" in error["at"][-1]
    assert "words" not in json.dumps(error)
