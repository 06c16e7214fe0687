"""The real service behind a real uvicorn, in a thread of the test."""

import threading
from contextlib import contextmanager

import httpx
import uvicorn

from service.api.server import listen, make_config


@contextmanager
def serve_live(settings):
    """Serve until the context ends; gives the URL once the service is ready."""
    server = uvicorn.Server(make_config(settings))
    with listen("127.0.0.1", 0) as listener:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            url = "http://{}:{}".format(*listener.getsockname())
            with httpx.Client(base_url=url) as client:
                for _ in range(10_000):
                    if client.get("/readyz").status_code == 200:
                        break
                else:
                    raise AssertionError(client.get("/readyz").text)
            yield url
        finally:
            server.should_exit = True
            thread.join()
