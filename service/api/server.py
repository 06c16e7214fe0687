"""The process: one uvicorn server around one application, stopped gracefully."""

import logging
import socket

import uvicorn

from service.api.app import OnFailure, create_app
from service.api.logs import FIELDS, configure_logging
from service.api.settings import Settings
from service.errors import PatsumError

_LOGGER = logging.getLogger("patsum")


def run_server(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT; open requests get `graceful_shutdown_s` to finish.

    Args:
        settings: how this process runs.

    Raises:
        PatsumError: a port is taken, or the model cannot be loaded.
    """
    configure_logging(settings.log_level)
    failures: list[PatsumError] = []

    def stop(error: PatsumError) -> None:
        failures.append(error)
        server.should_exit = True

    server = uvicorn.Server(make_config(settings, stop))
    with listen(settings.host, settings.port) as listener:
        host, port = listener.getsockname()[:2]
        _LOGGER.info("listening", extra={FIELDS: {"host": host, "port": port}})
        server.run(sockets=[listener])
    if failures:
        raise failures[0]


def make_config(settings: Settings, on_failure: OnFailure | None = None) -> uvicorn.Config:
    """Configure uvicorn: our own access log, no Server header, long keep-alive.

    Args:
        settings: how this process runs.
        on_failure: called when the start fails.
    """
    return uvicorn.Config(
        create_app(settings, on_failure),
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=settings.keep_alive_s,
        timeout_graceful_shutdown=settings.graceful_shutdown_s,
    )


def listen(host: str, port: int) -> socket.socket:
    """Open the listening socket.

    Args:
        host: name or address.
        port: 0 takes a free one.

    Raises:
        PatsumError: the address is unknown, or the port is taken or forbidden.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.create_server(address[:2], family=family, backlog=2048)
        # Its connections inherit this. asyncio sets it only on sockets that it opened itself, and
        # without it an answer's second packet waits 40 ms for the client's delayed acknowledgement.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return listener
    except OSError as error:
        raise PatsumError(
            f"expected to listen on {host}:{port}, got {error.strerror}; "
            "choose another --host or --port"
        ) from error
