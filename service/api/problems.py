"""Why a request is refused: problem documents (RFC 9457), and the one table of them."""

import json
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from enum import Enum
from typing import Any
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from service.api.logs import log_fields_of

MAX_ERRORS = 20
"""Most errors listed in one problem; a body can hold more mistakes than anyone wants to read."""

FIELD_NAMES = (
    "documents", "text", "id", "language", "sentenceCount", "ratio", "maxCharacters", "sortBy",
    "stringIndexType", "longInput", "redundancy", "returnAllScores", "explain", "method", "topK",
)  # fmt: skip
"""What a wrong name is compared with; a test holds it against the schema."""

_MAX_NAME_CHARACTERS = 100


class ProblemKind(Enum):
    """Every way to be refused: status, name in the `type` URN, title."""

    NOT_JSON = (400, "not-json", "The body is not JSON")
    BAD_REQUEST = (400, "bad-request", "The request cannot be understood")
    UNAUTHORIZED = (401, "unauthorized", "The request carries no valid key")
    NOT_FOUND = (404, "not-found", "There is nothing at this path")
    METHOD_NOT_ALLOWED = (405, "method-not-allowed", "This path does not take this method")
    NOT_ACCEPTABLE = (406, "not-acceptable", "The asked media type is not offered")
    SLOW_BODY = (408, "slow-body", "The body did not come in time")
    TOO_LARGE = (413, "too-large", "The request is over a limit")
    UNSUPPORTED_MEDIA = (415, "unsupported-media", "The body comes in a form that is not read")
    UNPROCESSABLE = (422, "unprocessable", "The request has no usable meaning")
    TOO_BUSY = (429, "too-busy", "The queue is full")
    INTERNAL = (500, "internal", "The service failed")
    NOT_READY = (503, "not-ready", "The service cannot answer now")
    DEADLINE = (504, "deadline", "The deadline passed before the answer was whole")

    def __init__(self, status: int, slug: str, title: str) -> None:
        self.status = status
        self.slug = slug
        self.title = title


_KIND_OF_STATUS = {kind.status: kind for kind in reversed(ProblemKind)}


class FieldProblem(BaseModel):
    """One mistake in a body."""

    detail: str = Field(description="What was expected, and what came.")
    pointer: str = Field(description="JSON pointer to the value, as a URI fragment.")
    code: str | None = Field(
        None, description="Of a document without a summary, as in `errors` of a batch."
    )


class Problem(BaseModel):
    """A problem document (RFC 9457), sent as `application/problem+json`."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)

    type: str = Field(description="urn:patsum:problem:… names the kind; stable.")
    title: str = Field(description="The kind in words; the same for every occurrence.")
    status: int = Field(description="The HTTP status.")
    detail: str = Field(description="What was expected, what came, what to do.")
    instance: str = Field(description="The path that was asked.")
    request_id: str = Field(description="The X-Request-Id, also found in the service's log.")
    errors: list[FieldProblem] = Field(
        default_factory=list,
        description=f"Mistakes in the body, {MAX_ERRORS} at most; of documents, the first bad one.",
    )


class ProblemError(HTTPException):
    """A refusal on its way to the client.

    Args:
        kind: the row of the table.
        detail: what was expected, what came, what to do; shown to the client.
        errors: the mistakes in the body, if it was read that far.
        headers: further response headers, such as Retry-After.
    """

    def __init__(
        self,
        kind: ProblemKind,
        detail: str,
        errors: Sequence[FieldProblem] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(kind.status, detail, dict(headers) if headers else None)
        self.kind = kind
        self.errors = tuple(errors)


def encode_ascii_json(value: object) -> bytes:
    """Write JSON in ASCII bytes without white space; NaN is our own bug and raises.

    A lone surrogate in a text is escaped, where UTF-8 could not hold it.
    """
    return json.dumps(value, allow_nan=False, separators=(",", ":")).encode("ascii")


class AsciiJsonResponse(Response):
    """JSON in ASCII bytes."""

    media_type = "application/json"

    def render(self, content: object) -> bytes:
        """Encode the body."""
        return encode_ascii_json(content)


def internal_problem() -> ProblemError:
    """Make the refusal that carries nothing but the request id."""
    return ProblemError(
        ProblemKind.INTERNAL,
        "expected to answer, met an unforeseen error; report the requestId to the operator",
    )


def problem_response(request: Request, error: ProblemError) -> Response:
    """Write a refusal as a problem document, or as its path's protocol demands."""
    log_fields_of(request)["problem"] = error.kind.slug
    if is_open_inference(request.scope["path"]):
        return _open_inference_error(error)
    problem = Problem(
        type=f"urn:patsum:problem:{error.kind.slug}",
        title=error.kind.title,
        status=error.kind.status,
        detail=error.detail,
        instance=request.scope["path"],
        request_id=request.state.request_id,
        errors=list(error.errors[:MAX_ERRORS]),
    )
    content = problem.model_dump(by_alias=True, exclude_none=True)
    if not error.errors:
        del content["errors"]
    return AsciiJsonResponse(
        content, error.kind.status, error.headers, media_type="application/problem+json"
    )


