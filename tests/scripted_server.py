"""A real HTTP server that answers as a script says, in the forms of the REST API."""

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

LIMITS = {"maxBodyBytes": 1_000_000, "maxDocuments": 3, "maxCharacters": 1000}


def info(**limits):
    """What /info answers, as far as the client reads it."""
    return {
        "model": {"name": "m", "version": "m@sha256:0", "languages": ["en"], "layers": 3},
        "limits": LIMITS | limits,
        "versions": {"patsum": "0"},
        "newField": 1,
    }


def summary_of(document):
    """A summary that is the whole text."""
    n = len(document["text"])
    sentence = {
        "text": document["text"],
        "rankScore": 0.5,
        "offset": 0,
        "length": n,
        "index": 0,
    }
    statistics = {
        "charactersCount": n,
        "sentencesCount": 1,
        "tokensCount": 1,
        "truncated": False,
    }
    return {
        "id": document["id"],
        "summary": document["text"],
        "sentences": [sentence],
        "statistics": statistics,
        "warnings": [],
        "newField": 1,
    }


def problem(status, detail="expected this, got that", errors=(), **headers):
    """An answer that refuses."""
    content = {
        "type": f"urn:patsum:problem:p{status}",
        "title": "t",
        "status": status,
        "detail": detail,
        "instance": "/",
        "requestId": "r",
        "errors": list(errors),
    }
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(
        status, json.dumps(content), {"Content-Type": "application/problem+json"} | headers
    )


class Answer:
    """A scripted answer; `cut` closes the connection after so many bytes of the content."""

    def __init__(self, status, content, headers=None, cut=None):
        self.status = status
        self.content = content.encode() if isinstance(content, str) else content
        self.headers = {"Content-Type": "application/json", "X-Request-Id": "r7"} | (headers or {})
        self.cut = cut


HANG = "the server answers nothing until the test is over"
CLOSE = "the server closes the connection"


def lines(documents, **errors):
    """An NDJSON answer: a summary for each document, but an error for those named."""
    written = []
    for document in documents:
        entry = {"id": "r", "modelVersion": "m@sha256:0"}
        if document["id"] in errors:
            error = {"code": errors[document["id"]], "message": "no", "target": "/"}
            entry["error"] = {"id": document["id"], "error": error}
        else:
            entry["document"] = summary_of(document)
        written.append(json.dumps(entry) + "\n")
    return Answer(200, "".join(written), {"Content-Type": "application/x-ndjson"})


def whole(documents):
    """A JSON answer with a summary for each document."""
    answer = {
        "id": "r",
        "modelVersion": "m@sha256:0",
        "documents": [summary_of(document) for document in documents],
        "errors": [],
    }
    return Answer(200, json.dumps(answer))


class ScriptedServer:
    """Answers POSTs with what its script yields next, and GETs with /info and /readyz.

    Attributes:
        script: answers, or functions of the sent documents that make one.
        requests: (headers, parsed body) of each POST.
        info: what /info answers.
    """

    def __init__(self):
        self.script = []
        self.requests = []
        self.info = info()
        self.is_over = threading.Event()

    def next_answer(self, headers, body):
        self.requests.append((dict(headers), body))
        step = self.script.pop(0) if self.script else whole
        return step(body["documents"]) if callable(step) else step


def handler_of(scripted):
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            status = 200 if self.path == "/info" else 503
            self.answer(Answer(status, json.dumps(scripted.info)))

        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            self.answer(scripted.next_answer(self.headers, body))

        def answer(self, answer):
            if answer is HANG:
                scripted.is_over.wait()
            if answer in (HANG, CLOSE):
                self.close_connection = True
                return
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer.content)))
            self.end_headers()
            self.wfile.write(answer.content[: answer.cut])
            self.close_connection = answer.cut is not None

        def log_message(self, *arguments):
            pass

    return Handler


@contextmanager
def serve(scripted):
    """Serve in threads; gives the URL."""
    with ThreadingHTTPServer(("127.0.0.1", 0), handler_of(scripted)) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            scripted.is_over.set()
            server.shutdown()
            thread.join()
