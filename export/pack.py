"""Packs a verified model into a bundle: the folder that the service reads."""

import hashlib
import json
import shutil
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import onnx
from tokenizers import Tokenizer

from export.explain_on_demand import explain_on_demand
from export.explained_model import pattern_names
from export.model_card import describe_model
from export.same_answers import refuse_other_answers
from export.to_onnx import OPSET
from export.windows import read_in_windows
from service.errors import DataError
from service.inference.bundle import Bundle
from service.inference.manifest import (
    FORMAT,
    MANIFEST_FILE,
    MODEL_FILE,
    PUNKT_FILE,
    TOKENIZER_FILE,
    Manifest,
)
from training.data.examples import EncoderFiles
from training.model.config import ModelConfig
from training.model.extractive_model import ExtractiveModel
from training.model.patterns import Pattern


def pack_bundle(
    path: Path,
    *,
    name: str,
    model: ExtractiveModel,
    model_path: Path,
    weights: str,
    encoder_files: EncoderFiles,
    training: Mapping[str, Any],
    reasons: Mapping[str, Any] | None = None,
) -> Bundle:
    """Write a bundle, read it back, and return it.

    The folder appears whole at the end, or not at all; a bundle that is there is replaced.

    Args:
        path: folder to write.
        name: of the model, such as "patsum-news-en-3x384".
        model: the student, for its shape.
        model_path: its ONNX file, of `to_onnx.export_onnx` or `quantize.quantize`.
        weights: its number format, "int8" or "float32".
        encoder_files: the encoder that the model was trained with.
        training: how it was trained, for the manifest.
        reasons: why its heads carry what they carry, as `explain_plan` gives them; None for none.

    Returns:
        The bundle, verified.

    Raises:
        DataError: `path` is a folder of something else.
        ExportError: the graph answers otherwise once it is packed.
        BundleError: what was written does not read back.
    """
    path = path.absolute()
    refuse_other_folder(path)
    draft = path.with_name(path.name + ".draft")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    graph = onnx.load(model_path)
    explain_on_demand(graph)
    read_in_windows(graph)
    refuse_other_answers(onnx.load(model_path), graph, model.config.vocabulary)
    onnx.save(graph, draft / MODEL_FILE)
    shutil.copyfile(encoder_files.punkt, draft / PUNKT_FILE)
    # Written anew without indentation, which is a third of its size.
    tokenizer = Tokenizer.from_file(str(encoder_files.tokenizer))
    tokenizer.save(str(draft / TOKENIZER_FILE), pretty=False)
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
            "max_sentences": settings.max_sentences,
        },
        "fingerprint": encoder_files.open().fingerprint(),
        "model": _describe_model(model.config, pattern_names(model), weights) | dict(reasons or {}),
        "quality": [],
        "faithfulness": None,
        "default_length": None,
        "training": dict(training),
    }
    _write_manifest(draft, fields)
    Bundle(draft)
    old = path.with_name(path.name + ".old")
    if path.exists():
        path.rename(old)
    draft.rename(path)
    shutil.rmtree(old, ignore_errors=True)
    return Bundle(path)


def refuse_other_folder(path: Path) -> None:
    """Raise unless a bundle may be written at a path: nothing there, an empty folder, or a bundle.

    Raises:
        DataError: it is a file, or a folder that holds other things.
    """
    if not path.exists() or (path / MANIFEST_FILE).is_file():
        return
    if path.is_dir() and not any(path.iterdir()):
        return
    raise DataError(
        f"expected a bundle or nothing at {path}, got something else, which would be lost; "
        "name another folder to write the bundle to"
    )


def record_results(path: Path, reports: Sequence[Mapping[str, Any]]) -> Bundle:
    """Put measurements into a bundle's manifest and model card.

    Args:
        path: the bundle.
        reports: of `patsum evaluate --json`, the headline first; those of ROUGE replace the ones
            recorded before, one of `--faithfulness` replaces that one.

    Returns:
        The bundle, read again.

    Raises:
        BundleError: the bundle does not read.
        DataError: a report is of another bundle, or is no report.
    """
    bundle = Bundle(path)
    fields = json.loads((path / MANIFEST_FILE).read_text(encoding="utf-8"))
    quality = [dict(report) for report in reports if "rouge1" in report]
    faithfulness = [report for report in reports if "comprehensiveness" in report]
    if len(quality) + len(faithfulness) != len(reports) or len(faithfulness) > 1:
        raise DataError(
            "expected reports of `patsum evaluate --json`, at most one of --faithfulness, "
            f"got keys {[sorted(report)[:4] for report in reports]}"
        )
    for report in reports:
        if report.get("model") != bundle.version:
            raise DataError(
                f"expected reports on {bundle.version}, got one on {report.get('model')}; "
                "measure this bundle again"
            )
    if quality:
        fields["quality"] = quality
    if faithfulness:
        names = ("comprehensiveness", "sufficiency", "leaveOneOutKendallTau", "n")
        fields["faithfulness"] = {name: faithfulness[0][name] for name in names}
    _write_manifest(path, fields)
    return Bundle(path)


def write_default_length(path: Path, entry: Mapping[str, Any]) -> Bundle:
    """Put the weights of the default length into a bundle's manifest and model card.

    Answers without a length rule change, and so does the bundle's version. Measurements of quality,
    which were of other answers, are taken out.

    Args:
        path: the bundle.
        entry: a `default_length` of the manifest.

    Returns:
        The bundle, read again.

    Raises:
        BundleError: the bundle does not read.
    """
    Bundle(path)
    fields = json.loads((path / MANIFEST_FILE).read_text(encoding="utf-8"))
    _write_manifest(path, fields | {"default_length": dict(entry), "quality": []})
    return Bundle(path)


def _write_manifest(path: Path, fields: dict[str, Any]) -> None:
    """Write manifest and card; nothing is replaced unless both can be made."""
    card = describe_model(fields)
    Manifest.model_validate_json(json.dumps(fields))
    draft = path / (MANIFEST_FILE + ".draft")
    draft.write_text(json.dumps(fields, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    draft.replace(path / MANIFEST_FILE)
    (path / "README.md").write_text(card, encoding="utf-8")


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
        "fixed": [pattern.value for pattern in Pattern if pattern in config.fixed],
        "is_last_for_cls": config.is_last_for_cls,
        "pattern_names": list(names),
        "weights": weights,
        "opset": OPSET,
    }
