"""Checkpoints: the state of a fit to resume from, and the compact file of a finished model.

A compact checkpoint holds only the weights that differ from the public base encoder, as float16.
"""

import dataclasses
import json
import os
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from service.errors import CheckpointError
from training.fit.tensor_hash import hash_tensors
from training.model.config import Activation, ModelConfig, PalConfig, Plan, Positions
from training.model.controls import Control
from training.model.extractive_model import ExtractiveModel
from training.model.patterns import Pattern, Unmatched
from training.model.pretrained import from_pretrained_encoder


def write_state(state: dict[str, Any], path: Path) -> None:
    """Write a resumable state; a kill at any time leaves the old file or the new one, whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".draft")
    with draft.open("wb") as file:
        torch.save(state, file)
        file.flush()
        os.fsync(file.fileno())  # or a loss of power may leave the new name with no content
    draft.replace(path)


def read_state(path: Path) -> dict[str, Any]:
    """Read a resumable state.

    Raises:
        CheckpointError: the file cannot be read.
    """
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        if not isinstance(state, dict):
            raise TypeError(f"it holds a {type(state).__name__}")
    except Exception as error:  # torch.load raises half a dozen kinds, none of them its own
        raise CheckpointError(
            f"expected a resumable state in {path}: {error}; delete the file to start over"
        ) from error
    return state


def save_model(
    model: ExtractiveModel,
    path: Path,
    base: str = "",
    note: str = "",
    *,
    base_at: str | None = None,
) -> None:
    """Write a finished model.

    Args:
        model: the model.
        path: file to write, *.safetensors.
        base: pretrained encoder that it came from; weights equal to it are left out, the others
            become float16. "" keeps every weight, as it is.
        note: free text for the reader of the file, such as its validation figure.
        base_at: where the pretrained encoder is now, if not where `base` says; not stored.

    Raises:
        CheckpointError: the pretrained encoder cannot be loaded.
    """
    weights = {name: weight.detach().cpu() for name, weight in model.state_dict().items()}
    metadata = {"config": json.dumps(config_to_json(model.config)), "base": base, "note": note}
    if base:
        frozen = from_pretrained_encoder(base_at or base).state_dict()
        left_out = {
            name: weight
            for name, weight in weights.items()
            if name.startswith("encoder.")
            and name in frozen
            and frozen[name].shape == weight.shape
            and torch.equal(frozen[name], weight)
        }
        weights = {n: weight.half() for n, weight in weights.items() if n not in left_out}
        metadata["base_sha256"] = hash_tensors(left_out)
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".draft")
    save_file({name: weight.contiguous() for name, weight in weights.items()}, draft, metadata)
    draft.replace(path)


def load_model(path: Path, base: str | None = None) -> ExtractiveModel:
    """Read a finished model.

    Args:
        path: a file of `save_model`.
        base: where the pretrained encoder is now, if not where the file says.

    Returns:
        The model, float32, in eval mode.

    Raises:
        CheckpointError: no such file, not a model, its weights do not fit its shape, or the
            pretrained encoder is not the one that it came from.
    """
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            names = list(file.keys())
            weights = {name: file.get_tensor(name).float() for name in names}
        config = config_from_json(json.loads(metadata["config"]))
    except (OSError, SafetensorError, KeyError, ValueError, TypeError) as error:
        raise CheckpointError(f"expected a model of patsum in {path}: {error}") from error
    model = ExtractiveModel(config)
    if metadata.get("base"):
        frozen = from_pretrained_encoder(base or metadata["base"]).state_dict()
        present = model.state_dict()  # a student has fewer layers than the base
        left_out = {n: w for n, w in frozen.items() if n in present and _is_left_out(n, weights)}
        expected = metadata.get("base_sha256")  # files of earlier versions have none
        if expected is not None and hash_tensors(left_out) != expected:
            raise CheckpointError(
                f"{path} belongs to another base encoder than {base or metadata['base']!r}: its "
                f"weights are not those that were left out of the file; give the "
                f"{metadata['base']!r} that it was fitted from"
            )
        weights |= left_out
    try:
        model.load_state_dict(weights)
    except RuntimeError as error:
        raise CheckpointError(f"{path}: its weights do not fit its shape: {error}") from error
    return model.eval()


def _is_left_out(name: str, weights: dict[str, Tensor]) -> bool:
    """Whether a weight of the pretrained encoder is taken from there, not from the file."""
    return name.startswith("encoder.") and name not in weights


def read_base(path: Path) -> str:
    """Read which pretrained encoder a finished model was written without.

    Args:
        path: a file of `save_model`.

    Returns:
        The `base` that it was saved with; "" where it holds every weight.

    Raises:
        CheckpointError: no such file, or not a model.
    """
    try:
        with safe_open(path, framework="pt") as file:
            base: str = file.metadata()["base"]
    except (OSError, SafetensorError, KeyError, TypeError) as error:
        raise CheckpointError(f"expected a model of patsum in {path}: {error}") from error
    return base


def config_to_json(config: ModelConfig) -> dict[str, Any]:
    """A model's shape as JSON has it; sets are sorted."""
    return {**dataclasses.asdict(config), "fixed": sorted(config.fixed)}


def config_from_json(fields: dict[str, Any]) -> ModelConfig:
    """A model's shape from what `config_to_json` gave, in this version or an earlier one."""
    plan = _plan_from_json(fields["plan"])
    fields = {name: value for name, value in fields.items() if name != "heads"}
    neurons = fields["feed_forward"]  # of every layer, in earlier versions
    return ModelConfig(
        **{
            **fields,
            "plan": plan,
            "feed_forward": (neurons,) * len(plan) if isinstance(neurons, int) else tuple(neurons),
            "control": Control(fields["control"]) if fields.get("control") else None,
            "pal": _pal_from_json(fields["pal"]) if fields.get("pal") else None,
            "positions": Positions(fields["positions"]),
            "activation": Activation(fields.get("activation", Activation.GELU)),
            "unmatched": Unmatched(fields["unmatched"]),
            "fixed": frozenset(map(Pattern, fields["fixed"])),
        }
    )


def _pal_from_json(fields: dict[str, Any]) -> PalConfig:
    (plan,) = _plan_from_json([fields["plan"]])
    return PalConfig(**{**fields, "plan": plan, "unmatched": Unmatched(fields["unmatched"])})


def _plan_from_json(rows: list[list[str | None]]) -> Plan:
    return tuple(tuple(Pattern(name) if name else None for name in row) for row in rows)


def average_into(average: dict[str, Tensor], model: ExtractiveModel, decay: float) -> None:
    """Move the running average of a model's weights towards its present ones, in place."""
    for name, weight in model.state_dict().items():
        if name in average:
            average[name].lerp_(weight.detach(), 1.0 - decay)
