"""Float ONNX to int8, with one scale for each token, output channel and embedding row.

onnxruntime's own dynamic quantization takes one activation scale for a whole tensor, so one token's
outlier moves every other token's numbers, and a head that must not see a token would still feel it.
Ours takes one scale a token:

    q[t] = round(x[t] / s[t]) + 128        s[t] = max |x[t]| / 127          uint8
    y    = (q - 128) @ w * s[t] * c        c = one scale an output channel  int32, then float

so that what a token's numbers become depends on that token alone, in int8 as in float.

Weights take 7 of the 8 bits. Processors without VNNI add u8 x s8 products in pairs of 16 bits, and
full-range weights overflow there without a word; 7 bits cannot. The integer products are then the
same on every processor.

What stays in float, and why:

    products of two activations          attention: both sides change with the text
    the last projection, to one number   it decides the ranking, and holds 256 weights
    the Gram matrices                    they only weigh explanations, and are small
    layer norms, softmax, GELU           no matrix product
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

_WEIGHT_LEVELS = 63
_SCALE_SHARES = tuple(np.linspace(1.0, 0.6, 21))
_ACTIVATION_LEVELS = 127
_ZERO_POINT = 128
MIN_MATRIX = 2_049
"""Numbers in a matrix from which on int8 saves anything worth its rounding."""
MIN_TABLE = 16_384
"""The same for an embedding table."""
_TINY = 1e-12

Float32 = npt.NDArray[np.float32]
Int8 = npt.NDArray[np.int8]


def quantize(source: Path, target: Path) -> onnx.ModelProto:
    """Write the int8 form of a float graph.

    Args:
        source: a file of `to_onnx.export_onnx`.
        target: file to write.

    Returns:
        The graph that was written.
    """
    model = onnx.load(source)
    graph = model.graph
    weights = {item.name: item for item in graph.initializer}
    graph.initializer.extend(_shared_constants())
    nodes: list[onnx.NodeProto] = []
    quantized_inputs: set[str] = set()
    replaced: set[str] = set()
    for node in graph.node:
        weight = weights.get(node.input[1]) if node.op_type == "MatMul" else None
        table = weights.get(node.input[0]) if node.op_type == "Gather" else None
        if weight is not None and _is_large(weight, MIN_MATRIX):
            if node.input[0] not in quantized_inputs:
                quantized_inputs.add(node.input[0])
                nodes += _quantize_tokens(node.input[0])
            nodes += _multiply(node, graph, weight, is_new=weight.name not in replaced)
            replaced.add(weight.name)
        elif table is not None and _is_large(table, MIN_TABLE):
            nodes += _look_up(node, graph, table, is_new=table.name not in replaced)
            replaced.add(table.name)
        else:
            nodes.append(node)
    kept = [item for item in graph.initializer if item.name not in replaced]
    del graph.node[:]
    del graph.initializer[:]
    graph.node.extend(nodes)
    graph.initializer.extend(kept)
    onnx.checker.check_model(model)
    onnx.save(model, target)
    return model


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


def _shared_constants() -> list[onnx.TensorProto]:
    return [
        numpy_helper.from_array(np.array([-1], dtype=np.int64), "int8/last_axis"),
        numpy_helper.from_array(np.array([0, 2], dtype=np.int64), "int8/outer_axes"),
        numpy_helper.from_array(np.array(1 / _ACTIVATION_LEVELS, dtype=np.float32), "int8/step"),
        numpy_helper.from_array(np.array(_TINY, dtype=np.float32), "int8/tiny"),
        numpy_helper.from_array(np.array(_ZERO_POINT, dtype=np.uint8), "int8/zero_point"),
    ]


def _quantize_tokens(x: str) -> Iterator[onnx.NodeProto]:
    """Nodes that turn x (1, tokens, width) float into x.q uint8 and x.s (1, tokens, 1) float."""
    steps: tuple[tuple[str, list[str], str, dict[str, Any]], ...] = (
        ("Abs", [x], f"{x}.abs", {}),
        ("ReduceMax", [f"{x}.abs", "int8/last_axis"], f"{x}.max", {"keepdims": 1}),
        ("Max", [f"{x}.max", "int8/tiny"], f"{x}.range", {}),
        ("Mul", [f"{x}.range", "int8/step"], f"{x}.s", {}),
        ("Squeeze", [f"{x}.s", "int8/outer_axes"], f"{x}.s1", {}),
        ("Shape", [f"{x}.s1"], f"{x}.n", {}),
        ("Expand", ["int8/zero_point", f"{x}.n"], f"{x}.z", {}),
        ("QuantizeLinear", [x, f"{x}.s1", f"{x}.z"], f"{x}.q", {"axis": 1}),
    )
    for kind, inputs, output, attributes in steps:
        yield helper.make_node(kind, inputs, [output], name=f"{output}/{kind}", **attributes)


def _multiply(
    node: onnx.NodeProto, graph: onnx.GraphProto, weight: onnx.TensorProto, *, is_new: bool
) -> Iterator[onnx.NodeProto]:
    """One matrix product on quantized tokens, back to float."""
    x, y, w = node.input[0], node.output[0], weight.name
    if is_new:
        values, scales = round_to_int8(numpy_helper.to_array(weight), 0, _WEIGHT_LEVELS)
        graph.initializer.append(numpy_helper.from_array(values, f"{w}.q"))
        graph.initializer.append(numpy_helper.from_array(scales[0], f"{w}.s"))
    yield helper.make_node(
        "MatMulInteger",
        [f"{x}.q", f"{w}.q", "int8/zero_point"],
        [f"{y}.i"],
        name=f"{node.name}/MatMulInteger",
    )
    yield helper.make_node("Cast", [f"{y}.i"], [f"{y}.f"], name=f"{y}.f/Cast", to=TensorProto.FLOAT)
    yield helper.make_node("Mul", [f"{y}.f", f"{w}.s"], [f"{y}.c"], name=f"{y}.c/Mul")
    yield helper.make_node("Mul", [f"{y}.c", f"{x}.s"], [y], name=f"{y}/Mul")


def _look_up(
    node: onnx.NodeProto, graph: onnx.GraphProto, table: onnx.TensorProto, *, is_new: bool
) -> Iterator[onnx.NodeProto]:
    """Rows of an embedding table, stored as int8 with one scale a row."""
    rows, y, t = node.input[1], node.output[0], table.name
    if is_new:
        values, scales = round_to_int8(numpy_helper.to_array(table), 1, _ACTIVATION_LEVELS)
        graph.initializer.append(numpy_helper.from_array(values, f"{t}.q"))
        graph.initializer.append(numpy_helper.from_array(scales, f"{t}.s"))
    yield helper.make_node("Gather", [f"{t}.q", rows], [f"{y}.q"], name=f"{y}.q/Gather", axis=0)
    yield helper.make_node("Cast", [f"{y}.q"], [f"{y}.f"], name=f"{y}.f/Cast", to=TensorProto.FLOAT)
    yield helper.make_node("Gather", [f"{t}.s", rows], [f"{y}.s"], name=f"{y}.s/Gather", axis=0)
    yield helper.make_node("Mul", [f"{y}.f", f"{y}.s"], [y], name=f"{y}/Mul")
