"""The process of the explorer: one uvicorn server that ends at Ctrl-C."""

import socket
from collections.abc import Callable, Sequence
from contextlib import suppress

import uvicorn

from service.errors import DataError
from training.mining.explorer.app import create_app
from training.mining.explorer.explorer import Explorer


def serve(
    explorers: Sequence[Explorer], host: str, port: int, tell: Callable[[str], object]
) -> None:
    """Serve until Ctrl-C or SIGTERM.

    Args:
        explorers: what to serve, one a model of the same run.
        host: address to listen on.
        port: to listen on; 0 for any that is free.
        tell: is given a line with the page's address once the server listens.

    Raises:
        DataError: the address cannot be listened on.
    """
    with listen(host, port) as listener:
        bound = listener.getsockname()[1]
        names = " and ".join(explorer.exhibit.name for explorer in explorers)
        tell(
            f"http://{host}:{bound}/ shows the {names} in {explorers[0].exhibit.folder.parents[1]}"
        )
        for explorer in explorers:
            tell(f"Decisions about the {explorer.exhibit.name} go to {explorer.board.path}")
        tell("Ctrl-C ends.")
        app = create_app(explorers, ("127.0.0.1", "localhost", host))
        config = uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=2)
        with suppress(KeyboardInterrupt):  # as was told
            uvicorn.Server(config).run(sockets=[listener])


def listen(host: str, port: int) -> socket.socket:
    """Bind a socket.

    Raises:
        DataError: the address cannot be listened on.
    """
    try:
        return socket.create_server((host, port))
    except OSError as error:
        raise DataError(
            f"expected a free port at {host}:{port}: {error.strerror}; choose another with --port"
        ) from error
