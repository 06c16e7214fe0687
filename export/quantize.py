"""Float ONNX to int8: one scale for each activation, output channel and embedding row, fixed once.

onnxruntime's own dynamic quantization takes one scale for whatever a tensor holds, so one token's
outlier moves every other token's numbers, and a head that must not see a token would still feel it.
Ours fixes the scale of an activation beforehand, on training documents:

    q[t] = round(x[t] / d / s) + z    d below; s, z from the calibration; 0..255  uint8
    y[t] = s * c * ((q - z) @ w + b)  c = one scale an output channel             int32, then float

so that what a token's numbers become depends on that token alone, in int8 as in float. What lies
far beyond the numbers that the calibration saw is cut off.

A few channels of a layer norm's output may be far larger than the rest, and leave them but a few
steps of the scale. Where that matters, each channel is divided by a constant of its own before it
is rounded, and the matrices that read it are multiplied by the same. What is left of the difference
is shared between activation and weights.

The graph says so in plain operators, QuantizeLinear, DequantizeLinear and Gemm, from which
onnxruntime makes one integer product with its bias.

Weights take 7 of the 8 bits. Processors without VNNI add u8 x s8 products in pairs of 16 bits, and
full-range weights overflow there without a word; 7 bits cannot. The integer products are then the
same on every processor.

What stays in float, and why:

    products of two activations          attention: both sides change with the text
    Q and K of the [CLS] alone           fixed matching heads: a row a sentence, hardly any work
    attention of a last layer for them   likewise; its feed-forward block is rounded
    the last projection, to one number   it decides the ranking, and holds 256 weights
    the Gram matrices                    they only weigh explanations, and are small
    layer norms, softmax, GELU, ReLU     no matrix product

Source:
    Channels: Xiao et al., SmoothQuant, arXiv:2211.10438, with half of the difference each.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

_WEIGHT_LEVELS = 63
_SCALE_SHARES = tuple(np.linspace(1.0, 0.6, 21))
_TABLE_LEVELS = 127
_ACTIVATION_LEVELS = 255
_ACTIVATION_SHARES = tuple(np.linspace(1.0, 0.3, 29))
# Rows of an activation that one document gives to choose a scale by, from all over it: all
# sentences of an article, and a tenth of its tokens.
_SAMPLE_ROWS = 64
# Dividing the channels takes a pass over the activation: worth it where what is left of the
# products' error is less than this.
_WORTH_A_PASS = 2 / 3
# Below it a channel holds nothing, and a quotient of two nothings would be noise.
_LEAST_CHANNEL = 1e-5
_MOST_BIAS = 2**30
MIN_MATRIX = 2_049
"""Numbers in a matrix from which on int8 saves anything worth its rounding."""
MIN_TABLE = 100_000
"""The same for an embedding table: that of the words. Rows of the others are cheaper in float."""

_BATCH_AXIS = "int8/batch_axis"

Float32 = npt.NDArray[np.float32]
Int8 = npt.NDArray[np.int8]
Inputs = Mapping[str, npt.NDArray[np.int64]]


def quantize(source: Path, target: Path, documents: Sequence[Inputs]) -> onnx.ModelProto:
    """Write the int8 form of a float graph.

    Args:
        source: a file of `to_onnx.export_onnx`.
        target: file to write.
        documents: the graph's inputs for some training documents, at least one: they decide the
            scales of the activations.

    Returns:
        The graph that was written.
    """
    model = onnx.load(source)
    graph = model.graph
    weights = {item.name: item for item in graph.initializer}
    products = [node for node in graph.node if _has_large_matrix(node, weights)]
    samples = _sample_activations(model, sorted({node.input[0] for node in products}), documents)
    biases = _find_biases(graph, products, weights)
    added = {id(add) for add in biases.values()}
    graph.initializer.append(numpy_helper.from_array(np.array([0], dtype=np.int64), _BATCH_AXIS))
    nodes: list[onnx.NodeProto] = []
    scales: dict[str, np.float32] = {}
    channels = _balance_channels(graph, products, samples, weights)
    replaced: set[str] = set()
    for node in graph.node:
        table = weights.get(node.input[0]) if node.op_type == "Gather" else None
        if _has_large_matrix(node, weights):
            x = node.input[0]
            if x not in scales:
                scales[x], zero_point = choose_scale(samples[x] / channels.get(x, np.float32(1)))
                nodes += _quantize_activation(graph, x, scales[x], zero_point, channels.get(x))
            matrix = numpy_helper.to_array(weights[node.input[1]])
            matrix = matrix * channels.get(x, np.ones(1, dtype=np.float32))[:, None]
            nodes += _multiply(graph, node, matrix, weights, scales[x], biases.get(node.output[0]))
        elif table is not None and _is_large(table, MIN_TABLE):
            nodes += _look_up(node, graph, table, is_new=table.name not in replaced)
            replaced.add(table.name)
        elif id(node) not in added:
            nodes.append(node)
    used = {name for node in nodes for name in node.input}
    kept = [item for item in graph.initializer if item.name in used]
    del graph.node[:]
    del graph.initializer[:]
    graph.node.extend(nodes)
    graph.initializer.extend(kept)
    onnx.checker.check_model(model)
    onnx.save(model, target)
    return model


def choose_scale(values: Float32) -> tuple[np.float32, np.uint8]:
    """Choose the scale and the zero point of an activation, those that err least.

    Args:
        values: float32 of any shape, a sample of what the activation holds.

    Returns:
        The scale, above 0, and the zero point; 0 is held without error.
    """
    low, high = min(float(values.min()), 0.0), max(float(values.max()), 0.0)
    best = (math.inf, np.float32(1.0), np.uint8(0))
    for share in _ACTIVATION_SHARES if high > low else ():
        scale = np.float32((high - low) * share / _ACTIVATION_LEVELS)
        zero_point = np.uint8(np.clip(np.rint(-low * share / scale), 0, _ACTIVATION_LEVELS))
        error = float(((_round_activation(values, scale, zero_point) - values) ** 2).sum())
        best = min(best, (error, scale, zero_point), key=lambda found: found[0])
    return best[1], best[2]


def _round_activation(values: Float32, scale: np.float32, zero_point: np.uint8) -> Float32:
    """What values of an activation become, as float again."""
    levels = np.clip(np.rint(values / scale) + zero_point, 0, _ACTIVATION_LEVELS)
    rounded: Float32 = (levels - zero_point) * scale
    return rounded


def _sample_activations(
    model: onnx.ModelProto, names: Sequence[str], documents: Sequence[Inputs]
) -> dict[str, Float32]:
    """Run the float graph, and keep a sample of some of its values, (rows, width) each."""
    open_model = onnx.ModelProto()
    open_model.CopyFrom(model)
    del open_model.graph.output[:]
    open_model.graph.output.extend(
        helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in names
    )
    session = onnxruntime.InferenceSession(
        open_model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    kept: dict[str, list[Float32]] = {name: [] for name in names}
    for document in documents:
        for name, found in zip(names, session.run(names, dict(document)), strict=True):
            rows = found.reshape(-1, found.shape[-1])
            kept[name].append(rows[:: max(1, len(rows) // _SAMPLE_ROWS)])
    return {name: np.concatenate(parts) for name, parts in kept.items()}


def _balance_channels(
    graph: onnx.GraphProto,
    products: Sequence[onnx.NodeProto],
    samples: Mapping[str, Float32],
    weights: Mapping[str, onnx.TensorProto],
) -> dict[str, Float32]:
    """By the name of each layer norm's output that is worth it: (width,) what divides it."""
    norms = {node.output[0] for node in graph.node if node.op_type == "LayerNormalization"}
    readers: dict[str, list[Float32]] = {}
    for product in products:
        if product.input[0] in norms:
            matrix = numpy_helper.to_array(weights[product.input[1]])
            readers.setdefault(product.input[0], []).append(matrix)
    found = {}
    for x, matrices in readers.items():
        matrix = np.concatenate(matrices, axis=1)
        channels = np.sqrt(
            np.maximum(np.abs(samples[x]).max(axis=0), _LEAST_CHANNEL)
            / np.maximum(np.abs(matrix).max(axis=1), _LEAST_CHANNEL)
        )
        balanced = _rounding_error(samples[x] / channels, matrix * channels[:, None])
        if balanced < _WORTH_A_PASS * _rounding_error(samples[x], matrix):
            found[x] = channels
    return found


