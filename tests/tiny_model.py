"""A student of two layers that carries every pattern, in a moment."""

import dataclasses

import torch

from tests.tiny_bundle import tiny_tokenizer
from training.model.config import ModelConfig, Positions
from training.model.extractive_model import ExtractiveModel
from training.model.patterns import Pattern

MATCHING, INTRA, PREVIOUS, NEXT = Pattern

# As in the embedded student, a layer of few heads below one of more; its matching heads are fixed.
UNEVEN = {
    "plan": ((MATCHING, NEXT), (INTRA, None, MATCHING, PREVIOUS)),
    "fixed": frozenset({MATCHING, NEXT, PREVIOUS}),
    "head_width": 8,
    "is_last_for_cls": True,
}


def tiny_model(seed=0, **changes):
    """Make a model with weights drawn by a seed; as in every student, its embeddings are frozen."""
    torch.manual_seed(seed)
    shape = {
        "vocabulary": tiny_tokenizer().get_vocab_size(),
        "width": 32,
        "feed_forward": (48, 48),
        "max_positions": 128,
        "plan": ((MATCHING, INTRA, PREVIOUS, NEXT), (None, NEXT, INTRA, None)),
        "positions": Positions.SENTENCE,
        "document_layers": 1,
        "document_width": 16,
        "document_heads": 2,
        "document_positions": 6,
    }
    model = ExtractiveModel(ModelConfig(**{**shape, **changes}))
    model.encoder.embeddings.requires_grad_(False)
    return model


def widen(model):
    """Give each layer as many heads as the widest has; what the new ones read goes nowhere."""
    widest = model.config.heads
    plan = tuple(row + (None,) * (widest - len(row)) for row in model.config.plan)
    wide = ExtractiveModel(dataclasses.replace(model.config, plan=plan))
    narrow, weights = model.state_dict(), wide.state_dict()
    for name, weight in weights.items():
        given = narrow[name]
        if name.endswith("attention.output.weight"):
            weight.zero_()
        weight[tuple(slice(n) for n in given.shape)] = given
    wide.load_state_dict(weights)
    return wide.train(model.training)
