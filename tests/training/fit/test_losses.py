"""The losses against values that were worked out by hand."""

import math
from math import log

import numpy as np
import pytest
import torch

from training.fit.batches import Batch
from training.fit.losses import label_loss, ranking_loss, total_loss
from training.recipe import FitRecipe

NAN = math.nan


def make_batch(labels, n_sentences, teacher=None):
    labels = torch.tensor(labels)
    places = torch.arange(labels.shape[1])
    nothing = torch.zeros(len(labels), 1, dtype=torch.int64)
    return Batch(
        numbers=np.arange(len(labels)),
        token_ids=nothing,
        sentence_ids=nothing,
        soft_labels=labels,
        mask=places[None] < torch.tensor(n_sentences)[:, None],
        teacher_logits=None if teacher is None else torch.tensor(teacher),
    )


# One document: sigmoid(log 3) = 3/4 for the chosen sentence, 1/4 for a lesser one; padding.
LOGITS = torch.tensor([[log(3), -log(3), 50.0]])
LABELS = make_batch([[1.0, 0.4, 0.0]], [2])


def test_label_loss_is_the_cross_entropy_to_the_oracles_choice():
    assert label_loss(LOGITS, LABELS, 0.0).item() == pytest.approx(-log(0.75), rel=1e-6)


def test_soft_labels_are_added_with_their_weight():
    hard = -2 * log(0.75)
    soft = -log(0.75) - 0.4 * log(0.25) - 0.6 * log(0.75)
    expected = (hard + 0.5 * soft) / 2
    assert label_loss(LOGITS, LABELS, 0.5).item() == pytest.approx(expected, rel=1e-6)


def test_every_sentence_of_a_batch_weighs_the_same():
    batch = make_batch([[1.0, 0.0, 1.0], [0.0, 0.0, 0.0]], [3, 1])
    logits = torch.tensor([[0.0, 0.0, 0.0], [-log(3), 9.0, 9.0]])
    expected = (3 * log(2) - log(0.75)) / 4
    assert label_loss(logits, batch, 0.0).item() == pytest.approx(expected, rel=1e-6)


def test_documents_without_labels_count_nothing():
    batch = make_batch([[1.0, 0.4, 0.0], [NAN, NAN, 0.0]], [2, 2])
    logits = torch.tensor([LOGITS[0].tolist(), [9.0, -9.0, 0.0]], requires_grad=True)
    loss = label_loss(logits, batch, 0.5)
    assert loss.item() == pytest.approx(label_loss(LOGITS, LABELS, 0.5).item())
    loss.backward()
    assert not logits.grad[1].any()
    assert label_loss(logits, make_batch([[NAN, NAN, 0.0]] * 2, [2, 2]), 0.5).item() == 0.0


@pytest.mark.parametrize("temperature", [0.25, 0.5, 1.0, 2.0])
def test_ranking_loss_is_the_divergence_from_the_teacher(temperature):
    # Teacher (3/4, 1/4), student (1/2, 1/2), once divided by the temperature; padding is not read.
    batch = make_batch([[0.0] * 3], [2], [[temperature * log(3), 0.0, NAN]])
    logits = torch.tensor([[0.0, 0.0, 50.0]], requires_grad=True)
    loss = ranking_loss(logits, batch, temperature)
    loss.backward()
    expected = temperature**2 * (0.75 * log(1.5) + 0.25 * log(0.5))
    assert loss.item() == pytest.approx(expected, rel=1e-5)
    # d KL / d logit = (student - teacher) / temperature, and the loss has the temperature squared.
    gradient = [-0.25 * temperature, 0.25 * temperature, 0.0]
    assert logits.grad[0].tolist() == pytest.approx(gradient, rel=1e-5)


def test_ranking_loss_is_zero_where_the_student_agrees_up_to_a_constant():
    batch = make_batch([[0.0] * 3], [3], [[1.0, -2.0, 0.5]])
    logits = torch.tensor([[8.0, 5.0, 7.5]])
    assert ranking_loss(logits, batch, 2.0).item() == pytest.approx(0.0, abs=1e-6)


def test_documents_without_teacher_scores_count_nothing():
    alone = make_batch([[0.0] * 2], [2], [[1.0, 0.0]])
    among = make_batch([[0.0] * 2] * 3, [2, 2, 1], [[NAN, NAN], [1.0, 0.0], [NAN, NAN]])
    expected = ranking_loss(torch.tensor([[0.0, 2.0]]), alone, 2.0)
    found = ranking_loss(torch.tensor([[4.0, 1.0], [0.0, 2.0], [3.0, 3.0]]), among, 2.0)
    assert found.item() == pytest.approx(expected.item(), rel=1e-6)


def test_batch_without_any_teacher_scores_has_no_ranking_loss():
    logits = torch.zeros(1, 2, requires_grad=True)
    loss = ranking_loss(logits, make_batch([[0.0] * 2], [2], [[NAN, NAN]]), 2.0)
    loss.backward()
    assert loss.item() == 0.0
    assert not logits.grad.any()


def test_total_is_labels_plus_weighted_ranking():
    batch = make_batch([[1.0, 0.4, 0.0]], [2], [[1.0, 0.0, NAN]])
    recipe = FitRecipe(soft_weight=0.5, teacher_weight=0.25, temperature=2.0)
    expected = label_loss(LOGITS, batch, 0.5) + 0.25 * ranking_loss(LOGITS, batch, 2.0)
    assert total_loss(LOGITS, batch, recipe).item() == pytest.approx(expected.item())
    assert total_loss(LOGITS, LABELS, recipe) == label_loss(LOGITS, LABELS, 0.5)
