"""A student of two layers that carries every pattern, in a moment."""

import torch

from tests.tiny_bundle import tiny_tokenizer
from training.model.config import ModelConfig, Positions
from training.model.extractive_model import ExtractiveModel
from training.model.patterns import Pattern

MATCHING, INTRA, PREVIOUS, NEXT = Pattern


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
