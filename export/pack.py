"""Packs a verified model into a bundle: the folder that the service reads."""

import hashlib
import json
import shutil
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from export.explained_model import pattern_names
from export.model_card import write_model_card
from export.to_onnx import OPSET
from service.inference.bundle import Bundle
from service.inference.manifest import (
    FORMAT,
    MANIFEST_FILE,
    MODEL_FILE,
    PUNKT_FILE,
    TOKENIZER_FILE,
)
from training.data.examples import EncoderFiles
from training.model.config import ModelConfig
from training.model.summarizer_model import ExtractiveModel


def pack_bundle(
    path: Path,
    *,
    name: str,
    model: ExtractiveModel,
    model_path: Path,
    weights: str,
    encoder_files: EncoderFiles,
    training: Mapping[str, Any],
) -> Bundle:
    """Write a bundle, read it back, and return it.

    The folder appears whole at the end, or not at all; one that is there is replaced.

    Args:
        path: folder to write.
        name: of the model, such as "patsum-news-en-3x384".
        model: the student, for its shape.
        model_path: the ONNX file that goes in.
        weights: its number format, "int8" or "float32".
        encoder_files: the encoder that the model was trained with.
        training: how it was trained, for the manifest.

    Returns:
        The bundle, verified.

    Raises:
        BundleError: what was written does not read back.
    """
    draft = path.with_name(path.name + ".draft")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    for source, target in (
        (model_path, MODEL_FILE),
        (encoder_files.tokenizer, TOKENIZER_FILE),
        (encoder_files.punkt, PUNKT_FILE),
    ):
        shutil.copyfile(source, draft / target)
    settings = encoder_files.settings
    fields = {
        "format": FORMAT,
        "name": name,
        "created": datetime.now(UTC).date().isoformat(),
        "languages": ["en"],
        "license": "Apache-2.0",
        "files": {
            file: _describe_file(draft / file) for file in (MODEL_FILE, TOKENIZER_FILE, PUNKT_FILE)
        },
        "encoder": {
            "max_tokens": settings.max_tokens,
            "max_sentence_tokens": settings.max_sentence_tokens,
        },
        "fingerprint": encoder_files.open().fingerprint(),
        "model": _describe_model(model.config, pattern_names(model), weights),
        "quality": [],
        "faithfulness": None,
        "training": dict(training),
    }
    _write_manifest(draft, fields)
    Bundle(draft)
    shutil.rmtree(path, ignore_errors=True)
    draft.rename(path)
    return Bundle(path)


def record_results(
    path: Path, reports: list[dict[str, Any]], faithfulness: dict[str, Any] | None
) -> Bundle:
    """Put measurements into a bundle's manifest and model card.

    Args:
        path: the bundle.
        reports: of `patsum evaluate --json`; they replace the ones recorded before.
        faithfulness: of `patsum evaluate --faithfulness`, as the manifest holds it; None keeps
            what is there.

    Returns:
        The bundle, read again.

    Raises:
        BundleError: the bundle does not read.
    """
    Bundle(path)
    fields = json.loads((path / MANIFEST_FILE).read_text(encoding="utf-8"))
    fields["quality"] = reports
    if faithfulness is not None:
        fields["faithfulness"] = faithfulness
    _write_manifest(path, fields)
    return Bundle(path)


def _write_manifest(path: Path, fields: dict[str, Any]) -> None:
    draft = path / (MANIFEST_FILE + ".draft")
    draft.write_text(json.dumps(fields, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    draft.replace(path / MANIFEST_FILE)
    write_model_card(fields, path / "README.md")


def _describe_file(path: Path) -> dict[str, Any]:
    content = path.read_bytes()
    return {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}


def _describe_model(config: ModelConfig, names: tuple[str, ...], weights: str) -> dict[str, Any]:
    return {
        "layers": config.layers,
        "width": config.width,
        "heads": config.heads,
        "document_layers": config.document_layers,
        "unmatched": config.unmatched.value,
        "patterns": [
            [pattern.value if pattern else None for pattern in row] for row in config.plan
        ],
        "pattern_names": list(names),
        "weights": weights,
        "opset": OPSET,
    }
