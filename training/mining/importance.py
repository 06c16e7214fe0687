"""How much each head matters to the loss: two scores a head, by the gradient of one document.

Taylor: the sum of (gradient * weight)^2 over the head's rows of Q, K and V and its columns of O;
what first-order Taylor expansion says that zeroing each weight would change, squared.
Michel: |dL/dxi|, where a gate xi = 1 multiplies what the head gives.

Both are taken for each document by itself in eval mode, and averaged over documents.

Source:
    Molchanov et al. 2019 (arXiv:1906.10771), equation 8; Michel et al. 2019 (arXiv:1905.10650).
    Li et al. (arXiv:2112.05364) take the first, summing signed gradients over batches with dropout;
    ours cannot cancel between documents.
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from training.evaluate.rank_agreement import kendall_tau
from training.evaluate.significance import mean_intervals
from training.fit.batches import Batch
from training.fit.losses import label_loss
from training.mining.attention_maps import attention_layers
from training.mining.head_grid import HeadGrid, stack_layers
from training.mining.heat_map import HeatMap, draw_heat_maps
from training.model.attention import PatternedAttention
from training.model.extractive_model import ExtractiveModel

FloatArray = npt.NDArray[np.float64]

SCORES: Final = {"taylor": "Taylor (Molchanov 2019)", "michel": "Michel 2019"}


@dataclass(frozen=True, eq=False)
class DocumentImportance:
    """The scores of one document.

    Attributes:
        taylor: (layers, heads) float64, at least 0; NaN where a layer has no such head.
        michel: likewise.
        loss: of the document.
    """

    taylor: FloatArray
    michel: FloatArray
    loss: float


def measure_importance(model: ExtractiveModel, batch: Batch) -> DocumentImportance:
    """Score every head by one document.

    Args:
        model: in eval mode; the weights of its attention learn.
        batch: of one document.

    Returns:
        The scores, by the binary cross entropy to the oracle's choice.
    """
    record = model.new_record()
    logits = model(batch.token_ids, batch.sentence_ids, record)
    loss = label_loss(logits, batch, soft_weight=0.0)
    attentions = attention_layers(model)
    matrices = [matrix.weight for a in attentions for matrix in (a.query, a.key, a.value, a.output)]
    outputs = [kept.gathered for kept in record.token_layers if kept.gathered is not None]
    # Fixed heads have no use for Q and K: a gradient of zero.
    gradients = torch.autograd.grad(
        loss, [*matrices, *outputs], allow_unused=True, materialize_grads=True
    )
    taylor, michel = [], []
    for layer, attention in enumerate(attentions):
        four = slice(4 * layer, 4 * layer + 4)
        taylor.append(_sum_by_head(attention, matrices[four], gradients[four]))
        product = outputs[layer] * gradients[len(matrices) + layer]  # B T H*d
        michel.append(_gate_gradients(attention, product))
    return DocumentImportance(stack_layers(taylor), stack_layers(michel), loss.item())


def _sum_by_head(
    attention: PatternedAttention, matrices: list[Tensor], gradients: tuple[Tensor, ...]
) -> FloatArray:
    """(heads,) sum of (gradient * weight)^2; heads own rows of Q, K, V and columns of O."""
    squares = [
        (gradient * matrix).detach().double().square()
        for gradient, matrix in zip(gradients, matrices, strict=True)
    ]
    by_row = sum(square.sum(dim=1) for square in squares[:3]) + squares[3].sum(dim=0)
    assert isinstance(by_row, Tensor)
    by_head: FloatArray = by_row.view(attention.n_heads, -1).sum(dim=1).cpu().numpy()
    return by_head


def _gate_gradients(attention: PatternedAttention, product: Tensor) -> FloatArray:
    """(heads,) |dL/dxi| out of (documents, tokens, heads in their order * head width)."""
    in_order = product.detach().double().sum(dim=(0, 1)).view(attention.n_heads, -1).sum(dim=1)
    by_head = np.empty(attention.n_heads)
    by_head[list(attention.head_order)] = in_order.abs().cpu().numpy()
    return by_head


@dataclass(frozen=True, eq=False)
class Importance:
    """The importance of every head over some documents.

    Attributes:
        grids: by name of the score, the mean over documents with its intervals.
        rank_agreement: Kendall's tau between the two scores over all heads, in [-1, 1].
        loss: mean over the documents.
        identity: which model, which documents, how the intervals were drawn.
    """

    grids: dict[str, HeadGrid]
    rank_agreement: float
    loss: float
    identity: dict[str, Any]

    def to_json(self) -> dict[str, Any]:
        """Everything, for the next program."""
        return {
            "format": 1,
            **self.identity,
            "loss": self.loss,
            "rankAgreement": self.rank_agreement,
            "scores": {name: grid.to_json() for name, grid in self.grids.items()},
        }

    def to_text(self, n_top: int = 10) -> str:
        """Two tables for people, and the most important heads."""
        lines = []
        for name, grid in self.grids.items():
            lines += [f"{SCORES[name]}, share of the sum over all heads, in %"]
            lines += [*HeadGrid.of(grid.shares()).to_lines(".1f"), ""]
        lines += [
            f"most important heads (layer.head), mean [95 % interval] over {self._n} documents"
        ]
        ranked = [grid.ranked()[:n_top] for grid in self.grids.values()]
        lines += ["  " + "".join(f"{SCORES[name]:<42}" for name in self.grids).rstrip()]
        for row in zip(*ranked, strict=True):
            cells = (
                f"{layer}.{head:<3} {grid.describe(layer, head, '.2e')}"
                for (layer, head), grid in zip(row, self.grids.values(), strict=True)
            )
            lines += ["  " + "".join(f"{cell:<42}" for cell in cells).rstrip()]
        lines += [f"rank agreement of the two scores: Kendall tau {self.rank_agreement:.2f}"]
        return "\n".join(lines)

    def to_svg(self) -> str:
        """Both scores as heat maps."""
        maps = [
            HeatMap(
                f"{SCORES[name]} importance, % of all heads, n = {self._n}",
                grid.shares(),
                ".1f",
            )
            for name, grid in self.grids.items()
        ]
        return draw_heat_maps(maps, n_columns=1)

    @property
    def _n(self) -> int:
        return int(self.identity["n"])


def summarize_importance(
    measured: list[DocumentImportance], identity: dict[str, Any], n_resamples: int, seed: int
) -> Importance:
    """Average over documents, with bootstrap intervals.

    Args:
        measured: of at least one document.
        identity: which model, which documents.
        n_resamples: draws of the bootstrap.
        seed: of the draws.

    Returns:
        The importance of every head.
    """
    grids = {}
    for name in SCORES:
        scores = np.stack([getattr(one, name) for one in measured])  # N L H
        intervals = mean_intervals(
            scores.reshape(len(scores), -1), n_resamples=n_resamples, seed=seed
        )
        grids[name] = HeadGrid.from_intervals(intervals, scores.shape[1:])
    taylor, michel = (grid.values() for grid in grids.values())
    return Importance(
        grids,
        kendall_tau(taylor, michel),
        float(np.mean([one.loss for one in measured])),
        {**identity, "resamples": n_resamples},
    )
