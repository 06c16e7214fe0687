"""Verification measures the three forms of a model, and refuses what is past a limit."""

from dataclasses import replace

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from export.verify import Limits, Verification, _refuse_past, verify
from service.errors import ExportError

GOOD = Verification(
    documents=200,
    score_difference=1e-6,
    kendall_tau=0.97,
    rouge1_float=41.0,
    rouge1_int8=41.1,
)
LOOSE = Limits(max_score_difference=1e-4, min_kendall_tau=-1, max_rouge1_loss=100)


def change_weights(source, target, change):
    """Write a graph with the scales of every int8 weight changed, not those of activations."""
    model = onnx.load(source)
    for item in model.graph.initializer:
        is_scale = item.name.endswith(".s") and item.data_type == onnx.TensorProto.FLOAT
        if is_scale and len(item.dims):
            item.CopyFrom(
                numpy_helper.from_array(change(numpy_helper.to_array(item).copy()), item.name)
            )
    onnx.save(model, target)
    return target


def turn_every_second(scales):
    """Change the sign of every second scale."""
    return scales * np.where(np.arange(scales.size) % 2, -1, 1).reshape(scales.shape).astype("f")


def test_float_agrees_with_torch_and_int8_nearly_does(small_student, graphs, examples):
    measured = verify(
        small_student, graphs["float"], graphs["int8"], examples, range(len(examples)), LOOSE
    )
    assert measured.documents == len(examples)
    assert measured.score_difference < 1e-5
    assert measured.kendall_tau > 0.7
    same = verify(small_student, graphs["float"], graphs["float"], examples, [0, 1], Limits())
    assert same.kendall_tau == 1.0
    assert same.rouge1_float == same.rouge1_int8


def test_another_model_than_the_trained_one_is_refused(small_student, graphs, examples):
    with pytest.raises(ExportError, match="torch to ONNX"):
        verify(small_student, graphs["int8"], graphs["int8"], examples, [0, 1, 2])


def test_an_int8_file_that_ranks_otherwise_is_refused(small_student, graphs, examples, tmp_path):
    turned = change_weights(graphs["int8"], tmp_path / "turned.onnx", turn_every_second)
    with pytest.raises(ExportError, match="Kendall"):
        verify(small_student, graphs["float"], turned, examples, range(len(examples)))


def test_scores_that_are_no_numbers_are_refused(small_student, graphs, examples, tmp_path):
    broken = change_weights(graphs["int8"], tmp_path / "broken.onnx", lambda s: s * np.nan)
    with pytest.raises(ExportError, match="finite"):
        verify(small_student, graphs["float"], broken, examples, [0], LOOSE)


def test_a_faithful_export_passes():
    _refuse_past(Limits(), GOOD)
    _refuse_past(Limits(), replace(GOOD, rouge1_int8=42.0))  # better by chance is no fault


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("score_difference", 2e-4, "torch to ONNX"),
        ("score_difference", float("nan"), "torch to ONNX"),
        ("kendall_tau", 0.949, "Kendall"),
        ("rouge1_int8", 40.8, "ROUGE-1"),
    ],
)
def test_past_a_limit_it_says_which_and_by_how_much(field, value, message):
    with pytest.raises(ExportError, match=message):
        _refuse_past(Limits(), replace(GOOD, **{field: value}))
