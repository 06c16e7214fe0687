"""The Open Inference Protocol: the same summaries for clients of KServe and Triton.

A thin adapter: tensors become the request of `/v1/summarize`, take its way, and become tensors
again. A document that cannot be summarized fails its whole request: a tensor has no place for it.

Source:
    The Open Inference Protocol (v2) of KServe, REST form, with its binary tensor extension.
"""

from fastapi import APIRouter, Depends
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from service.api.endpoint import SummarizeEndpoint, check_n_documents
from service.api.health import Health
from service.api.infer_request import read_infer_request, refuse_tensors, to_summarize_request
from service.api.infer_response import to_infer_response
from service.api.info import find_versions
from service.api.json_route import BodyLimits
from service.api.model_host import ModelHost
from service.api.open_inference_schemas import (
    InferResponse,
    ModelMetadata,
    ModelReady,
    ServerLive,
    ServerMetadata,
    ServerReady,
    TensorMetadata,
)
from service.api.problems import AsciiJsonResponse, ProblemError, ProblemKind, internal_problem
from service.api.request_work import INTERNAL_ERROR
from service.api.settings import Settings
from service.api.stage_times import stage_times_of

EXTENSIONS = ["binary_tensor_data"]
PLATFORM = "onnxruntime_onnx"


def open_inference_router(
    endpoint: SummarizeEndpoint, settings: Settings, health: Health
) -> APIRouter:
    """Make the routes below `/v2`.

    Args:
        endpoint: answers, as it does for `/v1`.
        settings: the limits, the same as those of `/v1`.
        health: whether work can be taken.
    """
    router = APIRouter(prefix="/v2", tags=["open inference"])
    host = endpoint.host
    limits = BodyLimits(settings.max_body_bytes, settings.upload_s)

    async def check_model(model_name: str) -> None:
        _check_known("model", model_name, host.summarizer.bundle.manifest.name)

    async def check_version(model_name: str, model_version: str) -> None:
        await check_model(model_name)
        _check_known("version", model_version, _version(host))

    @router.get("", response_model=ServerMetadata)
    async def server() -> Response:
        """Describe the server."""
        version = find_versions()["patsum"]
        return _answer(ServerMetadata(name="patsum", version=version, extensions=EXTENSIONS))

    @router.get("/health/live", response_model=ServerLive)
    async def live() -> Response:
        """Tell that the process answers."""
        return _answer(ServerLive(live=True))

    @router.get("/health/ready", response_model=ServerReady)
    async def ready() -> Response:
        """Tell that the model is verified and warm."""
        health.require_ready()
        return _answer(ServerReady(ready=True))

    async def metadata() -> Response:
        """Describe the model's tensors."""
        return _answer(_describe_model(host))

    async def model_ready() -> Response:
        """Tell that this model is verified and warm, and not draining."""
        health.require_ready()
        name = host.summarizer.bundle.manifest.name
        return _answer(ModelReady(name=name, ready=True))

    async def infer(request: Request) -> Response:
        """Choose each document's most important sentences.

        `scores` has a row for each document: the scores of the summary's sentences in their order,
        filled up with -1 to the longest row.
        """
        asked, texts = await read_infer_request(request, limits, host.summaries)
        check_n_documents({"documents": texts}, settings.max_documents)
        body = to_summarize_request(asked, texts)
        batch = await endpoint.summarize(request, body)
        if batch.errors:
            first = batch.errors[0]
            if first.error.code == INTERNAL_ERROR:
                raise internal_problem()
            raise refuse_tensors(f"text[{first.id}]: {first.error.message}")
        response = to_infer_response(
            asked, batch.documents, host.summarizer.bundle.manifest.name, _version(host)
        )
        response.headers["Server-Timing"] = stage_times_of(request).server_timing()
        return response

    for path, check, suffix in (
        ("/models/{model_name}", check_model, ""),
        ("/models/{model_name}/versions/{model_version}", check_version, "_of_version"),
    ):
        for method, action, handle, model in (
            ("GET", "", metadata, ModelMetadata),
            ("GET", "/ready", model_ready, ModelReady),
            ("POST", "/infer", infer, InferResponse),
        ):
            router.add_api_route(
                path + action,
                handle,
                methods=[method],
                name=handle.__name__ + suffix,
                response_model=model,
                dependencies=[Depends(check)],
            )
    return router


def _describe_model(host: ModelHost) -> ModelMetadata:
    return ModelMetadata(
        name=host.summarizer.bundle.manifest.name,
        versions=[_version(host)],
        platform=PLATFORM,
        inputs=[TensorMetadata(name="text", datatype="BYTES", shape=[-1])],
        outputs=[
            TensorMetadata(name="summary", datatype="BYTES", shape=[-1]),
            TensorMetadata(name="scores", datatype="FP32", shape=[-1, -1]),
        ],
    )


def _version(host: ModelHost) -> str:
    """Give the digits of the modelVersion, without the name and the colon that paths quote."""
    return host.summarizer.bundle.version.rpartition(":")[2]


def _check_known(kind: str, asked: str, known: str) -> None:
    if asked != known:
        raise ProblemError(
            ProblemKind.NOT_FOUND, f"expected the {kind} {known}, got another; ask for that one"
        )


def _answer(answer: BaseModel) -> Response:
    return AsciiJsonResponse(answer.model_dump())
