"""The process: one uvicorn server around one application, drained before it stops."""

import logging
import signal
import socket
from time import monotonic
from types import FrameType

import uvicorn

from service.api.app import OnFailure, create_app
from service.api.health import Health
from service.api.logs import FIELDS, configure_logging
from service.api.settings import Settings
from service.errors import PatsumError

_LOGGER = logging.getLogger("patsum")


class DrainingServer(uvicorn.Server):
    """A uvicorn server that goes on serving for a while after SIGTERM.

    At SIGTERM `/readyz` turns 503 at once, so that balancers look elsewhere, and answers close
    their connections; requests that still come are served. After `drain_s` the socket closes, and
    what is open then gets `graceful_shutdown_s` to finish. A second SIGTERM, or Ctrl-C, skips the
    wait; a process that was not ready has nothing to wait for.

    Args:
        settings: how this process runs.
        on_failure: called when the start fails.
    """

    def __init__(self, settings: Settings, on_failure: OnFailure | None = None) -> None:
        self._health = Health()
        self._drain_s = settings.drain_s
        self._ends_at: float | None = None
        super().__init__(make_config(settings, on_failure, self._health))

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to drain, or end if that has begun."""
        super().handle_exit(sig, frame)
        if sig == signal.SIGTERM and self._health.is_ready:
            self._health.become_draining()
            self._ends_at = monotonic() + self._drain_s
            self.should_exit = False
            _LOGGER.info("draining", extra={FIELDS: {"drainS": self._drain_s}})

    async def on_tick(self, counter: int) -> bool:
        """End when the drain is over."""
        if self._ends_at is not None and monotonic() >= self._ends_at:
            self.should_exit = True
        return await super().on_tick(counter)


def run_server(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT.

    Args:
        settings: how this process runs.

    Raises:
        PatsumError: a port is taken, the model cannot be loaded, or an extra is missing.
    """
    configure_logging(settings.log_level)
    failures: list[PatsumError] = []

    def stop(error: PatsumError) -> None:
        failures.append(error)
        server.should_exit = True

    server = DrainingServer(settings, stop)
    with listen(settings.host, settings.port) as listener:
        host, port = listener.getsockname()[:2]
        _LOGGER.info("listening", extra={FIELDS: {"host": host, "port": port}})
        server.run(sockets=[listener])
    if failures:
        raise failures[0]


def make_config(
    settings: Settings, on_failure: OnFailure | None = None, health: Health | None = None
) -> uvicorn.Config:
    """Configure uvicorn: our own access log, no Server header, long keep-alive.

    Args:
        settings: how this process runs.
        on_failure: called when the start fails.
        health: of the process, where whoever ends it holds it too.
    """
    return uvicorn.Config(
        create_app(settings, on_failure, health),
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
    except (OSError, UnicodeError) as error:
        got = getattr(error, "strerror", None) or "a name that cannot be one"
        raise PatsumError(
            f"expected to listen on {host}:{port}, got {got}; choose another --host or --port"
        ) from error
