"""What the service answers: read, checked against what was sent, or turned into an error."""

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
from pydantic import ValidationError

from service.client.body import Item
from service.client.errors import (
    AnswerError,
    BusyError,
    ClientError,
    DeadlineError,
    Problem,
    RefusedError,
    UnreachableError,
)
from service.client.results import DocumentFailure, DocumentSummary, ServiceInfo
from service.errors import InputError

NDJSON = "application/x-ndjson"

_ERRORS: Mapping[int, type[ClientError]] = {
    429: BusyError,
    502: BusyError,  # a proxy lost the service behind it
    503: BusyError,
    504: DeadlineError,
}


@contextmanager
def name_transport_errors() -> Iterator[None]:
    """Turn what httpx raises into our errors.

    Raises:
        DeadlineError: the service was too slow.
        UnreachableError: there was no connection, or it broke.
        AnswerError: what came is no HTTP.
        InputError: a header holds what HTTP cannot carry.
    """
    try:
        yield
    except (httpx.ReadTimeout, httpx.WriteTimeout) as error:
        raise DeadlineError(
            "expected an answer in time, got none; send less, or allow more with timeout_s"
        ) from error
    except httpx.LocalProtocolError as error:
        raise InputError(
            f"expected a request that HTTP can carry, got: {error}; mend the key or the request id"
        ) from error
    except httpx.TransportError as error:
        reason = str(error) or type(error).__name__
        raise UnreachableError(
            f"expected a service at this address, got: {reason}; check the address and the service"
        ) from error
    except httpx.HTTPError as error:
        raise AnswerError(f"expected an answer of patsum, got: {error}") from error


def check_status(status: int, headers: httpx.Headers, content: bytes) -> None:
    """Check that a request succeeded.

    Args:
        status: of the answer.
        headers: of the answer.
        content: the whole answer.

    Raises:
        ClientError: it did not; the class says how.
    """
    if status == 200:
        return
    kind = _ERRORS.get(status, RefusedError if status >= 400 else AnswerError)
    problem = _read_problem(headers, content)
    words = problem.detail if problem else "expected an answer of patsum, got another"
    if problem and problem.errors:
        words += "".join(f"; {e.pointer}: {e.detail}" for e in problem.errors)
    raise kind(
        f"HTTP {status}: {words}",
        status=status,
        problem=problem,
        request_id=headers.get("x-request-id"),
        retry_after_s=read_retry_after(headers.get("retry-after"), datetime.now(UTC)),
    )


def read_retry_after(value: str | None, now: datetime) -> float | None:
    """Read a Retry-After header.

    Args:
        value: seconds or a date.
        now: with a time zone.

    Returns:
        Seconds, 0 for a time past; None without a header that can be read.
    """
    if value is None:
        return None
    if re.fullmatch(r"[0-9]{1,9}", value.strip()):
        return float(value)
    try:
        when = parsedate_to_datetime(value)
    except ValueError:
        return None
    return max(0.0, (when.replace(tzinfo=when.tzinfo or UTC) - now).total_seconds())


def read_object(content: bytes) -> dict[str, Any]:
    """Read one JSON object.

    Raises:
        AnswerError: it is none.
    """
    try:
        return _as_object(json.loads(content))
    except (ValueError, RecursionError) as error:
        raise AnswerError("expected JSON of patsum, got something else; check the URL") from error


def read_info(answer: Mapping[str, Any]) -> ServiceInfo:
    """Read what `/info` answers.

    Raises:
        AnswerError: it is something else.
    """
    with _name_missing_fields():
        return ServiceInfo.model_validate(answer)


def read_summary(item: Item, answer: object, model_version: object) -> DocumentSummary:
    """Read one summary, and check that it quotes the text that was sent.

    Args:
        item: the document that was sent.
        answer: its summary.
        model_version: of the answer around it.

    Raises:
        AnswerError: it is no summary, or quotes something else.
    """
    fields = {**_as_object(answer), "id": item.id, "modelVersion": model_version}
    with _name_missing_fields():
        summary = DocumentSummary.model_validate(fields)
    for sentence in (*summary.sentences, *(summary.all_scores or ())):
        end = sentence.offset + sentence.length
        if sentence.offset < 0 or item.text[sentence.offset : end] != sentence.text:
            raise AnswerError(
                f"expected document {item.id} to be quoted word for word, got another text at "
                f"{sentence.offset}; check what stands between this client and the service"
            )
    return summary


def read_failure(item: Item, answer: object) -> DocumentFailure:
    """Read why one document of several has no summary.

    Args:
        item: the document that was sent.
        answer: its `error`.

    Raises:
        AnswerError: it is something else.
    """
    with _name_missing_fields():
        return DocumentFailure.model_validate({**_as_object(answer), "id": item.id})


def _as_object(value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise AnswerError("expected a JSON object of patsum, got another value; check the URL")
    return value


@contextmanager
def _name_missing_fields() -> Iterator[None]:
    try:
        yield
    except ValidationError as error:
        raise AnswerError(
            "expected the fields that docs/api.md lists, got others; check the service's version"
        ) from error


def _read_problem(headers: httpx.Headers, content: bytes) -> Problem | None:
    if not headers.get("content-type", "").startswith("application/problem+json"):
        return None
    try:
        return Problem.model_validate(json.loads(content))
    except ValueError:
        return None
