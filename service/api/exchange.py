"""One request and its answer, seen from outside: the id, the log line, the meters, the 500."""

import logging
import re
import uuid
from time import perf_counter

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.api.health import PROBES, Health
from service.api.logs import FIELDS, log_fields_of
from service.api.metrics import Metrics
from service.api.problems import internal_problem, problem_response
from service.api.stage_times import stage_times_of

_REQUEST_ID = re.compile(r"[A-Za-z0-9._:/+=@-]{1,128}")
_MAX_PATH_CHARACTERS = 200
_LOGGER = logging.getLogger("patsum.access")


def read_request_id(headers: Headers) -> str:
    """Take the client's X-Request-Id, or make one.

    Returns:
        The one id sent, when it has 1 to 128 of A-Z a-z 0-9 . _ : / + = @ -; else a new random one,
        so that nothing unforeseen reaches the log.
    """
    sent = headers.getlist("x-request-id")
    if len(sent) == 1 and _REQUEST_ID.fullmatch(sent[0]):
        return sent[0]
    return uuid.uuid4().hex


class ExchangeObserver:
    """Gives every request its id and records how it was answered.

    An error that nothing else caught becomes a 500 that carries only the request id. While the
    process drains, each answer closes its connection, so that the next request goes elsewhere.

    Args:
        app: the application inside.
        health: whether the process drains.
        metrics: where requests are counted.
    """

    def __init__(self, app: ASGIApp, health: Health, metrics: Metrics) -> None:
        self._app = app
        self._health = health
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on; see the class."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive)
        request.state.request_id = request_id = read_request_id(request.headers)
        status = 0
        started_s = perf_counter()

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["X-Request-Id"] = request_id
                if self._health.is_draining:
                    headers["Connection"] = "close"
            await send(message)

        try:
            await self._app(scope, receive, send_with_id)
        except Exception:
            _LOGGER.exception("unforeseen error", extra={FIELDS: {"requestId": request_id}})
            if status:  # half an answer is out: let the server cut the connection
                raise
            await problem_response(request, internal_problem())(scope, receive, send_with_id)
        finally:
            self._record(request, status, perf_counter() - started_s)

    def _record(self, request: Request, status: int, duration_s: float) -> None:
        route = getattr(request.scope.get("route"), "path", "unmatched")
        self._metrics.requests.labels(route, str(status)).inc()
        self._metrics.request_seconds.labels(route).observe(duration_s)
        fields = {
            "method": request.method,
            "route": route,
            "path": request.scope["path"][:_MAX_PATH_CHARACTERS],
            "status": status,
            "durationS": round(duration_s, 6),
            "requestId": request.state.request_id,
            **log_fields_of(request),
            **_stage_fields(request),
        }
        level = logging.DEBUG if route in PROBES else logging.INFO
        _LOGGER.log(level, "answered", extra={FIELDS: fields})


def _stage_fields(request: Request) -> dict[str, float]:
    times = stage_times_of(request)
    return {f"{name}S": round(seconds, 6) for name, seconds in times.items()} if times else {}
