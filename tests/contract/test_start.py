"""Facts about the start: it needs no network, and no place to write.

Broken variants that these tests were seen to catch: a look-up of a host name and a file written
beside the bundle, both put into the start.
"""

import sys

import httpx

from tests.server_process import ServerProcess

GUARDED = """
import os, socket, sys

def refuse(event, arguments):
    if event == "socket.connect" and arguments[1][0] not in ("127.0.0.1", "::1"):
        os._exit(41)
    if event == "socket.getaddrinfo" and arguments[0] not in ("127.0.0.1", "localhost", None):
        os._exit(42)
    if event == "open" and isinstance(arguments[2], int):
        writes = arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
        if writes and str(arguments[0]) != os.devnull:
            os._exit(43)

sys.dont_write_bytecode = True
sys.addaudithook(refuse)
from service.cli import main
main()
"""


def test_service_starts_and_answers_without_network_and_without_writing(tiny_bundle):
    command = (sys.executable, "-c", GUARDED)
    with ServerProcess(command, bundle=tiny_bundle) as server:
        response = httpx.post(f"{server.url}/v1/summarize", json={"text": "A storm came."})
        assert response.status_code == 200
        assert server.process.poll() is None
