"""Importance is what finite differences say, head by head, also where heads carry patterns."""

from xml.etree import ElementTree as ET

import numpy as np
import pytest
import torch

from service.errors import CheckpointError
from tests.tiny_model import INTRA, NEXT, PREVIOUS, tiny_model
from training.fit.batches import make_batch
from training.fit.losses import label_loss
from training.mining.importance import SCORES, measure_importance, summarize_importance
from training.mining.subject import to_dense

SHAPE = {
    "width": 4,  # few weights: each is moved by itself
    "head_width": 2,
    "feed_forward": (8, 8),
    # Fixed heads first, which is not the order in which they are computed.
    "plan": ((NEXT, INTRA), (PREVIOUS, None)),
}


@pytest.fixture(scope="module", params=[True, False], ids=["structured", "dense"])
def model(request):
    model = tiny_model(5, is_structured=request.param, **SHAPE).double().eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(3.0)  # gradients far from rounding
    return model


@pytest.fixture(scope="module")
def batch(tiny_examples):
    return make_batch(tiny_examples[1], np.array([2]))


@pytest.fixture(scope="module")
def measured(model, batch):
    return measure_importance(model, batch)


def loss_of(model, batch):
    with torch.no_grad():
        return float(label_loss(model(batch.token_ids, batch.sentence_ids), batch, 0.0))


def difference(model, batch, change, step=1e-5):
    """The central difference of the loss; `change(step)` changes the model in place."""
    losses = []
    for signed in (step, -step):
        change(signed)
        losses.append(loss_of(model, batch))
        change(-signed)
    return (losses[0] - losses[1]) / (2 * step)


def test_michel_is_the_finite_difference_of_a_gate(model, batch, measured):
    expected = np.zeros((2, 2))
    for layer in range(2):
        output = model.encoder.layers[layer].attention.output.weight.data
        for head in range(2):
            columns = output[:, 2 * head : 2 * head + 2]
            ungated = columns.clone()  # a gate on the head's output scales its columns of O

            def open_gate(step, columns=columns, ungated=ungated):
                columns.add_(step * ungated)

            expected[layer, head] = abs(difference(model, batch, open_gate))
    np.testing.assert_allclose(measured.michel, expected, rtol=1e-5, atol=1e-9)
    assert (expected > 1e-6).all()


def test_taylor_is_the_finite_difference_of_each_weight(model, batch, measured):
    layer, expected = 0, np.zeros(2)
    attention = model.encoder.layers[layer].attention
    for matrix in (attention.query, attention.key, attention.value, attention.output):
        weight = matrix.weight.data
        rows = weight if matrix is not attention.output else weight.T
        for row in range(4):
            for column in range(4):

                def nudge(step, rows=rows, row=row, column=column):
                    rows[row, column] += step

                slope = difference(model, batch, nudge)
                expected[row // 2] += (slope * float(rows[row, column])) ** 2
    np.testing.assert_allclose(measured.taylor[layer], expected, rtol=1e-4, atol=1e-12)
    assert (expected > 1e-9).all()


def test_measuring_leaves_the_model_as_it_was(model, batch, measured):
    again = measure_importance(model, batch)
    np.testing.assert_array_equal(again.taylor, measured.taylor)
    assert all(parameter.grad is None for parameter in model.parameters())


@pytest.fixture(scope="module")
def summary(model, tiny_examples):
    store = tiny_examples[1]
    measured = [measure_importance(model, make_batch(store, np.array([n]))) for n in range(5)]
    return measured, summarize_importance(measured, {"n": 5}, 500, 0)


def test_mean_is_over_documents_and_lies_in_its_interval(summary):
    measured, importance = summary
    for name in SCORES:
        grid = importance.grids[name]
        np.testing.assert_allclose(grid.mean, np.mean([getattr(m, name) for m in measured], axis=0))
        assert (grid.low <= grid.mean).all()
        assert (grid.mean <= grid.high).all()


def test_report_names_the_most_important_head_first(summary):
    _, importance = summary
    layer, head = np.unravel_index(importance.grids["michel"].mean.argmax(), (2, 2))
    rows = importance.to_text().splitlines()
    first = rows[next(at for at, row in enumerate(rows) if "most important" in row) + 2]
    assert f"{layer}.{head} " in first


def test_heat_map_is_xml_with_a_cell_for_each_head_and_score(summary):
    root = ET.fromstring(summary[1].to_svg())
    cells = [node for node in root.iter() if node.get("class") == "cell"]
    assert len(cells) == 2 * 2 * 2
    assert max(float(node.get("fill-opacity")) for node in cells) == 1.0


def test_layers_with_different_numbers_of_heads_are_refused_by_name():
    uneven = tiny_model(plan=((NEXT, INTRA), (INTRA,)), head_width=8)
    with pytest.raises(CheckpointError, match=r"got \[1, 2\]; look into the teacher"):
        to_dense(uneven)
