"""The gate: who may ask for work, by bearer keys; probes, pages and metrics stand outside it."""

import hmac
from collections.abc import Sequence

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from service.api.metrics import Metrics, Rejection
from service.api.problems import ProblemError, ProblemKind, problem_response


def is_guarded(path: str) -> bool:
    """Tell whether a path asks for work, or tells how the process runs."""
    return path.startswith("/v1/") or path == "/info" or path.endswith("/infer")


class Gate:
    """Turns requests for work away that carry none of the keys.

    Args:
        app: the application inside.
        keys: those that open; without any, everybody may pass.
        metrics: where those turned away are counted.

    Source:
        RFC 6750: `Authorization: Bearer KEY`, and the challenge of a 401.
    """

    def __init__(self, app: ASGIApp, keys: Sequence[str], metrics: Metrics) -> None:
        self._app = app
        self._keys = [key.encode() for key in keys]
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer 401."""
        if not self._keys or scope["type"] != "http" or not is_guarded(scope["path"]):
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive)
        if self._opens(request.headers.get("authorization", "")):
            await self._app(scope, receive, send)
            return
        self._metrics.rejections.labels(Rejection.UNAUTHORIZED).inc()
        refusal = ProblemError(
            ProblemKind.UNAUTHORIZED,
            "expected a known key, got none or another; send `Authorization: Bearer KEY`",
            headers={"WWW-Authenticate": 'Bearer realm="patsum"'},
        )
        await problem_response(request, refusal)(scope, receive, send)

    def _opens(self, authorization: str) -> bool:
        scheme, _, key = authorization.partition(" ")
        sent = key.strip(" \t").encode("latin-1")  # as the server decoded the header's bytes
        # Every key is compared, in a time that does not depend on where they differ.
        matches = [hmac.compare_digest(sent, known) for known in self._keys]
        return scheme.lower() == "bearer" and any(matches)


def split_keys(setting: str) -> list[str]:
    """Split the setting into keys: several, so that they can be changed without a gap.

    Args:
        setting: keys separated by commas; white space around one does not count.
    """
    return [key.strip() for key in setting.split(",") if key.strip()]
