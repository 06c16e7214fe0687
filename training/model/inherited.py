"""A model that starts from a teacher: some layers, heads, neurons, channels, and the scorer."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from service.errors import CheckpointError
from training.model.config import Plan
from training.model.extractive_model import ExtractiveModel

_HEAD_ROWS = ("query.weight", "query.bias", "key.weight", "key.bias", "value.weight", "value.bias")

_TABLES = ("words", "positions", "token_types")
_READERS = ("attention.query", "attention.key", "attention.value", "up")
_WRITERS = ("attention.output", "down", "attention_norm", "norm")
_KINDS = ("weight", "bias")
_REDUCE = "scorer.reduce.weight"
_TINY = 1e-30


def student_from_teacher(
    teacher: ExtractiveModel,
    layers: Sequence[int],
    heads: Sequence[Sequence[int]] = (),
    document_layers: Sequence[int] = (),
    **changes: Any,
) -> ExtractiveModel:
    """Make a student that starts from some of a teacher's layers and the rest of its scorer.

    Where a feed-forward block is smaller than the teacher's, it keeps the neurons with the largest
    product of the norms of what they read by and what they write; where there is none, the layer
    keeps the last of the teacher's two layer norms. Where its token vectors are
    narrower, they keep the channels that layers and scorer read most: those with the largest norms
    of the columns that read them, times the gain of the layer norm in between.

    Args:
        teacher: the model to copy from.
        layers: the teacher's layers that become the student's, in order.
        heads: for each of them, the teacher's heads that become the student's, in order; all of
            them when empty.
        document_layers: the teacher's layers over sentences that become the student's, in order;
            all of them when empty.
        changes: fields of ModelConfig that differ, `plan` among them (one row a student layer).

    Returns:
        The student; its embeddings and scorer are copies of the teacher's where the shapes agree.

    Raises:
        CheckpointError: a layer or head is outside the teacher, the plan has another shape, the
            width or a feed-forward block is larger than the teacher's, or a teacher with Projected
            Attention Layers is to get narrower.
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
    width: int = changes.pop("width", config.width)
    if width > config.width:
        raise CheckpointError(
            f"expected a width of at most the teacher's {config.width}, got {width}"
        )
    if width < config.width and config.pal is not None:
        raise CheckpointError(
            "expected a teacher without Projected Attention Layers for a student of another width, "
            f"got one with them; keep the width {config.width}"
        )
    document_layers = document_layers or range(config.document_layers)
    if not all(0 <= layer < config.document_layers for layer in document_layers):
        raise CheckpointError(
            f"expected document_layers of a teacher with {config.document_layers}, from 0, "
            f"got {list(document_layers)}"
        )
    head_width = config.width_of_head
    student = ExtractiveModel(
        dataclasses.replace(
            config,
            plan=plan,
            feed_forward=n_neurons,
            head_width=head_width,
            width=width,
            document_layers=len(document_layers),
            **changes,
        )
    )
    state = {n: w for n, w in teacher.state_dict().items() if ".layers." not in n}
    for number, layer in enumerate(document_layers):
        weights = teacher.scorer.layers[layer].state_dict()
        state |= {f"scorer.layers.{number}.{name}": w for name, w in weights.items()}
    for number, layer in enumerate(layers):
        weights = teacher.encoder.layers[layer].state_dict()
        weights = _keep_heads(weights, heads[number], head_width)
        weights = _keep_neurons(weights, n_neurons[number])
        state |= {f"encoder.layers.{number}.{name}": w for name, w in weights.items()}
    if width < config.width:
        state = _keep_channels(state, width, len(layers))
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
    if n == 0:
        block = ("up.", "down.", "attention_norm.")
        return {name: w for name, w in weights.items() if not name.startswith(block)}
    reads, writes = weights["up.weight"], weights["down.weight"]
    norms = reads.norm(dim=1) * writes.norm(dim=0)
    kept = torch.sort(torch.topk(norms, n).indices).values
    return {
        **weights,
        "up.weight": reads.index_select(0, kept),
        "up.bias": weights["up.bias"].index_select(0, kept),
        "down.weight": writes.index_select(1, kept),
    }


def _keep_channels(state: dict[str, Tensor], n: int, n_layers: int) -> dict[str, Tensor]:
    """Keep the n channels of the token vectors that are read most, in their order."""
    reads = _sum_of_reads(state, n_layers)
    kept = torch.sort(torch.topk(reads, n).indices).values
    both = torch.cat([kept, kept + len(reads)])  # of a [CLS] and a mean, side by side
    places = {f"encoder.embeddings.{name}.weight": (1, kept) for name in _TABLES}
    places[_find_scorer(state)] = (1, both if _find_scorer(state) == _REDUCE else kept)
    places |= {f"encoder.embeddings.norm.{kind}": (0, kept) for kind in _KINDS}
    for layer in range(n_layers):
        at = f"encoder.layers.{layer}"
        places |= {f"{at}.{name}.weight": (1, kept) for name in _READERS}
        places |= {f"{at}.{name}.{kind}": (0, kept) for name in _WRITERS for kind in _KINDS}
    return {
        name: weight.index_select(*places[name]) if name in places else weight
        for name, weight in state.items()
    }


def _sum_of_reads(state: dict[str, Tensor], n_layers: int) -> Tensor:
    """(width,) how much each channel is read, the readers of each layer norm counting alike."""
    gain = state["encoder.embeddings.norm.weight"]
    total = torch.zeros_like(gain)
    for layer in range(n_layers):
        at = f"encoder.layers.{layer}"
        attention = torch.cat([state[f"{at}.{name}.weight"] for name in _READERS[:3]])
        total += _share_of_reads(gain, attention)
        if f"{at}.up.weight" in state:
            total += _share_of_reads(state[f"{at}.attention_norm.weight"], state[f"{at}.up.weight"])
        gain = state[f"{at}.norm.weight"]
    scorer = state[_find_scorer(state)].reshape(-1, len(gain))
    return total + _share_of_reads(gain, scorer)


def _share_of_reads(gain: Tensor, reader: Tensor) -> Tensor:
    """(width,) sums to 1: how much matrices (rows, width) read of what a layer norm gives."""
    reads: Tensor = gain.abs() * reader.norm(dim=0)
    return reads / reads.sum().clamp(min=_TINY)


def _find_scorer(state: dict[str, Tensor]) -> str:
    """The name of the scorer's matrix that reads token vectors."""
    return _REDUCE if _REDUCE in state else "scorer.score.weight"
