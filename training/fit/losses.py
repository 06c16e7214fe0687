"""The losses: the oracle's choice, soft labels, the teacher's ranking of a document's sentences."""

import torch
import torch.nn.functional as F
from torch import Tensor

from training.fit.batches import Batch
from training.recipe import FitRecipe


def label_loss(logits: Tensor, batch: Batch, soft_weight: float) -> Tensor:
    """Binary cross entropy to the oracle, plus `soft_weight` times that to the soft labels.

    Args:
        logits: (documents, sentences) float.
        batch: its labels and mask.
        soft_weight: at least 0.

    Returns:
        0-d float: mean over the sentences of the batch that have a label; 0 when there is none.

    Source:
        DistilSum (CIKM 2020): BCE(oracle) + 0.5 BCE(soft).
    """
    has_label = batch.mask & ~batch.soft_labels.isnan()
    if not has_label.any():
        return logits.sum() * 0.0
    is_chosen = (batch.soft_labels == 1.0).to(logits.dtype)
    losses = F.binary_cross_entropy_with_logits(logits, is_chosen, reduction="none")
    if soft_weight:
        soft = batch.soft_labels.nan_to_num().to(logits.dtype)
        losses = losses + soft_weight * F.binary_cross_entropy_with_logits(
            logits, soft, reduction="none"
        )
    return losses[has_label].mean()


def ranking_loss(logits: Tensor, batch: Batch, temperature: float) -> Tensor:
    """KL(softmax(teacher / t) || softmax(student / t)) * t^2 over each document's sentences.

    Documents that the teacher has not scored count nothing.

    Args:
        logits: (documents, sentences) float.
        batch: with teacher_logits.
        temperature: t, above 0.

    Returns:
        0-d float: mean over the scored documents; 0 when there is none.
    """
    assert batch.teacher_logits is not None
    has_teacher = ~(batch.teacher_logits.isnan() & batch.mask).any(dim=1)
    if not has_teacher.any():
        return logits.sum() * 0.0
    minus_infinity = torch.finfo(logits.dtype).min
    hidden = ~batch.mask[has_teacher]
    # Divided first: a temperature below 1 would make the mask infinite, and the loss NaN.
    student = (logits[has_teacher] / temperature).masked_fill(hidden, minus_infinity)
    teacher = batch.teacher_logits[has_teacher].to(logits.dtype) / temperature
    teacher = teacher.masked_fill(hidden, minus_infinity)
    divergence = F.kl_div(
        F.log_softmax(student, dim=-1),
        F.log_softmax(teacher, dim=-1),
        reduction="batchmean",
        log_target=True,
    )
    return divergence * temperature**2


def total_loss(logits: Tensor, batch: Batch, recipe: FitRecipe) -> Tensor:
    """What a step goes down on: labels, and the teacher's ranking where there is one."""
    loss = label_loss(logits, batch, recipe.soft_weight)
    if batch.teacher_logits is not None and recipe.teacher_weight:
        loss = loss + recipe.teacher_weight * ranking_loss(logits, batch, recipe.temperature)
    return loss
