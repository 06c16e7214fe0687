"""A model that starts from a teacher: some of its layers, heads and neurons, all of its scorer."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from service.errors import CheckpointError
from training.model.config import Plan
from training.model.extractive_model import ExtractiveModel

_HEAD_ROWS = ("query.weight", "query.bias", "key.weight", "key.bias", "value.weight", "value.bias")


def student_from_teacher(
    teacher: ExtractiveModel,
    layers: Sequence[int],
    heads: Sequence[Sequence[int]] = (),
    **changes: Any,
) -> ExtractiveModel:
    """Make a student that starts from some of a teacher's layers and all of its scorer.

    Where a feed-forward block is smaller than the teacher's, it keeps the neurons with the largest
    product of the norms of what they read by and what they write.

    Args:
        teacher: the model to copy from.
        layers: the teacher's layers that become the student's, in order.
        heads: for each of them, the teacher's heads that become the student's, in order; all of
            them when empty.
        changes: fields of ModelConfig that differ, `plan` among them (one row a student layer).

    Returns:
        The student; its embeddings and scorer are copies of the teacher's where the shapes agree.

    Raises:
        CheckpointError: a layer or head is outside the teacher, the plan has another shape, or
            a feed-forward block is larger than the teacher's.
    """
    config = teacher.config
    check_layers(layers, config.layers)
    counts = [config.heads_by_layer[layer] for layer in layers]
    heads = heads or [range(n) for n in counts]
    _refuse_other_heads(counts, heads)
    n_heads = [len(row) for row in heads]
    plan: Plan = changes.pop("plan", tuple((None,) * n for n in n_heads))
    if [len(row) for row in plan] != n_heads:
        raise CheckpointError(
            f"expected a plan of {len(layers)} layers with {n_heads} heads, "
            f"got {[len(row) for row in plan]}"
        )
    largest = tuple(config.feed_forward[layer] for layer in layers)
    n_neurons: tuple[int, ...] = changes.pop("feed_forward", largest)
    if len(n_neurons) != len(layers) or any(n > m for n, m in zip(n_neurons, largest, strict=True)):
        raise CheckpointError(
            f"expected feed_forward of at most the teacher's {list(largest)}, got {list(n_neurons)}"
        )
    head_width = config.width_of_head
    student = ExtractiveModel(
        dataclasses.replace(
            config, plan=plan, feed_forward=n_neurons, head_width=head_width, **changes
        )
    )
    state = {n: w for n, w in teacher.state_dict().items() if not n.startswith("encoder.layers.")}
    for number, layer in enumerate(layers):
        weights = teacher.encoder.layers[layer].state_dict()
        weights = _keep_heads(weights, heads[number], head_width)
        weights = _keep_neurons(weights, n_neurons[number])
        state |= {f"encoder.layers.{number}.{name}": w for name, w in weights.items()}
    wanted = student.state_dict()
    fitting = {n: w.clone() for n, w in state.items() if n in wanted and w.shape == wanted[n].shape}
    with torch.no_grad():
        student.load_state_dict({**wanted, **fitting})
    return student


def check_layers(layers: Sequence[int], n_layers: int) -> None:
    """Check that there is a layer, and that the teacher has them all.

    Args:
        layers: any numbers.
        n_layers: of the teacher.

    Raises:
        CheckpointError: there is none, or one is outside the teacher.
    """
    if layers and all(0 <= layer < n_layers for layer in layers):
        return
    raise CheckpointError(
        f"expected layers of a teacher with {n_layers} (0 to {n_layers - 1}), got {list(layers)}"
    )


def _refuse_other_heads(counts: Sequence[int], heads: Sequence[Sequence[int]]) -> None:
    """Refuse other rows than one a chosen layer, each with some of that layer's own heads."""
    if len(heads) == len(counts) and all(
        row and all(0 <= head < n for head in row) for row, n in zip(heads, counts, strict=True)
    ):
        return
    raise CheckpointError(
        f"expected heads of {len(counts)} layers of a teacher with {', '.join(map(str, counts))} "
        f"heads there (from 0), got {[list(row) for row in heads]}"
    )


def _keep_heads(weights: dict[str, Tensor], heads: Sequence[int], width: int) -> dict[str, Tensor]:
    """Keep these heads of one layer, in this order."""
    rows = torch.tensor([head * width + i for head in heads for i in range(width)])
    kept = {f"attention.{n}": weights[f"attention.{n}"].index_select(0, rows) for n in _HEAD_ROWS}
    output = weights["attention.output.weight"].index_select(1, rows)
    return {**weights, **kept, "attention.output.weight": output}


def _keep_neurons(weights: dict[str, Tensor], n: int) -> dict[str, Tensor]:
    """Keep the n neurons of one layer that read and write most, in their order."""
    reads, writes = weights["up.weight"], weights["down.weight"]
    norms = reads.norm(dim=1) * writes.norm(dim=0)
    kept = torch.sort(torch.topk(norms, n).indices).values
    return {
        **weights,
        "up.weight": reads.index_select(0, kept),
        "up.bias": weights["up.bias"].index_select(0, kept),
        "down.weight": writes.index_select(1, kept),
    }
