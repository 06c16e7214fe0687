"""Verification measures the three forms of a model, and refuses what is past a limit."""

import pytest

from export.verify import Limits, Verification, _refuse_past
from service.errors import ExportError

GOOD = Verification(
    documents=200,
    score_difference=1e-6,
    kendall_tau=0.97,
    rouge1_float=41.0,
    rouge1_int8=41.1,
)


def test_a_faithful_export_passes():
    _refuse_past(Limits(), GOOD)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("score_difference", 2e-4, "torch to ONNX"),
        ("score_difference", float("nan"), "torch to ONNX"),
        ("kendall_tau", 0.949, "Kendall"),
        ("rouge1_int8", 40.8, "ROUGE-1"),
        ("rouge1_int8", 41.2, "ROUGE-1"),
    ],
)
def test_past_a_limit_it_says_which_and_by_how_much(field, value, message):
    from dataclasses import replace

    with pytest.raises(ExportError, match=message):
        _refuse_past(Limits(), replace(GOOD, **{field: value}))
