"""Importance is what finite differences say, head by head, also where heads carry patterns."""

import json
from xml.etree import ElementTree as ET

import numpy as np
import pytest
import torch

from tests.tiny_model import INTRA, NEXT, PREVIOUS, UNEVEN, tiny_model, widen
from training.evaluate.rank_agreement import kendall_tau
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


@pytest.fixture(scope="module", params=[True, False], ids=["structured", "dense"])
def of_both(request, tiny_examples):
    """Importance in an uneven model, and in a dense one with more heads that give nothing.

    The first layer has two of the four heads of the second.
    """
    batches = [make_batch(tiny_examples[1], np.array([number])) for number in range(5)]
    uneven = tiny_model(5, is_structured=request.param, **UNEVEN).eval()
    models = [uneven.double(), to_dense(widen(uneven)).double()]
    return [
        summarize_importance([measure_importance(model, b) for b in batches], {"n": 5}, 200, 0)
        for model in models
    ]


def test_heads_that_a_layer_has_not_count_as_little_as_heads_that_give_nothing(of_both):
    found, wide = of_both
    for name in SCORES:
        for values in ("mean", "low", "high"):
            expected = np.array(getattr(wide.grids[name], values))
            assert expected[0, 2:].tolist() == [0.0, 0.0]
            expected[0, 2:] = np.nan
            assert (expected[~np.isnan(expected)] > 0).all()
            np.testing.assert_allclose(getattr(found.grids[name], values), expected, rtol=1e-9)
        shares, wide_shares = found.grids[name].shares(), wide.grids[name].shares()
        assert np.nansum(shares) == pytest.approx(100)
        np.testing.assert_allclose(shares[1], wide_shares[1], rtol=1e-9)
        assert found.grids[name].ranked() == wide.grids[name].ranked()[:6]
    assert found.loss == pytest.approx(wide.loss)


def test_report_passes_over_heads_that_a_layer_has_not(of_both):
    found, _ = of_both
    rows = json.loads(json.dumps(found.to_json(), allow_nan=False))["scores"]["taylor"]["mean"]
    assert [[value is None for value in row] for row in rows] == [
        [False, False, True, True],
        [False] * 4,
    ]
    lines = found.to_text().splitlines()
    assert [len(line.split()) for line in lines[1:4]] == [5, 3, 5]
    assert "nan" not in found.to_text()
    root = ET.fromstring(found.to_svg())
    assert len([node for node in root.iter() if node.get("class") == "cell"]) == 2 * 6
    assert "nan" not in "".join(root.itertext())
    taylor, michel = (found.grids[name].mean.ravel()[[0, 1, 4, 5, 6, 7]] for name in SCORES)
    assert found.rank_agreement == kendall_tau(taylor, michel)
