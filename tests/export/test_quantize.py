"""int8: what rounding keeps, and that a token's numbers depend on that token alone."""

import numpy as np
import onnx
import onnxruntime
from hypothesis import given
from hypothesis import strategies as st

from export.quantize import MIN_MATRIX, MIN_TABLE, choose_scale, quantize, round_to_int8
from tests.export.documents import random_document


@given(seed=st.integers(0, 1_000), axis=st.sampled_from([0, 1]), levels=st.sampled_from([63, 127]))
def test_rounding_errs_no_more_than_with_the_full_scale(seed, axis, levels):
    values = np.random.default_rng(seed).normal(size=(70, 50)).astype(np.float32)
    rounded, scales = round_to_int8(values, axis, levels)
    assert np.abs(rounded.astype(int)).max() <= levels
    full = np.abs(values).max(axis=axis, keepdims=True) / levels
    plain = np.rint(values / full) * full
    errors, plain_errors = (
        ((form - values) ** 2).sum(axis=axis) for form in (rounded * scales, plain)
    )
    assert (errors <= plain_errors * (1 + 1e-5)).all()
    assert (np.abs(rounded * scales - values)[np.abs(rounded) < levels] <= full.max()).all()


def test_a_matrix_of_zeros_stays_zero():
    rounded, scales = round_to_int8(np.zeros((3, 4), dtype=np.float32), 1, 127)
    assert not rounded.any()
    assert np.isfinite(scales).all()


def test_every_large_matrix_and_table_is_int8(graphs):
    graph = onnx.load(graphs["int8"]).graph
    weights = {item.name: item for item in graph.initializer}
    large_floats = [
        item.name
        for item in graph.initializer
        if item.data_type == onnx.TensorProto.FLOAT
        and len(item.dims) == 2
        and int(np.prod(item.dims)) >= MIN_TABLE
    ]
    float_products = [
        node.name
        for node in graph.node
        if node.op_type == "MatMul"
        and node.input[1] in weights
        and int(np.prod(weights[node.input[1]].dims)) >= MIN_MATRIX
        and len(weights[node.input[1]].dims) == 2
    ]
    assert large_floats == []
    assert float_products == []
    assert {node.op_type for node in graph.node} >= {"Gemm", "QuantizeLinear", "DequantizeLinear"}


def test_integer_products_cannot_overflow_sixteen_bits(graphs):
    """Two u8 x s8 products are added in 16 bits on processors without VNNI."""
    graph = onnx.load(graphs["int8"]).graph
    values = {item.name: onnx.numpy_helper.to_array(item) for item in graph.initializer}
    makers = {node.output[0]: node for node in graph.node}
    products = [
        node for node in graph.node if node.op_type == "Gemm" and node.name.endswith("Gemm")
    ]
    rounded = [
        values[makers[node.input[1]].input[0]] for node in products if node.input[1] in makers
    ]
    assert len(rounded) > 10
    for matrix in rounded:
        assert matrix.dtype == np.int8
        assert 2 * 255 * int(np.abs(matrix.astype(int)).max()) <= 32_767


def test_onnxruntime_multiplies_integers(graphs, tmp_path):
    """Every product of an activation and a constant matrix becomes one integer kernel."""
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "optimized.onnx")
    options.log_severity_level = 3
    onnxruntime.InferenceSession(str(graphs["int8"]), options)
    kinds = [node.op_type for node in onnx.load(tmp_path / "optimized.onnx").graph.node]
    written = onnx.load(graphs["int8"]).graph.node
    rounded = {node.output[0] for node in written if node.op_type == "DequantizeLinear"}
    products = [node for node in written if node.op_type == "Gemm" and node.input[1] in rounded]
    assert kinds.count("QGemm") == len(products) > 10


