"""Facts about the process: it stops gracefully, and says in one line why it cannot start."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys

import httpx
import pytest

from service.api.server import listen
from service.errors import PatsumError

N_DOCUMENTS = 5
QUICK = ("--metrics-port", "0", "--drain-s", "0")


@pytest.fixture
def start_process():
    processes = []

    def start(*arguments):
        environment = {k: v for k, v in os.environ.items() if not k.startswith("PATSUM_")}
        process = subprocess.Popen(
            [sys.executable, "-m", "service.cli", "serve", *QUICK, *arguments],
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
        )
        processes.append(process)
        return process

    yield start
    for process in processes:
        process.kill()
        process.communicate()


def read_line(process, message):
    """Read the log until a message comes."""
    for line in process.stderr:
        fields = json.loads(line)
        if fields["message"] == message:
            return fields
    raise AssertionError(f"the process ended without {message!r}")


def test_process_serves_and_ends_on_sigterm(start_process, tiny_bundle):
    process = start_process("--port", "0", "--bundle", str(tiny_bundle))
    port = read_line(process, "listening")["port"]
    assert read_line(process, "ready")["modelVersion"].startswith("patsum-tiny@")
    response = httpx.post(
        f"http://127.0.0.1:{port}/v1/summarize", json={"text": "A storm."}, timeout=60
    )
    assert response.status_code == 200
    assert "server" not in response.headers
    process.send_signal(signal.SIGTERM)
    _, log = process.communicate(timeout=300)
    assert process.returncode in (0, -signal.SIGTERM)
    assert "Traceback" not in log


def start_request(port, body):
    """Send the head of a request; the server asks for the body once the request is in its hands."""
    connection = socket.create_connection(("127.0.0.1", port), timeout=300)
    connection.sendall(
        b"POST /v1/explain HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(body)
    )
    assert connection.recv(1000).startswith(b"HTTP/1.1 100 ")
    return connection


def test_request_that_is_open_at_sigterm_gets_its_answer(start_process, tiny_bundle, text):
    document = {"text": " ".join(f"{text} Report {i} is out." for i in range(20))}
    body = {"documents": [document] * N_DOCUMENTS, "explain": {"method": "occlusion"}}
    content = json.dumps(body).encode()
    process = start_process("--port", "0", "--bundle", str(tiny_bundle))
    port = read_line(process, "listening")["port"]
    read_line(process, "ready")
    with start_request(port, content) as connection:
        process.send_signal(signal.SIGTERM)
        read_line(process, "Shutting down")
        connection.sendall(content)
        response = http.client.HTTPResponse(connection)
        response.begin()
        answer = json.loads(response.read())
    assert response.status == 200
    assert len(answer["documents"]) == N_DOCUMENTS
    _, log = process.communicate(timeout=300)
    assert process.returncode in (0, -signal.SIGTERM)
    assert "Traceback" not in log


def test_process_with_an_unusable_bundle_ends_with_one_line(start_process, tmp_path):
    process = start_process("--port", "0", "--bundle", str(tmp_path))
    _, log = process.communicate(timeout=300)
    assert process.returncode == 2
    assert log.splitlines()[-1].startswith("patsum: error: expected the manifest of a bundle")
    assert "Traceback" not in log


def test_process_on_a_taken_port_ends_with_one_line(start_process, tiny_bundle):
    with listen("127.0.0.1", 0) as listener:
        port = str(listener.getsockname()[1])
        process = start_process("--port", port, "--bundle", str(tiny_bundle))
        _, log = process.communicate(timeout=300)
    assert process.returncode == 2
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
