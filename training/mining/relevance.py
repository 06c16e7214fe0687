"""How much each head looks where a predicate says: global relevance, document by document.

    GR(P, h) = mean over documents of  1/n * (sum over i, j of attention[i, j] where P(i, j))

with n the tokens that P allows at least one place: for `same_token` those that occur more than
once, for `same_sentence` all, for `previous` all but the first. So a head masked to P has GR 1. The
same divided by all tokens of the document is kept beside it (`per_token`).

Uniform attention has a GR as well, high for dense predicates; GR over it is the lift. The z-score
compares a head with all heads of the model.

Source:
    Li et al., arXiv:2112.05364, global relevance, whose rule for matching tokens is here every
    predicate's. Lift, z-score and intervals are ours.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from training.evaluate.significance import mean_intervals
from training.fit.batches import Batch
from training.mining.attention_maps import attention_maps
from training.mining.head_grid import HeadGrid, stack_layers, to_rows
from training.mining.predicates import Predicate
from training.mining.tokens import TokenClasses
from training.model.extractive_model import ExtractiveModel

FloatArray = npt.NDArray[np.float64]


def global_relevance(attention: Tensor, mask: Tensor) -> Tensor:
    """Measure a predicate in the attention of some heads over one document.

    Args:
        attention: (heads, tokens, tokens) float, each row sums to 1.
        mask: (tokens, tokens) bool, what the predicate allows.

    Returns:
        (heads,) float64 in [0, 1]; NaN where the predicate allows no token any place.
    """
    return _sum_inside(attention, mask[None])[:, 0] / mask.any(dim=-1).sum()


def _sum_inside(attention: Tensor, masks: Tensor) -> Tensor:
    """(heads, predicates) float64 attention inside each mask (predicates, tokens, tokens)."""
    inside = attention.flatten(1) @ masks.flatten(1).to(attention.dtype).T
    return inside.double()


_WHOLLY_INSIDE = 0.99
"""Low end of GR from which on a head carries a predicate whatever its z: it looks nowhere else."""


@dataclass(frozen=True, eq=False)
class DocumentRelevance:
    """What one document says of some predicates.

    Attributes:
        inside: (predicates, layers, heads) float64 attention inside each predicate, summed over
            tokens; NaN where a layer has no such head.
        unexplained: (layers, heads) float64 attention outside every accepted pattern, per token;
            NaN likewise.
        n_pairs: (predicates,) float64 pairs that each allows.
        n_rows: (predicates,) float64 tokens that each allows at least one place.
        n_accepted_pairs: pairs inside some accepted pattern.
        n_tokens: of the document.
    """

    inside: FloatArray
    unexplained: FloatArray
    n_pairs: FloatArray
    n_rows: FloatArray
    n_accepted_pairs: int
    n_tokens: int


def measure_relevance(
    model: ExtractiveModel,
    classes: TokenClasses,
    predicates: Sequence[Predicate],
    accepted: Sequence[Predicate],
    batch: Batch,
) -> DocumentRelevance:
    """Measure predicates in every head over one document; one layer's maps at a time.

    Args:
        model: in the dense form, in eval mode.
        classes: of its vocabulary.
        predicates: to measure.
        accepted: patterns that count as explained.
        batch: of one document.

    Returns:
        The document's figures.
    """
    token_ids, sentence_ids = batch.token_ids[0], batch.sentence_ids[0]
    tokens = classes.read(token_ids, sentence_ids)
    masks = torch.stack([predicate.mask(tokens) for predicate in predicates])  # P T T
    explained = torch.zeros_like(masks[0])
    for predicate in accepted:
        explained |= predicate.mask(tokens)
    as_numbers = torch.cat([masks, explained[None]]).float()
    layers = [
        _sum_inside(maps, as_numbers).numpy().T  # P+1 H
        for maps in attention_maps(model, token_ids, sentence_ids)
    ]
    inside = stack_layers(layers)  # P+1 L H
    return DocumentRelevance(
        inside=inside[:-1],
        unexplained=(1.0 - inside[-1] / len(tokens)).clip(min=0.0),  # rounding may pass 1
        n_pairs=masks.sum(dim=(1, 2)).double().numpy(),
        n_rows=masks.any(dim=-1).sum(dim=-1).double().numpy(),
        n_accepted_pairs=int(explained.sum()),
        n_tokens=len(tokens),
    )


@dataclass(frozen=True)
class Thresholds:
    """When a head carries a pattern: all three must be cleared, but for z as told below.

    Attributes:
        gr: the interval's low end of GR is at least this.
        lift: that low end is at least so many times uniform attention's GR.
        z: the head's z-score over all heads is at least this; not asked of a head that looks
            nowhere else.
    """

    gr: float = 0.1
    lift: float = 2.0
    z: float = 2.0


@dataclass(frozen=True, eq=False)
class PredicateRelevance:
    """One predicate over all documents and heads; arrays hold NaN where there is no such head.

    Attributes:
        predicate: measured.
        n: documents in which it allows some pair; the others count nothing.
        gr: global relevance with its intervals.
        per_token: (layers, heads) the same attention, divided by all tokens of a document.
        uniform: GR of uniform attention.
        uniform_per_token: that, divided by all tokens of a document.
        lift: (layers, heads) GR over uniform.
        z: (layers, heads) standard deviations above the mean of all heads.
        carriers: (layer, head) of the heads that carry it, the highest GR first.
        short_of_z: likewise, those that would carry it but for their z.
    """

    predicate: Predicate
    n: int
    gr: HeadGrid
    per_token: FloatArray
    uniform: float
    uniform_per_token: float
    lift: FloatArray
    z: FloatArray
    carriers: list[tuple[int, int]]
    short_of_z: list[tuple[int, int]]

    def to_json(self) -> dict[str, Any]:
        """Everything, for the next program."""
        return {
            "predicate": str(self.predicate),
            "description": self.predicate.describe(),
            "n": self.n,
            "uniform": _round(self.uniform),
            "uniformPerToken": _round(self.uniform_per_token),
            "gr": self.gr.to_json(),
            "grPerToken": to_rows(self.per_token),
            "lift": to_rows(self.lift),
            "z": to_rows(self.z),
            "carriers": [list(head) for head in self.carriers],
            "shortOfZ": [list(head) for head in self.short_of_z],
        }


def summarize_predicate(
    predicate: Predicate,
    place: int,
    measured: Sequence[DocumentRelevance],
    thresholds: Thresholds,
    n_resamples: int,
    seed: int,
) -> PredicateRelevance | None:
    """Average one predicate over documents.

    Args:
        predicate: which.
        place: its place in the measured arrays.
        measured: all documents.
        thresholds: of carrying.
        n_resamples: draws of the bootstrap.
        seed: of the draws.

    Returns:
        Its relevance; None where it allows no pair in any document.
    """
    documents = [one for one in measured if one.n_pairs[place]]
    if not documents:
        return None
    n_tokens = np.array([one.n_tokens for one in documents], dtype=np.float64)
    n_pairs = np.array([one.n_pairs[place] for one in documents])
    n_rows = np.array([one.n_rows[place] for one in documents])
    inside = np.stack([one.inside[place] for one in documents])  # N L H
    scores = inside / n_rows[:, None, None]
    intervals = mean_intervals(scores.reshape(len(scores), -1), n_resamples=n_resamples, seed=seed)
    gr = HeadGrid.from_intervals(intervals, scores.shape[1:])
    uniform = float((n_pairs / n_rows / n_tokens).mean())
    z = _z_scores(gr.mean)
    is_high = (gr.low >= thresholds.gr) & (gr.low >= thresholds.lift * uniform)
    # Of few heads that are masked to a pattern, none can stand out; each carries it all the same.
    stands_out = (z >= thresholds.z) | (gr.low >= _WHOLLY_INSIDE)
    return PredicateRelevance(
        predicate=predicate,
        n=len(documents),
        gr=gr,
        per_token=(inside / n_tokens[:, None, None]).mean(axis=0),
        uniform=uniform,
        uniform_per_token=float((n_pairs / n_tokens**2).mean()),
        lift=gr.mean / uniform,
        z=z,
        carriers=[at for at in gr.ranked() if is_high[at] and stands_out[at]],
        short_of_z=[at for at in gr.ranked() if is_high[at] and not stands_out[at]],
    )


def summarize_unexplained(
    measured: Sequence[DocumentRelevance], n_resamples: int, seed: int
) -> tuple[HeadGrid, float]:
    """Average the attention that no accepted pattern explains.

    Returns:
        The share of attention for each head, and what uniform attention would leave.
    """
    shares = np.stack([one.unexplained for one in measured])
    intervals = mean_intervals(shares.reshape(len(shares), -1), n_resamples=n_resamples, seed=seed)
    uniform = np.mean([1.0 - one.n_accepted_pairs / one.n_tokens**2 for one in measured])
    return HeadGrid.from_intervals(intervals, shares.shape[1:]), float(uniform)


def _z_scores(values: FloatArray) -> FloatArray:
    """Standard deviations above the mean of the heads that there are; 0 where all are one."""
    spread = float(np.nanstd(values))
    if spread < 1e-12:
        return np.where(np.isnan(values), np.nan, 0.0)
    scores: FloatArray = (values - np.nanmean(values)) / spread
    return scores


def _round(value: float) -> float:
    return float(f"{value:.6g}")