def test_bias_of_a_column_next_to_nothing_survives(tmp_path):
    matrix = np.random.default_rng(0).normal(size=(64, 40)).astype(np.float32)
    matrix[:, 3] = 1e-12
    bias = np.full(40, 0.5, dtype=np.float32)
    nodes = [
        onnx.helper.make_node("Cast", ["token_ids"], ["x"], to=onnx.TensorProto.FLOAT),
        onnx.helper.make_node("MatMul", ["x", "w"], ["y"]),
        onnx.helper.make_node("Add", ["y", "b"], ["z"]),
    ]
    tensors = [onnx.numpy_helper.from_array(a, n) for a, n in ((matrix, "w"), (bias, "b"))]
    ends = [
        onnx.helper.make_tensor_value_info("token_ids", onnx.TensorProto.INT64, [1, "n", 64]),
        onnx.helper.make_tensor_value_info("z", onnx.TensorProto.FLOAT, [1, "n", 40]),
    ]
    graph = onnx.helper.make_graph(nodes, "one product", ends[:1], ends[1:], tensors)
    opset = onnx.helper.make_opsetid("", 18)
    onnx.save(onnx.helper.make_model(graph, opset_imports=[opset], ir_version=9), tmp_path / "f")
    document = {"token_ids": np.random.default_rng(1).integers(-5, 6, (1, 9, 64))}
    quantize(tmp_path / "f", tmp_path / "q", [document])
    found = onnxruntime.InferenceSession(str(tmp_path / "q")).run(None, document)[0]
    np.testing.assert_allclose(found[..., 3], 0.5, atol=1e-3)


@given(seed=st.integers(0, 1_000), offset=st.floats(-3, 3))
def test_chosen_scale_errs_no_more_than_the_full_range(seed, offset):
    values = np.random.default_rng(seed).standard_t(4, 3_000).astype(np.float32) + np.float32(
        offset
    )
    scale, zero_point = choose_scale(values)
    low, high = min(values.min(), 0), max(values.max(), 0)
    full = (high - low) / 255
    zero = np.rint(-low / full)

    def error(step, zero):
        rounded = np.clip(np.rint(values / step) + zero, 0, 255) - float(zero)
        return ((rounded * step - values) ** 2).sum()

    assert error(scale, zero_point) <= error(full, zero) * (1 + 1e-4)


def test_activation_that_is_always_zero_gets_a_scale():
    scale, zero_point = choose_scale(np.zeros(5, dtype=np.float32))
    assert scale > 0
    assert zero_point == 0


def test_int8_scores_stay_close_to_float(graphs):
    sessions = {form: onnxruntime.InferenceSession(str(path)) for form, path in graphs.items()}
    for seed in range(5):
        document = random_document(seed, 15)
        scores = {form: session.run(["scores"], document)[0] for form, session in sessions.items()}
        np.testing.assert_allclose(scores["int8"], scores["float"], atol=0.02)


def test_channels_are_balanced_where_a_few_are_far_larger(tmp_path):
    """Two layer norms, each read by a product: one channel of the first is 300 times as large."""
    generator = np.random.default_rng(0)
    width, make, info = 64, onnx.helper.make_node, onnx.helper.make_tensor_value_info
    tensors = {"bias": np.zeros(width, dtype=np.float32)}
    nodes = [make("Cast", ["token_ids"], ["x"], to=onnx.TensorProto.FLOAT)]
    for name, largest in (("uneven", 300.0), ("even", 1.0)):
        gain = np.ones(width, dtype=np.float32)
        gain[5] = largest
        tensors[f"{name}.gain"] = gain
        tensors[f"{name}.w"] = generator.normal(size=(width, 40)).astype(np.float32)
        tensors[f"{name}.w"][5] /= largest
        nodes.append(make("LayerNormalization", ["x", f"{name}.gain", "bias"], [name]))
        nodes.append(make("MatMul", [name, f"{name}.w"], [f"{name}.y"], name=name))
    graph = onnx.helper.make_graph(
        nodes,
        "two products",
        [info("token_ids", onnx.TensorProto.INT64, [1, "n", width])],
        [info(f"{name}.y", onnx.TensorProto.FLOAT, [1, "n", 40]) for name in ("uneven", "even")],
        [onnx.numpy_helper.from_array(array, name) for name, array in tensors.items()],
    )
    opset = onnx.helper.make_opsetid("", 18)
    onnx.save(onnx.helper.make_model(graph, opset_imports=[opset], ir_version=9), tmp_path / "f")
    documents = [{"token_ids": generator.integers(-90, 91, (1, 60, width))} for _ in range(4)]
    rounded = quantize(tmp_path / "f", tmp_path / "q", documents)
    balanced = {item.name for item in rounded.graph.initializer if item.name.endswith(".c")}
    assert balanced == {"uneven.c"}
    forms = [onnxruntime.InferenceSession(str(tmp_path / form)) for form in "fq"]
    for exact, found in zip(*(form.run(None, documents[0]) for form in forms), strict=True):
        assert np.sqrt(((found - exact) ** 2).mean() / (exact**2).mean()) < 0.02
