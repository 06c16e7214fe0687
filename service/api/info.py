"""What runs here: the model and its patterns, the limits, the versions, the processor."""

import platform
from collections.abc import Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import MappingProxyType
from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel
from starlette.responses import Response

from service.api.model_host import ModelHost
from service.api.problems import AsciiJsonResponse, Problem
from service.api.settings import Settings, count_usable_cpus
from service.inference.bundle import Bundle
from service.inference.manifest import MODEL_FILE
from service.text.adaptive_length import COUNTS
from service.text.default_length import DEFAULT_SENTENCE_COUNT

PACKAGES = ("patsum", "onnxruntime", "tokenizers", "nltk", "numpy", "fastapi", "uvicorn")
"""Packages that decide how a text is cut, scored and answered."""

CPU_FEATURES = ("avx", "avx2", "fma", "f16c", "avx512f", "avx512_vnni", "avx_vnni", "avx512_bf16",
                "amx_int8", "asimd", "asimddp", "i8mm", "bf16", "sve")  # fmt: skip
"""Instruction sets that matter to the speed, and some to the last bits, of the model."""


class _Model(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)


class EvidenceInfo(_Model):
    """What was measured of a pattern in a head of the teacher."""

    relevance: float = Field(description="Mean attention inside the pattern, 0 to 1.")
    lift: float = Field(description="Relevance over that of uniform attention.")
    z: float = Field(description="Standard deviations above the mean over all heads.")
    low: float = Field(description="Lower end of the relevance's 95 % interval over documents.")
    high: float
    n_documents: int


class PlacementInfo(_Model):
    """A pattern that a person found in the teacher, and the head that carries it here."""

    layer: int
    head: int
    pattern: str
    teacher_layer: int = Field(description="Of the teacher's head that this one began as.")
    teacher_head: int
    note: str = Field(description="The person's own words; may be empty.")
    evidence: EvidenceInfo | None = Field(description="Null when nothing was measured.")


class DefaultLength(_Model):
    """How many sentences a summary has when the request has no length rule."""

    sentence_counts: list[int] = Field(
        description="One of these; fewer where the text has fewer, or they repeat each other."
    )
    weights: dict[str, float] | None = Field(
        description="Of what decides between several; null where there is one."
    )


class ModelInfo(_Model):
    """The loaded model, from its bundle's manifest."""

    name: str
    version: str = Field(description="The modelVersion of the answers.")
    sha256: str = Field(description="Of the whole model.onnx.")
    created: str
    languages: list[str]
    license: str
    layers: int
    width: int
    heads: int = Field(
        description="Of the token layer that has the most; `patterns` tells of each."
    )
    document_layers: int
    unmatched: str = Field(description="Where a token without a match looks: self or all.")
    weights: str
    opset: int
    max_tokens: int = Field(description="Most tokens of a document that are read.")
    max_sentence_tokens: int
    max_sentences: int
    default_length: DefaultLength
    patterns: list[list[str | None]] = Field(
        description="For each layer, for each head: its pattern, or null for a free head."
    )
    plan_reason: str = Field(
        description="Why the heads carry these patterns; empty when the bundle does not say."
    )
    placements: list[PlacementInfo] = Field(
        description="What a person decided about single heads, with the evidence."
    )


class Limits(_Model):
    """What is refused, and how much is done at once; all from the settings."""

    max_body_bytes: int
    max_documents: int
    max_characters: int
    max_occluded_sentences: int
    workers: int
    occlusion_workers: int
    threads: int
    max_queue_s: float
    max_queue_tokens: dict[str, int] = Field(
        description="Tokens that may wait, in force for each class of work; 0 before the warm-up."
    )
    deadline_s: float
    upload_s: float
    drain_s: float
    keep_alive_s: int
    graceful_shutdown_s: int


class CpuInfo(_Model):
    """The processor."""

    architecture: str
    model: str
    usable_cpus: int
    features: list[str]


