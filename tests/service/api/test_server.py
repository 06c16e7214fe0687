"""Facts about the process: it stops gracefully, and says in one line why it cannot start."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
from urllib.parse import urlsplit

import httpx
import pytest

from service.api.server import listen
from service.errors import PatsumError
from tests.server_process import ServerProcess

N_DOCUMENTS = 5


def end_in_vain(*arguments):
    """Start a process that cannot serve; give its exit status and its log."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PATSUM_")}
    command = [sys.executable, "-m", "service.cli", "serve", "--metrics-port", "0", *arguments]
    ended = subprocess.run(
        command, stderr=subprocess.PIPE, text=True, env=environment, timeout=300, check=False
    )
    return ended.returncode, ended.stderr


def check_end(server):
    """A process that was asked to end has ended without a complaint."""
    assert server.process.returncode in (0, -signal.SIGTERM)
    assert "Traceback" not in json.dumps(server.log)


def test_process_serves_and_ends_on_sigterm(tiny_bundle):
    with ServerProcess(bundle=tiny_bundle) as server:
        (ready,) = [line for line in server.log if line["message"] == "ready"]
        assert ready["modelVersion"].startswith("patsum-tiny@")
        url = f"{server.url}/v1/summarize"
        response = httpx.post(url, json={"text": "A storm."}, timeout=60)
        assert response.status_code == 200
        assert "server" not in response.headers
        server.terminate()
        server.process.wait(300)
    check_end(server)


def start_request(port, body):
    """Send the head of a request; the server asks for the body once the request is in its hands."""
    connection = socket.create_connection(("127.0.0.1", port), timeout=300)
    connection.sendall(
        b"POST /v1/explain HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(body)
    )
    assert connection.recv(1000).startswith(b"HTTP/1.1 100 ")
    return connection


def test_request_that_is_open_at_sigterm_gets_its_answer(tiny_bundle, text):
    document = {"text": " ".join(f"{text} Report {i} is out." for i in range(20))}
    body = {"documents": [document] * N_DOCUMENTS, "explain": {"method": "occlusion"}}
    content = json.dumps(body).encode()
    with ServerProcess(bundle=tiny_bundle) as server:
        with start_request(urlsplit(server.url).port, content) as connection:
            server.terminate()
            server.wait_for("Shutting down")
            connection.sendall(content)
            response = http.client.HTTPResponse(connection)
            response.begin()
            answer = json.loads(response.read())
        assert response.status == 200
        assert len(answer["documents"]) == N_DOCUMENTS
        server.process.wait(300)
    check_end(server)


def test_process_with_an_unusable_bundle_ends_with_one_line(tmp_path):
    status, log = end_in_vain("--port", "0", "--bundle", str(tmp_path))
    assert status == 2
    assert log.splitlines()[-1].startswith("patsum: error: expected the manifest of a bundle")
    assert "Traceback" not in log


def test_process_on_a_taken_port_ends_with_one_line(tiny_bundle):
    with listen("127.0.0.1", 0) as listener:
        port = str(listener.getsockname()[1])
        status, log = end_in_vain("--port", port, "--bundle", str(tiny_bundle))
    assert status == 2
    assert log.startswith(f"patsum: error: expected to listen on 127.0.0.1:{port}, got ")


def test_answers_do_not_wait_for_acknowledgements():
    with (
        listen("127.0.0.1", 0) as listener,
        socket.create_connection(listener.getsockname()),
        listener.accept()[0] as accepted,
    ):
        assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_unknown_host_is_told():
    with pytest.raises(PatsumError, match=r"no-such-host\.invalid"):
        listen("no-such-host.invalid", 0)
