"""The answer as a stream: one line of JSON for each document, in their order, as they are done."""

from collections.abc import Callable

import anyio
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from service.api.accept import NDJSON
from service.api.caller import CallerGoneError, DeadlineError, work_for_caller
from service.api.problems import encode_ascii_json
from service.api.request_work import Outcome, RequestWork
from service.api.schemas import DocumentError, DocumentLine, ErrorLine

OnGivenUp = Callable[[Exception], None]

_LAST_LINES_S = 2.0
"""Time to take what is left when the deadline has passed, or all is done."""


class DocumentStream(Response):
    """Works while it answers; every document gets its line, also those that were given up.

    The status is 200 from the first byte on; what goes wrong later stands in the lines.

    Args:
        work: admitted; this response ends it.
        request_id: for each line.
        timeout_s: seconds for the whole stream.
        on_given_up: told when the client has gone or the time has passed.
    """

    media_type = NDJSON

    def __init__(
        self, work: RequestWork, request_id: str, timeout_s: float, on_given_up: OnGivenUp
    ) -> None:
        super().__init__()
        del self.headers["content-length"]
        self._work = work
        self._request_id = request_id
        self._timeout_s = timeout_s
        self._on_given_up = on_given_up
        self._n_sent = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the lines."""

        async def send_line(outcome: Outcome) -> None:
            line: DocumentLine | ErrorLine
            source = {"id": self._request_id, "model_version": self._work.model_version}
            if isinstance(outcome, DocumentError):
                line = ErrorLine(**source, error=outcome)
            else:
                line = DocumentLine(**source, document=outcome)
            content = encode_ascii_json(line.model_dump(by_alias=True, exclude_none=True))
            await send({"type": "http.response.body", "body": content + b"\n", "more_body": True})
            self._n_sent += 1

        start = {"type": "http.response.start", "status": 200, "headers": self.raw_headers}
        with self._work:
            await send(start)
            try:
                await work_for_caller(receive, self._timeout_s, lambda: self._work.run(send_line))
            except (CallerGoneError, DeadlineError) as error:
                self._on_given_up(error)
                if isinstance(error, CallerGoneError):
                    return
        with anyio.move_on_after(_LAST_LINES_S) as last_lines:
            for i in range(self._n_sent, len(self._work.documents)):
                await send_line(self._work.outcome_or_deadline(i))
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        if last_lines.cancelled_caught:  # a client that does not read: its connection is cut
            self._on_given_up(CallerGoneError())
