"""The caller: how long it waits, and whether it is still there."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import TypeVar

import anyio
from starlette.datastructures import Headers
from starlette.types import Receive

from service.api.problems import ProblemError, ProblemKind

Result = TypeVar("Result")

_SECONDS = re.compile(r"[0-9]{1,400}(\.[0-9]{0,400})?([eE][+-]?[0-9]{1,3})?|\.[0-9]{1,400}")


class CallerGoneError(Exception):
    """The client closed the connection; nobody waits for the answer."""


class DeadlineError(Exception):
    """The deadline passed before the answer was whole."""


def read_timeout(headers: Headers, deadline_s: float) -> float:
    """Take the smaller of our deadline and the caller's `Request-Timeout`.

    Args:
        headers: of the request.
        deadline_s: our own, in seconds.

    Returns:
        Seconds, above 0.

    Raises:
        ProblemError: 400, the header is not a positive number of seconds.
    """
    sent = headers.getlist("request-timeout")
    if not sent:
        return deadline_s
    is_number = len(sent) == 1 and _SECONDS.fullmatch(sent[0])
    asked_s = float(sent[0]) if is_number else 0.0
    if not asked_s > 0:
        raise ProblemError(
            ProblemKind.BAD_REQUEST,
            "expected Request-Timeout once, with a number of seconds above 0, got something else; "
            "send `Request-Timeout: 2.5`, or leave it out",
        )
    return min(asked_s, deadline_s)


async def work_for_caller(
    receive: Receive, timeout_s: float, work: Callable[[], Awaitable[Result]]
) -> Result:
    """Do some work as long as the caller is there and its time has not passed.

    Args:
        receive: of the request, whose body has been read: what comes next is the disconnect.
        timeout_s: seconds for the work, from now.
        work: is cancelled as soon as nobody waits for it; it may take a moment to wind down.

    Returns:
        What the work returns.

    Raises:
        CallerGoneError: the client closed the connection.
        DeadlineError: the time passed.
    """
    is_gone = False

    async def watch() -> None:
        nonlocal is_gone
        while (await receive())["type"] != "http.disconnect":
            pass
        is_gone = True
        scope.cancel()

    with anyio.move_on_after(timeout_s) as scope:
        watcher = asyncio.create_task(watch())
        try:
            return await work()
        finally:
            watcher.cancel()
    raise CallerGoneError if is_gone else DeadlineError