class ServiceInfo(_Model):
    """The answer of `/info`."""

    model: ModelInfo
    limits: Limits
    versions: dict[str, str]
    cpu: CpuInfo
    quality: list[dict[str, Any]] = Field(description="Measurements, each with its command.")
    faithfulness: dict[str, Any] | None = Field(description="Null when it was not measured.")


def info_router(host: ModelHost, settings: Settings) -> APIRouter:
    """Make the route `/info`."""
    router = APIRouter(tags=["info"])

    @router.get("/info", response_model=ServiceInfo, responses={503: {"model": Problem}})
    async def info() -> Response:
        """Tell what runs here."""
        described = describe_service(host.summarizer.bundle, settings, host.queue_limits)
        return AsciiJsonResponse(described.model_dump(by_alias=True, mode="json"))

    return router


def describe_service(
    bundle: Bundle, settings: Settings, queue_limits: Mapping[str, int]
) -> ServiceInfo:
    """Describe a bundle and the process that serves it.

    Args:
        bundle: the loaded one.
        settings: how the process runs.
        queue_limits: tokens that may wait in each lane; empty where there is no queue.
    """
    manifest = bundle.manifest
    return ServiceInfo(
        model=_describe_model(bundle),
        limits=Limits(
            **settings.model_dump(include=set(Limits.model_fields) - {"max_queue_tokens"}),
            max_queue_tokens=dict(queue_limits),
        ),
        versions=dict(find_versions()),
        cpu=read_cpu(),
        quality=[entry.model_dump(by_alias=True) for entry in manifest.quality],
        faithfulness=manifest.faithfulness.model_dump(by_alias=True)
        if manifest.faithfulness
        else None,
    )


@cache
def find_versions() -> Mapping[str, str]:
    """Find the versions of Python and of each package; "not installed" in a bare checkout."""
    versions = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            versions[package] = "not installed"
    return MappingProxyType(versions)


def read_cpu(cpuinfo: Path = Path("/proc/cpuinfo")) -> CpuInfo:
    """Read the processor's name and those of its features that matter here.

    Args:
        cpuinfo: the kernel's file; where there is none, no feature is reported.
    """
    fields: dict[str, str] = {}
    if cpuinfo.is_file():
        for line in cpuinfo.read_text(errors="replace").split("\n\n")[0].splitlines():
            name, _, value = line.partition(":")
            fields[name.strip().lower()] = value.strip()
    flags = set((fields.get("flags") or fields.get("features") or "").split())
    return CpuInfo(
        architecture=platform.machine(),
        model=fields.get("model name", "unknown"),
        usable_cpus=count_usable_cpus(),
        features=[feature for feature in CPU_FEATURES if feature in flags],
    )


def _describe_model(bundle: Bundle) -> ModelInfo:
    manifest, model = bundle.manifest, bundle.manifest.model
    return ModelInfo(
        name=manifest.name,
        version=bundle.version,
        sha256=manifest.files[MODEL_FILE].sha256,
        created=manifest.created,
        languages=list(manifest.languages),
        license=manifest.license,
        layers=model.layers,
        width=model.width,
        heads=model.heads,
        document_layers=model.document_layers,
        unmatched=model.unmatched,
        weights=model.weights,
        opset=model.opset,
        max_tokens=manifest.encoder.max_tokens,
        max_sentence_tokens=manifest.encoder.max_sentence_tokens,
        max_sentences=manifest.encoder.max_sentences,
        default_length=_describe_default_length(bundle),
        patterns=[list(layer) for layer in model.patterns],
        plan_reason=model.plan_reason,
        placements=[PlacementInfo(**item.model_dump()) for item in model.placements],
    )


def _describe_default_length(bundle: Bundle) -> DefaultLength:
    entry = bundle.manifest.default_length
    if entry is None:
        return DefaultLength(sentence_counts=[DEFAULT_SENTENCE_COUNT], weights=None)
    return DefaultLength(sentence_counts=list(COUNTS), weights=entry.weights)
