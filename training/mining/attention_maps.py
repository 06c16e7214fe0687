"""The attention maps of one document, layer by layer, heads in the order of their numbers."""

from collections.abc import Iterator

import torch
from torch import Tensor

from training.model.attention import AttentionRecord, PatternedAttention
from training.model.extractive_model import ExtractiveModel


def attention_maps(
    model: ExtractiveModel, token_ids: Tensor, sentence_ids: Tensor
) -> Iterator[Tensor]:
    """Read what every head of a model looks at in one document.

    Args:
        model: in the dense form, in eval mode.
        token_ids: (tokens,) int64.
        sentence_ids: (tokens,) int64, without padding.

    Yields:
        One a token layer: (heads, tokens, tokens) float, each row sums to 1. A map is let go when
        the next one is asked for.
    """
    assert not model.config.is_structured, "structured heads keep no maps"
    record = model.new_record()
    with torch.inference_mode():
        model(token_ids[None], sentence_ids[None], record)
    for attention, kept in zip(attention_layers(model), record.token_layers, strict=True):
        yield _in_head_order(attention, kept)
        kept.weights.clear()


def attention_layers(model: ExtractiveModel) -> list[PatternedAttention]:
    """The attention of each token layer."""
    layers = [layer.attention for layer in model.encoder.layers]
    return [attention for attention in layers if isinstance(attention, PatternedAttention)]


def _in_head_order(attention: PatternedAttention, record: AttentionRecord) -> Tensor:
    groups = [record.weights[group.pattern][0] for group in attention.groups]
    maps = torch.cat(groups) if len(groups) > 1 else groups[0]
    places = [attention.head_order.index(head) for head in range(attention.n_heads)]
    return maps if places == sorted(places) else maps[places]
