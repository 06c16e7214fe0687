"""The way of a request's body in: media types, encoding, size, and strict JSON."""

import json
from collections.abc import Callable, Coroutine, Mapping
from email.message import Message
from typing import Any, NamedTuple

import anyio
from fastapi.routing import APIRoute
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from service.api.accept import JSON, choose_media_type
from service.api.admission import Lane
from service.api.caller import CallerGoneError
from service.api.problems import FieldProblem, ProblemError, ProblemKind

MAX_NAMES = 50
"""Most names that one object may have; no object of ours has half as many."""

CheckJson = Callable[[object], None]


class BodyLimits(NamedTuple):
    """How much of a body is read, and for how long.

    Attributes:
        max_bytes: largest body that is read.
        upload_s: seconds for it to come whole: a client that never ends must not hold what it sent.
    """

    max_bytes: int
    upload_s: float


class JsonRequest(Request):
    """A request whose body is read up to a limit and parsed strictly.

    Args:
        request: the request as the framework made it.
        limits: of the body.
        check: refuses a parsed body by raising a ProblemError, before a schema sees it.
        lane: refuses the body unread while it is nearly full, whatever it asks for; None where
            bodies are read in any case.
    """

    def __init__(
        self, request: Request, limits: BodyLimits, check: CheckJson, lane: Lane | None
    ) -> None:
        super().__init__(request.scope, request.receive)
        self._limits = limits
        self._check = check
        self._lane = lane

    async def body(self) -> bytes:
        """Read the body, refusing as soon as it is known to be too long.

        Raises:
            ProblemError: 408, it has not come whole in time; 413, by Content-Length or by what has
                come; 429, the lane was nearly full when it began to come.
            CallerGoneError: the client has gone before it was whole.
        """
        if not hasattr(self, "_body"):
            declared = self.headers.get("content-length", "")
            if declared.isdecimal() and int(declared) > self._limits.max_bytes:
                raise self._too_large(f"{declared} (Content-Length)")
            if self._lane is not None and self._lane.is_nearly_full:
                # Thrown away, but waited for: closing on a client that still sends can cost it the
                # answer, and a connection that was answered early never times out in uvicorn.
                refusal = self._lane.refuse_unread()  # of now, not of after the upload
                await self._take(is_kept=False)
                raise refusal
            self._body = bytes(await self._take(is_kept=True))
        return self._body

    async def _take(self, *, is_kept: bool) -> bytearray:
        """Take the whole body from the connection.

        Args:
            is_kept: it is returned; otherwise nothing is, and it needs no memory.
        """
        received = bytearray()
        n_received = 0
        try:
            with anyio.fail_after(self._limits.upload_s):
                async for chunk in self.stream():
                    n_received += len(chunk)
                    if n_received > self._limits.max_bytes:
                        raise self._too_large(f"at least {n_received}")
                    if is_kept:
                        received += chunk
        except ClientDisconnect as error:
            raise CallerGoneError from error
        except TimeoutError as error:
            raise self._too_slow(n_received) from error
        return received

    async def json(self) -> object:
        """Parse and check the body.

        Raises:
            ProblemError: 400, not one JSON value in UTF-8 with unique names; 422, an object of more
                than MAX_NAMES names; or what the check raises.
        """
        value = parse_json(await self.body())
        self._check(value)
        return value

    def _too_slow(self, n_received: int) -> ProblemError:
        return ProblemError(
            ProblemKind.SLOW_BODY,
            f"expected the whole body within {self._limits.upload_s:g} s, got {n_received} bytes "
            "of it; send it faster, or less at once",
            headers={"Connection": "close"},
        )

    def _too_large(self, got: str) -> ProblemError:
        return ProblemError(
            ProblemKind.TOO_LARGE,
            f"expected a body of at most {self._limits.max_bytes} bytes, got {got}; "
            "send fewer or shorter documents a request",
            headers={"Connection": "close"},  # the rest of the body is not read
        )


