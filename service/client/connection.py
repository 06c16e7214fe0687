"""Where the service is and how it is called: what the sync and the async client share."""

import random
import re
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from service.client.answer import NDJSON, read_summary
from service.client.attempts import Attempts, RetryPolicy
from service.client.body import Document, Item, SummaryOptions, make_item, write_body
from service.client.errors import AnswerError
from service.client.results import DocumentSummary
from service.errors import InputError

CONNECT_TIMEOUT_S = 5.0
"""Most seconds for a connection to open; then another attempt is made."""

JSON_OR_LINES = f"{NDJSON}, application/json;q=0.5"

_CONTROL = re.compile("[\x00-\x1f\x7f]")
_REQUEST_ID = re.compile(r"[A-Za-z0-9._:/+=@-]{1,128}")


class Call(NamedTuple):
    """A request that may be sent several times.

    Attributes:
        method: GET or POST.
        path: below the base URL.
        content: JSON, or nothing.
        accept: media types.
        request_id: by which the log shall know it; None for one that the service makes.
    """

    method: str
    path: str
    content: bytes | None = None
    accept: str = "application/json"
    request_id: str | None = None

    def to_httpx(self, remaining_s: float) -> dict[str, Any]:
        """Write the arguments of httpx.

        Args:
            remaining_s: seconds that are left.
        """
        headers = {"Accept": self.accept, "Request-Timeout": f"{max(remaining_s, 0.001):.3f}"}
        if self.content is not None:
            headers["Content-Type"] = "application/json"
        if self.request_id is not None:
            headers["X-Request-Id"] = self.request_id
        connect_s = min(remaining_s, CONNECT_TIMEOUT_S)
        return {
            "method": self.method,
            "url": self.path,
            "content": self.content,
            "headers": headers,
            "timeout": (connect_s, remaining_s, remaining_s, remaining_s),
        }


class Connection:
    """What a client is made with; see `Client`.

    Raises:
        InputError: base_url has no http:// or https://, or a header cannot carry the key.
    """

    def __init__(
        self,
        base_url: str,
        api_key: str | None,
        timeout_s: float,
        retry: RetryPolicy | None,
        clock: Callable[[], float] = time.monotonic,
        draw: Callable[[], float] = random.random,
    ) -> None:
        if not base_url.startswith(("http://", "https://")):
            raise InputError(
                f"expected a base_url with http:// or https://, got {base_url!r}; write it in full"
            )
        self.headers = {} if api_key is None else {b"Authorization": _bearer(api_key)}
        self._timeout_s = timeout_s
        self._retry = retry or RetryPolicy()
        self._clock = clock
        self._draw = draw

    def start(self, timeout_s: float | None) -> Attempts:
        """Begin a call.

        Args:
            timeout_s: seconds for it; None for those of the client.

        Raises:
            InputError: not above 0.
        """
        timeout_s = self._timeout_s if timeout_s is None else timeout_s
        if not timeout_s > 0:
            raise InputError(f"expected a timeout_s above 0, got {timeout_s}; allow some time")
        return Attempts(timeout_s, self._retry, self._clock, self._draw)


def summarize_call(path: str, item: Item, options: SummaryOptions, request_id: str | None) -> Call:
    """Make the call that summarizes one document.

    Raises:
        InputError: an option cannot be sent, or the service would not take the request id.
    """
    if request_id is not None and not _REQUEST_ID.fullmatch(request_id):
        raise InputError(
            "expected a request_id of 1 to 128 of A-Z a-z 0-9 . _ : / + = @ -, "
            f"got {request_id!r}; the service would give it another"
        )
    return Call("POST", path, write_body([item], options), request_id=request_id)


def many_call(content: bytes) -> Call:
    """Make the call that summarizes some documents, answered line by line where offered."""
    return Call("POST", "/v1/summarize", content, accept=JSON_OR_LINES)


def only_item(text: str, language: str | None) -> Item:
    """Write a single document as it is sent."""
    return make_item(0, Document(text, language=language))


def read_only_summary(item: Item, answer: Mapping[str, Any]) -> DocumentSummary:
    """Read the answer for a single document.

    Raises:
        AnswerError: it is something else.
    """
    documents = answer.get("documents")
    if not isinstance(documents, list) or len(documents) != 1:
        raise AnswerError("expected one document, got another number; check the URL")
    return read_summary(item, documents[0], answer.get("modelVersion"))


def _bearer(api_key: str) -> bytes:
    """Write the value of the Authorization header; the service compares a key's UTF-8.

    Raises:
        InputError: a header cannot carry the key; the message does not show it.
    """
    advice = "mend the key, or leave it out"
    if not api_key or api_key != api_key.strip() or _CONTROL.search(api_key):
        raise InputError(
            "expected an api_key without line breaks, control characters and spaces around it, "
            f"got another; {advice}"
        )
    try:
        return f"Bearer {api_key}".encode()
    except UnicodeEncodeError as error:
        raise InputError(
            f"expected an api_key that UTF-8 can hold, got a lone surrogate; {advice}"
        ) from error