def is_open_inference(path: str) -> bool:
    """Tell whether a path belongs to the Open Inference Protocol."""
    return path == "/v2" or path.startswith("/v2/")


def _open_inference_error(error: ProblemError) -> Response:
    """Write a refusal as `{"error": "…"}`; that protocol knows 400, and not 422."""
    status = 400 if error.kind is ProblemKind.UNPROCESSABLE else error.kind.status
    return AsciiJsonResponse({"error": error.detail}, status, error.headers)


def http_problem(request: Request, error: HTTPException) -> ProblemError:
    """Turn what the framework raises (404, 405, …) into a row of the table."""
    if isinstance(error, ProblemError):
        return error
    kind = _KIND_OF_STATUS.get(error.status_code, ProblemKind.BAD_REQUEST)
    if kind is ProblemKind.NOT_FOUND:
        detail = "expected a path listed in /docs, got another; check its spelling"
    elif kind is ProblemKind.METHOD_NOT_ALLOWED:
        allowed = (error.headers or {}).get("Allow", "another method")
        detail = f"expected {allowed} for this path, got {request.method}; change the method"
    else:
        detail = "expected a well-formed HTTP request, got one that could not be read; check it"
    return ProblemError(kind, detail, headers=error.headers)


def validation_problem(errors: Sequence[Mapping[str, Any]]) -> ProblemError:
    """Turn the errors of a schema into a 422.

    Args:
        errors: as pydantic lists them, `loc` beginning with "body"; only the first MAX_ERRORS
            are put into words.
    """
    field_problems = [_field_problem(error) for error in errors[:MAX_ERRORS]]
    first = field_problems[0]
    more = "" if len(errors) == 1 else f", the first of {len(errors)} mistakes"
    detail = f"{first.detail} (at {first.pointer}{more})"
    return ProblemError(ProblemKind.UNPROCESSABLE, detail, field_problems)


def json_pointer(location: Sequence[str | int]) -> str:
    """Write a path into a JSON document as a URI fragment, such as `#/documents/0/text`.

    Source:
        RFC 6901, section 6.
    """
    return "#" + "".join(f"/{_pointer_token(part)}" for part in location)


def _pointer_token(part: str | int) -> str:
    token = str(part)[:_MAX_NAME_CHARACTERS].replace("~", "~0").replace("/", "~1")
    return quote(token, safe="~!$&'()*+,;=:@", errors="backslashreplace")


def _field_problem(error: Mapping[str, Any]) -> FieldProblem:
    location = [*error["loc"][1:], *error.get("ctx", {}).get("location", ())]
    return FieldProblem(detail=_field_detail(error), pointer=json_pointer(location))


def _field_detail(error: Mapping[str, Any]) -> str:
    """Say what is wrong with one field without quoting a text back."""
    message = str(error["msg"])
    match error["type"]:
        case "extra_forbidden":
            return "expected a field listed in /docs, got an unknown one; " + _name_hint(error)
        case "missing":
            return "expected this field, got nothing; add it"
        case "string_unicode":
            return "expected text without lone surrogates, got one; remove it"
        case "length_rules" | "document_source" | "duplicate_id":
            return message
    expected = message.removeprefix("Input should be ")
    if error["type"] in ("model_type", "model_attributes_type", "dict_type"):
        expected = "an object"
    elif error["type"] == "enum":
        expected = f"{expected}, spelled exactly so"
    if expected.startswith(("less", "greater")):
        expected = f"a number {expected}"
    return f"expected {expected[:1].lower()}{expected[1:]}, got {_describe(error['input'])}"


def _name_hint(error: Mapping[str, Any]) -> str:
    """Tell which field a wrong name may have meant, without quoting the name."""
    near = get_close_matches(str(error["loc"][-1])[:_MAX_NAME_CHARACTERS], FIELD_NAMES, 1)
    return f"did you mean {near[0]}?" if near else "remove it or mend its name"


def _describe(value: object) -> str:
    """Name a JSON value by its type, and quote it only where it is a number, true or false."""
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case int() | float():
            return f"the number {str(value)[:40]}" if abs(value) < 1e300 else "a huge number"
        case str():
            return f"a string of {len(value)} characters"
        case list():
            return f"an array of {len(value)}"
        case dict():
            return "an object"
        case _:
            return "another kind of value"
