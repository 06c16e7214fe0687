"""A model from a BERT-like pretrained encoder of transformers: its weights under our names."""

import dataclasses
from typing import Any

from safetensors import SafetensorError
from torch import Tensor

from service.errors import CheckpointError
from training.model.config import ModelConfig, Plan
from training.model.extractive_model import ExtractiveModel


def from_pretrained_encoder(name_or_path: str, **changes: Any) -> ExtractiveModel:
    """Make a teacher from a BERT-like pretrained encoder; the scorer is new.

    Args:
        name_or_path: a model of the hub or a local folder, as for
            `transformers.AutoModel.from_pretrained`.
        changes: fields of ModelConfig that differ from the encoder's own, such as document_layers.

    Returns:
        A model without patterns, all its layers and heads those of the encoder.

    Raises:
        CheckpointError: the encoder cannot be loaded, lacks weights or is not BERT-like.
    """
    source = _load(name_or_path)
    shape = source.config
    is_roberta = shape.model_type in {"roberta", "xlm-roberta", "camembert"}
    if not (is_roberta or shape.model_type == "bert"):
        raise CheckpointError(
            f"expected a BERT-like encoder (bert, roberta, xlm-roberta, camembert), "
            f"got {shape.model_type!r}; choose another --encoder"
        )
    positions = getattr(shape, "position_embedding_type", None) or "absolute"
    if (shape.hidden_act, positions) != ("gelu", "absolute"):
        raise CheckpointError(
            "expected an encoder with GELU and absolute positions, "
            f"got {shape.hidden_act!r} and {positions!r}; choose another --encoder"
        )
    free: Plan = ((None,) * shape.num_attention_heads,) * shape.num_hidden_layers
    config = ModelConfig(
        vocabulary=shape.vocab_size,
        width=shape.hidden_size,
        feed_forward=(shape.intermediate_size,) * shape.num_hidden_layers,
        max_positions=shape.max_position_embeddings,
        position_offset=(shape.pad_token_id + 1) if is_roberta else 0,
        token_types=shape.type_vocab_size,
        norm_eps=shape.layer_norm_eps,
        plan=free,
    )
    model = ExtractiveModel(dataclasses.replace(config, **changes))
    model.encoder.load_state_dict(_rename_encoder_state(source.state_dict()))
    return model


def _load(name_or_path: str) -> Any:
    """Load an encoder of transformers, whole."""
    from transformers import AutoModel

    try:
        source, loading = AutoModel.from_pretrained(name_or_path, output_loading_info=True)
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        raise CheckpointError(
            f"expected a pretrained encoder at {name_or_path!r} (a hub name or a folder): {error}; "
            "if it lies on this machine, name its folder with --encoder"
        ) from error
    missing = sorted(name for name in loading["missing_keys"] if not name.startswith("pooler."))
    if missing:  # transformers would draw these at random
        raise CheckpointError(
            f"expected the weights of a whole encoder at {name_or_path!r}, got none for "
            f"{len(missing)} of its tensors, {missing[0]!r} among them; save the model again with "
            "save_pretrained, or choose another --encoder"
        )
    return source


_ENCODER_NAMES = (
    ("embeddings.word_embeddings.", "embeddings.words."),
    ("embeddings.position_embeddings.", "embeddings.positions."),
    ("embeddings.token_type_embeddings.", "embeddings.token_types."),
    ("embeddings.LayerNorm.", "embeddings.norm."),
    ("encoder.layer.", "layers."),
    (".attention.self.", ".attention."),
    (".attention.output.dense.", ".attention.output."),
    (".attention.output.LayerNorm.", ".attention_norm."),
    (".intermediate.dense.", ".up."),
    (".output.dense.", ".down."),
    (".output.LayerNorm.", ".norm."),
)


def _rename_encoder_state(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Give the weights of a BERT of transformers the names of ours; its pooler is left out."""
    renamed = {}
    for name, weight in state.items():
        if name.startswith("pooler.") or name.endswith(".position_ids"):
            continue
        for theirs, ours in _ENCODER_NAMES:
            name = name.replace(theirs, ours)
        if not name.endswith("embeddings.token_type_ids"):
            renamed[name] = weight
    return renamed
