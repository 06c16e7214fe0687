"""Facts about traces: what a real collector receives, and that it holds no text."""

import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from service.api.settings import Settings

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


class Collector(HTTPServer):
    """An OTLP/HTTP collector that keeps what it gets."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.bodies = []

    def spans(self):
        for body in self.bodies:
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                for scope in resource.scope_spans:
                    yield from scope.spans


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        if self.path == "/v1/traces":
            self.server.bodies.append(body)
        self.send_response(200)
        self.end_headers()

    def log_message(self, *args):
        pass


@pytest.fixture
def collector():
    with Collector() as collector:
        thread = threading.Thread(target=collector.serve_forever)
        thread.start()
        yield collector
        collector.shutdown()
        thread.join()


def test_request_becomes_a_span_of_the_callers_trace_without_its_text(
    collector, tiny_bundle, start_client
):
    endpoint = f"http://127.0.0.1:{collector.server_port}"
    settings = Settings(bundle=tiny_bundle, metrics_port=0, otlp_endpoint=endpoint)
    with start_client(settings) as client:
        headers = {"traceparent": f"00-{TRACE}-00f067aa0ba902b7-01", "X-Request-Id": "r1"}
        client.post("/v1/summarize", json={"text": "A secret storm."}, headers=headers)
        client.get("/nowhere/secret")
    spans = {span.name: span for span in collector.spans()}
    assert spans.keys() == {"POST /v1/summarize", "GET unmatched"}
    span = spans["POST /v1/summarize"]
    assert span.trace_id.hex() == TRACE
    attributes = {a.key: a.value for a in span.attributes}
    assert attributes["http.response.status_code"].int_value == 200
    assert attributes["patsum.request_id"].string_value == "r1"
    assert attributes["patsum.infer_ms"].double_value > 0
    assert all(b"secret" not in body for body in collector.bodies)
