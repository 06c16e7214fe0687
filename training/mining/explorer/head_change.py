"""What-if: heads of a model changed for a while, their weights untouched."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from service.errors import DataError
from training.mining.explorer.exhibit import token_layers
from training.mining.head_counts import check_head
from training.mining.predicates import Predicate, allow_self_where_empty
from training.mining.tokens import Tokens
from training.model.attention import PatternedAttention
from training.model.extractive_model import ExtractiveModel
from training.model.patterns import Unmatched


class Change(StrEnum):
    """What is done to a head."""

    MASK = "mask"
    FIX = "fix"
    PRUNE = "prune"


@dataclass(frozen=True)
class HeadChange:
    """One head and what is done to it.

    Attributes:
        layer: from 0.
        head: from 0.
        change: mask to the predicate (weights inside stay learned), fix (uniform over it), or prune
            (the head adds nothing).
        predicate: what the head may look at; None for prune.
        unmatched: where a token looks that the predicate gives no place.
    """

    layer: int
    head: int
    change: Change
    predicate: Predicate | None = None
    unmatched: Unmatched = Unmatched.SELF

    def weights(self, query: Tensor, key: Tensor, tokens: Tokens) -> Tensor:
        """The head's attention under the change.

        Args:
            query: (tokens, head width) float.
            key: (tokens, head width) float.
            tokens: of the document.

        Returns:
            (tokens, tokens) float; rows sum to 1, or are zero for prune.
        """
        if self.predicate is None:
            return query.new_zeros(len(tokens), len(tokens))
        mask = self.predicate.mask(tokens)
        if self.unmatched is Unmatched.ALL:
            mask = mask | ~mask.any(dim=-1, keepdim=True)
        mask = allow_self_where_empty(mask)
        if self.change is Change.FIX:
            weights = mask.to(query.dtype)
            return weights / weights.sum(dim=-1, keepdim=True)
        scores = query @ key.T / query.shape[-1] ** 0.5
        return torch.softmax(scores.masked_fill(~mask, float("-inf")), dim=-1)


def check_changes(model: ExtractiveModel, changes: Sequence[HeadChange]) -> None:
    """Check that a model has the heads and that they can be changed so.

    Raises:
        DataError: nothing to change, no such head, one head twice, a predicate too many or too few,
            or a mask for a head that has no Q and K.
    """
    if not changes:
        raise DataError("expected at least one head to change, got none; choose a head")
    places = [(item.layer, item.head) for item in changes]
    for item in changes:
        name = f"layer {item.layer}, head {item.head}"
        config = model.config
        check_head(config.heads_by_layer, item.layer, item.head)
        if places.count((item.layer, item.head)) > 1:
            raise DataError(f"expected one change a head, got several of {name}; keep one")
        if (item.predicate is None) != (item.change is Change.PRUNE):
            raise DataError(f"{name}: expected a predicate for mask and fix, and none for prune")
        pattern = config.plan[item.layer][item.head]
        if item.change is Change.MASK and pattern in config.fixed:
            raise DataError(
                f"{name} carries {pattern!s} as a fixed pattern and has no Q and K to mask; fix or "
                "prune it"
            )


@contextmanager
def changed_heads(
    model: ExtractiveModel, changes: Sequence[HeadChange], tokens: Tokens
) -> Iterator[None]:
    """Let a model read one document with some heads changed.

    Args:
        model: to be called with a record, on that document alone.
        changes: that `check_changes` takes.
        tokens: of the document.

    Yields:
        While inside, the model answers as if the heads were so.
    """
    by_layer: dict[int, list[HeadChange]] = {}
    for item in changes:
        by_layer.setdefault(item.layer, []).append(item)
    layers = token_layers(model)
    hooks = [
        layers[layer].attention.register_forward_hook(partial(_change_output, items, tokens))
        for layer, items in by_layer.items()
    ]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _change_output(
    changes: Sequence[HeadChange],
    tokens: Tokens,
    attention: PatternedAttention,
    args: tuple[Any, ...],
    output: Tensor,
) -> Tensor:
    """Take out what the heads gave, and put in what they would give."""
    x, _, record = args
    given = attention.heads_of(record)  # 1 T H d
    for item in changes:
        rows = slice(item.head * attention.head_width, (item.head + 1) * attention.head_width)
        query, key, value = (
            F.linear(x[0], layer.weight[rows], layer.bias[rows])
            for layer in (attention.query, attention.key, attention.value)
        )
        read = item.weights(query, key, tokens) @ value
        difference = read - given[0, :, item.head]
        output = output + F.linear(difference, attention.output.weight[:, rows])[None]
    return output


def to_json(changes: Sequence[HeadChange]) -> list[Mapping[str, Any]]:
    """Describe changes for the page."""
    return [
        {
            "layer": item.layer,
            "head": item.head,
            "change": str(item.change),
            "predicate": None if item.predicate is None else str(item.predicate),
            "unmatched": str(item.unmatched),
        }
        for item in changes
    ]