def _rounding_error(x: Float32, matrix: Float32) -> float:
    """Root mean square error of x @ matrix, (rows, width) and (width, columns), in int8."""
    scale, zero_point = choose_scale(x)
    values, columns = round_to_int8(matrix, 0, _WEIGHT_LEVELS)
    exact, rounded = x @ matrix, _round_activation(x, scale, zero_point) @ (values * columns)
    return float(np.sqrt(((rounded - exact) ** 2).mean()))


def _find_biases(
    graph: onnx.GraphProto,
    products: Sequence[onnx.NodeProto],
    weights: Mapping[str, onnx.TensorProto],
) -> dict[str, onnx.NodeProto]:
    """By the result of a product: the only node that reads it, where that adds a constant."""
    readers: dict[str, list[onnx.NodeProto]] = {}
    for node in graph.node:
        for name in node.input:
            readers.setdefault(name, []).append(node)
    found = {}
    for product in products:
        following = readers.get(product.output[0], [])
        is_bias = len(following) == 1 and following[0].op_type == "Add"
        if is_bias and any(name in weights for name in following[0].input):
            found[product.output[0]] = following[0]
    return found


def _has_large_matrix(node: onnx.NodeProto, weights: Mapping[str, onnx.TensorProto]) -> bool:
    # What the tracer writes as Gemm has two dimensions: rows of the [CLS], which stay in float.
    weight = weights.get(node.input[1]) if node.op_type == "MatMul" else None
    return weight is not None and _is_large(weight, MIN_MATRIX)


