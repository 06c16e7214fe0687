"""The answer as a stream: one line of JSON for each document, in their order, as they are done."""

import logging
from collections.abc import Callable

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from service.api.accept import NDJSON
from service.api.caller import CallerGoneError, DeadlineError, work_for_caller
from service.api.logs import FIELDS
from service.api.problems import encode_ascii_json
from service.api.request_work import Outcome, RequestWork
from service.api.schemas import DocumentError, DocumentLine, ErrorLine

OnGivenUp = Callable[[Exception], None]

_LOGGER = logging.getLogger("patsum.stream")


class DocumentStream(Response):
    """Works while it answers; every document gets its line, also those that were given up.

    The status is 200 from the first byte on; what goes wrong later stands in the lines.

    Args:
        work: admitted; this response ends it.
        request_id: for each line.
        timeout_s: seconds for the whole stream.
        on_given_up: told when the client has gone, the time has passed, or we failed.
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
            except CallerGoneError as error:
                self._on_given_up(error)
                return
            except Exception as error:  # noqa: BLE001  # the answer has begun: it goes into its lines
                self._on_given_up(error)
                for i in range(self._n_sent, len(self._work.documents)):
                    await send_line(self._give_up(i, error))
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    def _give_up(self, i: int, error: Exception) -> DocumentError:
        if isinstance(error, DeadlineError):
            message = "expected to be done before the deadline, was not; send fewer documents"
            return self._work.error_of(i, "DeadlineExceeded", message)
        fields = {"requestId": self._request_id}
        _LOGGER.error("unforeseen error in a stream", exc_info=error, extra={FIELDS: fields})
        message = "expected to answer, met an unforeseen error; report the id to the operator"
        return self._work.error_of(i, "InternalError", message)