def json_route(limits: BodyLimits, check: CheckJson, lane: Lane | None = None) -> type[APIRoute]:
    """Make the class of the routes that take JSON.

    `request.state.media_type` tells what the client wants, of what the route's description offers.

    Args:
        limits: of the body.
        check: refuses a parsed body by raising a ProblemError. A schema makes an error for every
            item that is wrong, so what bounds their number is checked here, before it.
        lane: refuses bodies unread while it is nearly full, also those that ask for work of another
            lane; None where bodies are read in any case.
    """

    class JsonRoute(APIRoute):
        def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
            handle = super().get_route_handler()
            offered = offered_media_types(self.responses)

            async def handle_json(request: Request) -> Response:
                accept = request.headers.getlist("accept")
                request.state.media_type = choose_media_type(accept, offered)
                check_content(
                    request.headers.get("content-type"), request.headers.get("content-encoding")
                )
                json_request = JsonRequest(request, limits, check, lane)
                if not await json_request.body():
                    raise _not_json("nothing")
                return await handle(json_request)

            return handle_json

    return JsonRoute


def offered_media_types(responses: Mapping[int | str, Mapping[str, Any]]) -> tuple[str, ...]:
    """Name what a route can answer with: JSON, and what its description names beside it.

    Args:
        responses: of the route, as FastAPI takes them.
    """
    return (JSON, *responses.get(200, {}).get("content", {}))


def check_content(content_type: str | None, content_encoding: str | None) -> None:
    """Check that the body claims to be plain JSON in UTF-8.

    Raises:
        ProblemError: 415.
    """
    if content_encoding is not None:
        raise ProblemError(
            ProblemKind.UNSUPPORTED_MEDIA,
            "expected a body without Content-Encoding, got one with; send it uncompressed",
            headers={"Accept-Encoding": "identity"},
        )
    message = Message()
    message["content-type"] = content_type or ""
    charset = message.get_param("charset", "utf-8")
    is_json = content_type is not None and message.get_content_type() == "application/json"
    if not is_json or str(charset).lower() not in ("utf-8", "utf8"):
        got = "another" if content_type else "none"
        raise ProblemError(
            ProblemKind.UNSUPPORTED_MEDIA,
            f"expected a Content-Type of application/json in UTF-8, got {got}; "
            "send `Content-Type: application/json`",
            headers={"Accept": "application/json"},
        )


def parse_json(body: bytes) -> object:
    """Parse JSON as RFC 8259 has it: UTF-8, no NaN, and no name twice in one object.

    Raises:
        ProblemError: 400; 422, an object of more than MAX_NAMES names.
    """
    try:
        return json.loads(
            body.decode("utf-8"), parse_constant=_refuse_constant, object_pairs_hook=_make_object
        )
    except UnicodeDecodeError as error:
        raise _not_json(f"a byte that is not UTF-8 at offset {error.start}") from error
    except json.JSONDecodeError as error:
        raise _not_json(
            f"an error at line {error.lineno} column {error.colno}: {error.msg}"
        ) from error
    except RecursionError as error:
        raise _not_json("arrays or objects nested too deeply") from error
    except ValueError as error:  # a number of thousands of digits
        raise _not_json("a number with too many digits") from error


def _refuse_constant(name: str) -> None:
    raise _not_json(f"{name}, which JSON does not have")


def _make_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(pairs) > MAX_NAMES:
        detail = (
            f"expected objects of at most {MAX_NAMES} names, got one of {len(pairs)}; "
            "send only the fields listed in /docs"
        )
        problem = FieldProblem(detail=detail, pointer="#")
        raise ProblemError(ProblemKind.UNPROCESSABLE, detail, [problem])
    unique = dict(pairs)
    if len(unique) < len(pairs):
        raise _not_json("an object with a name twice")
    return unique


def _not_json(got: str) -> ProblemError:
    return ProblemError(
        ProblemKind.NOT_JSON, f"expected one JSON object in UTF-8, got {got}; mend the body"
    )
