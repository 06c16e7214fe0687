"""The roofline counts multiply-adds from the graph, and compares like with like."""

import numpy as np
import onnx
import pytest
from click.testing import CliRunner
from onnx import TensorProto, helper, numpy_helper

from bench.engine_time import encode_exactly
from bench.roofline import Work, count_work, measure_peak, roofline
from service.errors import InputError
from service.inference.bundle import Bundle, embedded_bundle_path
from service.text.encode import Encoded


def encoded(n_tokens):
    ids = np.zeros(n_tokens, dtype=np.int64)
    return Encoded(ids, ids, spans=(), n_encoded=1, n_tokens=n_tokens, is_truncated=False)


def test_work_is_rows_times_inner_times_columns():
    """A rounded product of (tokens, 1) and (1, 6), a float one of (tokens, 6) and (6, tokens)."""
    rounded = numpy_helper.from_array(np.ones((1, 6), dtype=np.int8), "q")
    scale = numpy_helper.from_array(np.array(0.5, dtype=np.float32), "s")
    axis = numpy_helper.from_array(np.array([1]), "axis")
    nodes = [
        helper.make_node("Cast", ["token_ids"], ["x"], to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["x", "axis"], ["rows"]),
        helper.make_node("DequantizeLinear", ["q", "s"], ["w"]),
        helper.make_node("Gemm", ["rows", "w"], ["y"]),
        helper.make_node("Transpose", ["y"], ["t"]),
        helper.make_node("MatMul", ["y", "t"], ["z"]),
    ]
    inputs = [
        helper.make_tensor_value_info(name, TensorProto.INT64, ["tokens"])
        for name in ("token_ids", "sentence_ids")
    ]
    inputs.append(helper.make_tensor_value_info("explain", TensorProto.BOOL, []))
    output = helper.make_tensor_value_info("z", TensorProto.FLOAT, None)
    graph = helper.make_graph(nodes, "products", inputs, [output], [rounded, scale, axis])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    assert count_work(model, encoded(5)) == Work(in_int8=5 * 6, in_float=5 * 6 * 5)


def test_of_a_condition_the_other_branch_counts():
    """The else branch has one product of (tokens, 1) and (1, 6), the other would not even run."""
    weight = numpy_helper.from_array(np.ones((1, 6), dtype=np.float32), "w")
    make, info = helper.make_node, helper.make_tensor_value_info
    wrong = helper.make_graph(
        [make("MatMul", ["w", "w"], ["wrong"])],
        "then",
        [],
        [info("wrong", TensorProto.FLOAT, None)],
    )
    right = helper.make_graph(
        [make("MatMul", ["rows", "w"], ["right"])],
        "else",
        [],
        [info("right", TensorProto.FLOAT, None)],
        [weight],
    )
    nodes = [
        make("Cast", ["token_ids"], ["x"], to=TensorProto.FLOAT),
        make("Unsqueeze", ["x", "axis"], ["rows"]),
        make("If", ["explain"], ["z"], then_branch=wrong, else_branch=right),
    ]
    axis = numpy_helper.from_array(np.array([1]), "axis")
    inputs = [info(name, TensorProto.INT64, ["tokens"]) for name in ("token_ids", "sentence_ids")]
    inputs.append(info("explain", TensorProto.BOOL, []))
    output = info("z", TensorProto.FLOAT, None)
    graph = helper.make_graph(nodes, "condition", inputs, [output], [axis])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    assert count_work(model, encoded(5)) == Work(in_int8=0, in_float=5 * 6)


def test_peak_is_a_rate_of_this_processor():
    assert 1e8 < measure_peak(1, 3) < 1e15


def test_command_tells_work_time_and_share_for_each_length():
    result = CliRunner().invoke(roofline, ["--tokens", "16,64", "--threads", "1", "--runs", "3"])
    assert result.exit_code == 0, result.output
    rows = [line.split() for line in result.output.splitlines()[2:]]
    assert [row[0] for row in rows] == ["16", "64"]
    assert all(row[-1].endswith("%") for row in rows)


@pytest.mark.parametrize("tokens", ["", "abc", "2", "16,,64"])
def test_lengths_that_are_none_are_refused(tokens):
    result = CliRunner().invoke(roofline, ["--tokens", tokens])
    assert result.exit_code == 2
    assert "expected whole numbers from 3" in result.output


def test_length_that_the_model_does_not_read_is_refused():
    with pytest.raises(InputError, match="which the model reads, got 10000000"):
        CliRunner().invoke(roofline, ["--tokens", "10000000"], catch_exceptions=False)


def test_work_of_the_embedded_model_grows_with_the_tokens():
    bundle = Bundle(embedded_bundle_path())
    graph = onnx.load(bundle.model_path)
    short, long = (count_work(graph, encode_exactly(bundle, n, seed=0)) for n in (200, 400))
    assert 1.9 < long.in_int8 / short.in_int8 < 2.1
    assert 0 < short.in_float < short.in_int8
