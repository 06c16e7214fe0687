"""Documents on their way: what is still to be sent, and what has come back, in order."""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise

import httpx

from service.client.answer import (
    NDJSON,
    check_status,
    read_failure,
    read_object,
    read_summary,
)
from service.client.body import Item, SummaryOptions, write_body
from service.client.errors import (
    AnswerError,
    ClientError,
    DeadlineError,
    Problem,
    RefusedError,
    UnreachableError,
)
from service.client.results import DocumentFailure, DocumentSummary

DocumentOutcome = DocumentSummary | DocumentFailure
NARROWED = (RefusedError, DeadlineError)
"""After these it may be one document that spoils the request for the others."""

_CODES: Mapping[int | None, str] = {
    413: "TooLarge",
    500: "InternalError",
    504: "DeadlineExceeded",
}
_SHARED: Mapping[str, tuple[int, type[ClientError]]] = {
    "DeadlineExceeded": (504, DeadlineError),
    "InternalError": (500, RefusedError),
}
"""Failures that a document may owe to those beside it, and the refusal that says the same."""


class Delivery:
    """The documents of one request, asked for until each has its outcome.

    A connection that breaks costs only what has not come back; a refusal that may be about one
    document is narrowed down to it. No document is lost to the deadline or to a bug that others
    met: it counts as failed only when it was asked for alone.

    Args:
        items: the documents; at least one.
        options: how to summarize them.

    Attributes:
        n_asked: documents in the request that was written last.
    """

    def __init__(self, items: Iterable[Item], options: SummaryOptions) -> None:
        self._parts: deque[deque[Item]] = deque([deque(items)])
        self._options = options
        self.n_asked = 0

    @property
    def is_done(self) -> bool:
        """Every document has its outcome."""
        return not self._parts

    def body(self) -> bytes:
        """Write the next request."""
        self.n_asked = len(self._parts[0])
        return write_body(self._parts[0], self._options)

    def read(self, response: httpx.Response) -> "DeliveryReader":
        """Begin to read the answer to that request."""
        return DeliveryReader(self, response)

    def take(self, answer: object, model_version: object, *, is_failure: bool) -> DocumentOutcome:
        """Take the outcome of the next document.

        Args:
            answer: the document's part of the answer.
            model_version: of the answer.
            is_failure: it is an error.

        Raises:
            AnswerError: it belongs to another document, or is something else.
            DeadlineError: the document was not done in time, beside others; narrow it.
            RefusedError: the document met a bug, beside others; narrow it.
        """
        item = self._parts[0][0] if self._parts else None
        if item is None or not isinstance(answer, dict) or answer.get("id") != item.wire_id:
            raise AnswerError(
                "expected each document once and in order, got another; check the service's version"
            )
        outcome: DocumentOutcome
        if is_failure:
            outcome = read_failure(item, answer.get("error"))
            self._check_alone(outcome)
        else:
            outcome = read_summary(item, answer, model_version)
        self._forget_first()
        return outcome

    def take_all(self, content: bytes) -> Iterator[DocumentOutcome]:
        """Take the outcomes of a whole JSON answer."""
        answer = read_object(content)
        documents = {entry["id"]: entry for entry in _entries(answer, "documents")}
        errors = {entry["id"]: entry for entry in _entries(answer, "errors")}
        for item in tuple(self._parts[0]):
            is_failure = item.wire_id in errors
            entry = (errors if is_failure else documents).get(item.wire_id)
            yield self.take(entry, answer.get("modelVersion"), is_failure=is_failure)

    def narrow(self, error: ClientError) -> list[DocumentFailure]:
        """Find the document that a refusal is about.

        Args:
            error: one of NARROWED.

        Returns:
            The failure of a document that was alone; without one, what is left will be asked for:
            by halves when nothing has come, after a bug each document alone.

        Raises:
            ClientError: that one; it is about the request.
        """
        if not _is_about_documents(error):
            raise error
        part = self._parts[0]
        if len(part) < self.n_asked:  # some have come, or one was set apart
            return []
        if len(part) == 1:
            failure = DocumentFailure(id=part[0].id, code=_code(error), message=_words(error))
            self._forget_first()
            return [failure]
        self._cut(*range(1, len(part)) if error.status == 500 else [len(part) // 2])
        return []

    def _check_alone(self, failure: DocumentFailure) -> None:
        """Check that a failure is the document's own, and not owed to those beside it."""
        if self.n_asked == 1 or failure.code not in _SHARED:
            return
        status, kind = _SHARED[failure.code]
        if status == 500:  # it names the document, and the others are fine
            self._cut(1)
        raise kind(failure.message, status=status, problem=Problem(detail=failure.message))

    def _cut(self, *ends: int) -> None:
        """Cut the first part after so many documents each."""
        items = list(self._parts.popleft())
        pieces = [items[i:j] for i, j in pairwise((0, *ends, len(items)))]
        self._parts.extendleft(deque(piece) for piece in reversed(pieces) if piece)

    def _forget_first(self) -> None:
        self._parts[0].popleft()
        if not self._parts[0]:
            self._parts.popleft()


class DeliveryReader:
    """Reads one answer as it comes: NDJSON line by line, all else at its end.

    Args:
        delivery: takes the outcomes.
        response: whose head has come.
    """

    def __init__(self, delivery: Delivery, response: httpx.Response) -> None:
        self._delivery = delivery
        self._response = response
        kind = response.headers.get("content-type", "").partition(";")[0].strip()
        self._is_stream = response.status_code == 200 and kind == NDJSON
        self._n_expected = delivery.n_asked
        self._received = bytearray()

    def feed(self, chunk: bytes) -> Iterator[DocumentOutcome]:
        """Take some bytes, and give the outcomes that are whole."""
        self._received += chunk
        while self._is_stream and b"\n" in self._received:
            line, _, rest = self._received.partition(b"\n")
            self._received = rest
            if line.strip():
                yield self._take_line(bytes(line))

    def end(self) -> Iterator[DocumentOutcome]:
        """Give what is whole only now.

        Raises:
            ClientError: the request was refused, or the answer broke off.
        """
        if not self._is_stream:
            check_status(self._response.status_code, self._response.headers, bytes(self._received))
            yield from self._delivery.take_all(bytes(self._received))
            return
        if self._received.strip():
            yield self._take_line(bytes(self._received))
        if self._n_expected:
            raise UnreachableError(
                f"expected {self._n_expected} more documents, but the answer ended; "
                "check what stands between this client and the service"
            )

    def _take_line(self, line: bytes) -> DocumentOutcome:
        entry = read_object(line)
        is_failure = "error" in entry
        answer = entry.get("error" if is_failure else "document")
        outcome = self._delivery.take(answer, entry.get("modelVersion"), is_failure=is_failure)
        self._n_expected -= 1
        return outcome


def _entries(answer: dict[str, object], name: str) -> Sequence[dict[str, object]]:
    entries = answer.get(name, [])
    if not isinstance(entries, list) or not all(
        isinstance(e, dict) and isinstance(e.get("id"), str) for e in entries
    ):
        raise AnswerError(f"expected a list of {name} with ids, got another; check the URL")
    return entries


def _is_about_documents(error: ClientError) -> bool:
    pointers = _pointers(error)
    is_inside = bool(pointers) and all(p.startswith("#/documents/") for p in pointers)
    match error.status:
        case 413:
            return True
        case 500 | 504:  # a gateway's own says nothing of the documents
            return error.problem is not None
        case _:
            return error.status == 422 and is_inside


def _code(error: ClientError) -> str:
    """Name a refusal as the errors of a batch are named."""
    if error.status in _CODES:
        return _CODES[error.status]
    is_language = _pointers(error)[0].endswith("/language")
    return "UnsupportedLanguage" if is_language else "InvalidDocument"


def _words(error: ClientError) -> str:
    errors = error.problem.errors if error.problem else ()
    return errors[0].detail if errors else str(error)


def _pointers(error: ClientError) -> list[str]:
    return [e.pointer for e in error.problem.errors] if error.problem else []