def _is_large(constant: onnx.TensorProto, minimum: int) -> bool:
    """Whether a constant is a float matrix or table of at least so many numbers."""
    is_matrix = constant.data_type == TensorProto.FLOAT and len(constant.dims) == 2
    return is_matrix and int(np.prod(constant.dims)) >= minimum


def round_to_int8(values: Float32, axis: int, levels: int) -> tuple[Int8, Float32]:
    """Round a matrix to int8 with one scale along an axis, the scale that errs least.

    A scale smaller than the largest value needs cuts that value off, and rounds all others finer;
    of some shares of the full scale, each column or row takes the one with the least squared error.

    Args:
        values: (rows, columns) float32.
        axis: the axis that one scale spans: 0 gives a scale for each column, 1 for each row.
        levels: largest absolute value of the result, up to 127.

    Returns:
        (rows, columns) int8, and the scales, float32, shaped to multiply it back.
    """
    full = np.abs(values).max(axis=axis, keepdims=True) / levels
    full = np.where(full == 0.0, 1.0, full).astype(np.float32)
    best = full
    least = np.full(full.shape, np.inf)
    for share in _SCALE_SHARES:
        scales = full * np.float32(share)
        errors = ((_round(values, scales, levels) * scales - values) ** 2).sum(
            axis=axis, keepdims=True
        )
        best = np.where(errors < least, scales, best)
        least = np.minimum(errors, least)
    return _round(values, best, levels), best


def _round(values: Float32, scales: Float32, levels: int) -> Int8:
    rounded: Int8 = np.clip(np.rint(values / scales), -levels, levels).astype(np.int8)
    return rounded


def _quantize_activation(
    graph: onnx.GraphProto,
    x: str,
    scale: np.float32,
    zero_point: np.uint8,
    channels: Float32 | None,
) -> Iterator[onnx.NodeProto]:
    """Nodes that turn x (1, rows, width) float into x.dq (rows, width), float again but rounded."""
    balanced = x
    if channels is not None:
        balanced = f"{x}.balanced"
        graph.initializer.append(numpy_helper.from_array(1 / channels, f"{x}.c"))
        yield helper.make_node("Mul", [x, f"{x}.c"], [balanced], name=f"{balanced}/Mul")
    graph.initializer.append(numpy_helper.from_array(np.array(scale), f"{x}.s"))
    graph.initializer.append(numpy_helper.from_array(np.array(zero_point), f"{x}.z"))
    steps = (
        ("Squeeze", [balanced, _BATCH_AXIS], f"{x}.rows"),
        ("QuantizeLinear", [f"{x}.rows", f"{x}.s", f"{x}.z"], f"{x}.q"),
        ("DequantizeLinear", [f"{x}.q", f"{x}.s", f"{x}.z"], f"{x}.dq"),
    )
    for kind, inputs, output in steps:
        yield helper.make_node(kind, inputs, [output], name=f"{output}/{kind}")


