"""The request of an inference: from bytes to tensors, and to what `/v1/summarize` takes."""

from collections.abc import Sequence

from pydantic import ValidationError
from starlette.requests import Request

from service.api.admission import Lane
from service.api.json_route import BodyLimits, JsonRequest, check_content, parse_json
from service.api.open_inference_schemas import InferRequest
from service.api.problems import ProblemError, ProblemKind, validation_problem
from service.api.schemas import InputDocument, SummarizeRequest
from service.api.tensor_bytes import HEADER_LENGTH, OCTETS, read_texts


async def read_infer_request(
    request: Request, limits: BodyLimits, lane: Lane
) -> tuple[InferRequest, list[str]]:
    """Read the request of an inference, and the texts from its JSON or from behind it.

    Args:
        request: unread.
        limits: of the body.
        lane: refuses the body unread while it is nearly full.

    Returns:
        The request, and the text of each document.

    Raises:
        ProblemError: 400, 408, 413, 415, 422 or 429.
    """
    content_type = request.headers.get("content-type", OCTETS)
    if content_type == OCTETS:  # as the protocol has it, or none, as Triton's client does
        content_type = "application/json"
    check_content(content_type, request.headers.get("content-encoding"))
    body = await JsonRequest(request, limits, lambda _: None, lane).body()
    n_json = _read_header_length(request.headers.get(HEADER_LENGTH), len(body))
    try:
        asked = InferRequest.model_validate(parse_json(body[:n_json]))
    except ValidationError as error:
        raise _schema_problem(error) from error
    names = [output.name for output in asked.outputs]
    if len(set(names)) < len(names):
        raise refuse_tensors("expected each output once, got one twice; ask for it once")
    return asked, _read_input(asked, body[n_json:])


def to_summarize_request(asked: InferRequest, texts: Sequence[str]) -> SummarizeRequest:
    """Turn tensors into the request that `/v1/summarize` takes.

    Args:
        asked: the request.
        texts: of its documents.
    """
    options = asked.parameters.model_dump(exclude={"language", "binary_data_output"})
    language = asked.parameters.language
    documents = [InputDocument(text=text, language=language) for text in texts]
    return SummarizeRequest(documents=documents, **options)


def refuse_tensors(detail: str) -> ProblemError:
    """Make the refusal of tensors that have no usable meaning; this protocol answers it as 400.

    Args:
        detail: what was expected, what came, what to do.
    """
    return ProblemError(ProblemKind.UNPROCESSABLE, detail)


def _read_header_length(value: str | None, n_bytes: int) -> int:
    """Find where the JSON of a body ends."""
    if value is None:
        return n_bytes
    if not (value.isascii() and value.isdecimal() and len(value) < 20 and int(value) <= n_bytes):
        raise ProblemError(
            ProblemKind.BAD_REQUEST,
            f"expected {HEADER_LENGTH} to be a number of bytes up to the body's {n_bytes}, "
            "got another; send the length of the JSON",
        )
    return int(value)


def _read_input(asked: InferRequest, binary: bytes) -> list[str]:
    """Take the texts from where they stand, and check that they are what the request says."""
    (tensor,) = asked.inputs
    size = tensor.parameters.binary_data_size
    if (size is None) == (tensor.data is None):
        got = "neither" if size is None else "both"
        raise refuse_tensors(
            f"inputs[0]: expected either data or binary_data_size, got {got}; give one"
        )
    if len(binary) != (size or 0):
        raise refuse_tensors(
            f"expected {size or 0} bytes of binary data behind the JSON, got {len(binary)}; "
            f"mend binary_data_size or {HEADER_LENGTH}"
        )
    try:
        texts = read_texts(binary) if tensor.data is None else tensor.data
    except ValueError as error:
        raise refuse_tensors(
            f"inputs[0]: expected elements of four length bytes and UTF-8, got {error}; mend it"
        ) from error
    if tensor.shape != [len(texts)]:
        raise refuse_tensors(
            f"inputs[0]: expected the shape [{len(texts)}] of its data, got {tensor.shape}; "
            "mend one of them"
        )
    return texts


def _schema_problem(error: ValidationError) -> ProblemError:
    """Turn the errors of a schema into a 422 whose detail names the first one."""
    errors = [{**e, "loc": ("body", *e["loc"])} for e in error.errors(include_url=False)]
    first = validation_problem(errors).errors[0]
    return refuse_tensors(f"{first.pointer}: {first.detail}")
