"""The OpenAPI description: what FastAPI finds out, completed by what it cannot know.

Nothing of the machine or its settings is in it.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel, RootModel

from service.api.accept import NDJSON
from service.api.open_inference_schemas import InferRequest, OpenInferenceError
from service.api.problems import Problem, is_open_inference
from service.api.schemas import DocumentLine, ErrorLine
from service.api.tensor_bytes import OCTETS

Json = dict[str, Any]

REFUSALS: Mapping[str, str] = {
    "400": "The request cannot be read: its body, its tensors, or Request-Timeout.",
    "401": "The service has a key, and `Authorization: Bearer KEY` is missing or wrong.",
    "404": "There is no such model or version.",
    "406": "The Accept header takes nothing that is offered.",
    "408": "The body did not come in time.",
    "413": "The body, its documents or its text are over a limit.",
    "415": "The body is of another media type, or compressed.",
    "422": "A field is wrong, or no document could be summarized.",
    "429": "There is no room for this work now; see Retry-After.",
    "500": "The service failed; the body carries only the request id.",
    "503": "The service is starting, draining or failed; see Retry-After.",
    "504": "The deadline passed, in the queue or in work.",
}

_WORK = ("400", "401", "408", "413", "415", "429", "500", "503", "504")
_EXAMPLE_TEXT = (
    "The ferry left before dawn. Nobody expected fog. By noon it was back in the harbour."
)


def _has(**types: str) -> Json:
    """Demand some fields, and no null in them."""
    return {
        "properties": {name: {"type": kind} for name, kind in types.items()},
        "required": list(types),
    }


_EXCLUSIONS: Json = {
    "anyOf": [_has(text="string"), _has(documents="array")],
    "not": {
        "anyOf": [
            _has(text="string", documents="array"),
            _has(sentenceCount="integer", ratio="number"),
            _has(sentenceCount="integer", maxCharacters="integer"),
            _has(ratio="number", maxCharacters="integer"),
        ]
    },
}
"""What the fields of a SummarizeRequest say of each other; pydantic checks it in Python."""


class SummaryLine(RootModel[DocumentLine | ErrorLine]):
    """One line of an NDJSON answer: the outcome of the next document."""


def describe_api(app: FastAPI) -> Json:
    """Describe the routes of an application.

    Args:
        app: whose title, version and description are taken too.

    Returns:
        An OpenAPI 3.1 document.
    """
    described = get_openapi(
        title=app.title, version=app.version, description=app.description, routes=app.routes
    )
    components = described["components"]
    for model in (Problem, OpenInferenceError, InferRequest, SummaryLine):
        components["schemas"] |= _schemas(model)
    components["schemas"]["SummarizeRequest"] |= _EXCLUSIONS
    components["securitySchemes"] = {
        "bearer": {
            "type": "http",
            "scheme": "bearer",
            "description": "Asked for only where the operator has set a key.",
        }
    }
    for path, methods in described["paths"].items():
        for operation in methods.values():
            _complete_operation(path, operation)
    _drop_unused_schemas(described)
    return described


def _complete_operation(path: str, operation: Json) -> None:
    responses = operation["responses"]
    for status in _refusals(path):
        responses.setdefault(status, {"description": REFUSALS[status]})
    if is_open_inference(path):
        responses.pop("422", None)  # FastAPI's own, for path parameters that are any string
    for status in sorted(responses):  # in order
        responses[status] = _complete_response(path, status, responses.pop(status))
    operation.setdefault("parameters", []).append(_header("X-Request-Id"))
    if _is_work(path):
        operation["parameters"].append(_header("Request-Timeout"))
        _complete_work(path, operation)
    if "401" in responses:
        operation["security"] = [{}, {"bearer": []}]


def _complete_response(path: str, status: str, response: Json) -> Json:
    response["headers"] = {"X-Request-Id": _response_header("X-Request-Id")}
    if status >= "400":
        is_tensors = is_open_inference(path)
        kind = "application/json" if is_tensors else "application/problem+json"
        schema = _reference(OpenInferenceError if is_tensors else Problem)
        response["content"] = {kind: {"schema": schema}}
    if status in ("429", "503"):
        response["headers"]["Retry-After"] = _response_header("Retry-After")
    if status == "200" and _is_work(path):
        response["headers"]["Server-Timing"] = _response_header("Server-Timing")
    return response


def _complete_work(path: str, operation: Json) -> None:
    """Add the second media type of the answer, and what the body holds."""
    content = operation["responses"]["200"]["content"]
    if is_open_inference(path):
        content[OCTETS] = {}
        body = {"schema": _reference(InferRequest), "example": _infer_example()}
        operation["requestBody"] = {"required": True, "content": {"application/json": body}}
    else:
        content[NDJSON] = {"schema": _reference(SummaryLine)}
        body = operation["requestBody"]["content"]["application/json"]
        body["example"] = {"text": _EXAMPLE_TEXT, "sentenceCount": 2}


def _refusals(path: str) -> tuple[str, ...]:
    """List the statuses of the refusals at a path."""
    if path.startswith("/v1/"):
        return (*_WORK, "406", "422")
    if path.startswith("/v2/models/"):
        return (*_WORK, "404") if _is_work(path) else ("404", "500", "503")
    if path == "/info":
        return ("401", "500", "503")
    return ("500", "503") if path in ("/readyz", "/v2/health/ready") else ("500",)


def _is_work(path: str) -> bool:
    return path.startswith("/v1/") or path.endswith("/infer")


_HEADERS: Mapping[str, tuple[Json, str]] = {
    "X-Request-Id": (
        {"type": "string"},
        "1 to 128 of A-Z a-z 0-9 . _ : / + = @ - are returned; else a random one is made.",
    ),
    "Request-Timeout": (
        {"type": "number", "exclusiveMinimum": 0, "examples": [10]},
        "Seconds; lowers the service's own deadline.",
    ),
    "Retry-After": ({"type": "integer", "minimum": 0}, "Seconds to wait before trying again."),
    "Server-Timing": (
        {"type": "string"},
        "Milliseconds of the stages, over all documents: queue, encode, infer, explain.",
    ),
}


def _header(name: str) -> Json:
    schema, description = _HEADERS[name]
    return {
        "name": name,
        "in": "header",
        "required": False,
        "schema": dict(schema),
        "description": description,
    }


def _response_header(name: str) -> Json:
    schema, description = _HEADERS[name]
    is_certain = name != "Server-Timing"
    return {"schema": dict(schema), "description": description, "required": is_certain}


def _infer_example() -> Json:
    tensor = {"name": "text", "shape": [1], "datatype": "BYTES", "data": [_EXAMPLE_TEXT]}
    return {"inputs": [tensor], "parameters": {"sentence_count": 2}}


def _reference(model: type[BaseModel]) -> Json:
    return {"$ref": f"#/components/schemas/{model.__name__}"}


def _schemas(model: type[BaseModel]) -> Json:
    """Give the schemas of a model and of those inside it, by name."""
    schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
    inner: Json = schema.pop("$defs", {})
    return {**inner, model.__name__: schema}


def _drop_unused_schemas(described: Json) -> None:
    """Drop schemas that nothing refers to, such as FastAPI's own form of a 422."""
    schemas = described["components"]["schemas"]
    while unused := schemas.keys() - set(_references(described)):
        for name in unused:
            del schemas[name]
    described["components"]["schemas"] = dict(sorted(schemas.items()))


def _references(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"].rpartition("/")[2]
        for item in value.values():
            yield from _references(item)
    elif isinstance(value, list):
        for item in value:
            yield from _references(item)