def _multiply(
    graph: onnx.GraphProto,
    node: onnx.NodeProto,
    matrix: Float32,
    weights: Mapping[str, onnx.TensorProto],
    scale: np.float32,
    add: onnx.NodeProto | None,
) -> Iterator[onnx.NodeProto]:
    """One matrix product on a quantized activation, its bias included."""
    x, y = node.input[0], node.output[0]
    bias = _bias_of(add, weights, matrix.shape[1])
    values, columns = round_to_int8(matrix, 0, _WEIGHT_LEVELS)
    # A column next to nothing has a scale in which its bias would not fit into 32 bits.
    columns = np.maximum(columns, np.abs(bias) / scale / _MOST_BIAS).astype(np.float32)
    values = _round(matrix, columns, _WEIGHT_LEVELS)
    inputs = [f"{x}.dq", f"{y}.w"]
    yield _constant(graph, f"{y}.w", values, columns[0], axis=1)
    if add is not None:
        steps = (scale * columns[0]).astype(np.float32)
        yield _constant(graph, f"{y}.b", np.rint(bias / steps).astype(np.int32), steps, axis=0)
        inputs.append(f"{y}.b")
        y = add.output[0]
    yield helper.make_node("Gemm", inputs, [f"{y}.rows"], name=f"{node.name}/Gemm")
    yield helper.make_node("Unsqueeze", [f"{y}.rows", _BATCH_AXIS], [y], name=f"{y}/Unsqueeze")


def _bias_of(
    add: onnx.NodeProto | None, weights: Mapping[str, onnx.TensorProto], n: int
) -> Float32:
    if add is None:
        return np.zeros(n, dtype=np.float32)
    return next(numpy_helper.to_array(weights[name]) for name in add.input if name in weights)


def _constant(
    graph: onnx.GraphProto, name: str, values: npt.NDArray[Any], scales: Float32, axis: int
) -> onnx.NodeProto:
    """A rounded constant, and the node that makes it float again."""
    zeros = np.zeros(scales.shape, dtype=values.dtype)
    for suffix, array in (("q", values), ("s", scales), ("z", zeros)):
        graph.initializer.append(numpy_helper.from_array(array, f"{name}.{suffix}"))
    inputs = [f"{name}.{suffix}" for suffix in "qsz"]
    return helper.make_node("DequantizeLinear", inputs, [name], name=f"{name}/dq", axis=axis)


def _look_up(
    node: onnx.NodeProto, graph: onnx.GraphProto, table: onnx.TensorProto, *, is_new: bool
) -> Iterator[onnx.NodeProto]:
    """Rows (1, tokens) of an embedding table, stored as int8 with one scale a row."""
    rows, y, t = node.input[1], node.output[0], table.name
    if is_new:
        values, scales = round_to_int8(numpy_helper.to_array(table), 1, _TABLE_LEVELS)
        graph.initializer.append(numpy_helper.from_array(values, f"{t}.q"))
        graph.initializer.append(numpy_helper.from_array(scales[:, 0], f"{t}.s"))
    yield helper.make_node("Gather", [f"{t}.q", rows], [f"{y}.q"], name=f"{y}.q/Gather", axis=0)
    yield helper.make_node("Gather", [f"{t}.s", rows], [f"{y}.scales"], name=f"{y}.scales", axis=0)
    yield helper.make_node("Squeeze", [f"{y}.scales", _BATCH_AXIS], [f"{y}.s"], name=f"{y}.s")
    # One pass, where a cast and a product would be two.
    inputs = [f"{y}.q", f"{y}.s"]
    yield helper.make_node("DequantizeLinear", inputs, [y], name=f"{y}/Dequantize", axis=1)
