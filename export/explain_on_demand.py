"""What only the explanations need is computed only when they are asked for.

    before    token_ids, sentence_ids ── … ──┬── scores
                                             └── … ── attention and pattern shares

    after     token_ids, sentence_ids ── … ──┬── scores
                                             └── If ── attention and pattern shares
                                 explain ────────┘

The nodes in front of the scores stay as they are, so that the scores are the same bits either way.
Nodes that neither needs are left out.
"""

import re
from collections.abc import Mapping, Sequence

import onnx
from onnx import TensorProto, helper

from export.graph import find_ancestors, made_by

SCORES = "scores"
EXPLAIN = "explain"
# What `to_onnx.reopen_layer` looks for; naming the heads of a last layer takes a node of its own.
_TAP = re.compile(r"layer\d+\.(input|heads)")


def explain_on_demand(model: onnx.ModelProto) -> None:
    """Put the nodes that only the explanations need behind a condition, the new input `explain`.

    Args:
        model: of `to_onnx.export_onnx` or `quantize.quantize`; changed in place. Where `explain`, a
            bool scalar, is False, its outputs but the scores have no rows.
    """
    graph = model.graph
    explanations = [output for output in graph.output if output.name != SCORES]
    # From now on their names belong to the condition.
    inner = {output.name: f"{output.name}.inner" for output in explanations}
    for node in graph.node:
        for names in (node.input, node.output):
            names[:] = [inner.get(name, name) for name in names]
    taps = {name for name in made_by(graph.node) if _TAP.fullmatch(name)}
    needed = find_ancestors(graph.node, {SCORES, *taps})
    always = [node for node in graph.node if needed.intersection(node.output)]
    others = find_ancestors(graph.node, inner.values(), without=needed)
    condition = helper.make_node(
        "If",
        [EXPLAIN],
        [output.name for output in explanations],
        name=EXPLAIN,
        then_branch=_compute(
            [node for node in graph.node if others.intersection(node.output)], explanations, inner
        ),
        else_branch=_leave_empty(explanations),
    )
    del graph.node[:]
    graph.node.extend([*always, condition])
    graph.input.append(helper.make_tensor_value_info(EXPLAIN, TensorProto.BOOL, []))
    onnx.checker.check_model(model)


def remove_explanations(model: onnx.ModelProto) -> None:
    """Take the condition, its input and its outputs out of a model, if it has them."""
    graph = model.graph
    for parts in (graph.node, graph.input):
        for part in [part for part in parts if part.name == EXPLAIN]:
            parts.remove(part)
    for output in [output for output in graph.output if output.name != SCORES]:
        graph.output.remove(output)


def _compute(
    nodes: Sequence[onnx.NodeProto],
    outputs: Sequence[onnx.ValueInfoProto],
    inner: Mapping[str, str],
) -> onnx.GraphProto:
    """The branch that gives the outputs; it may read every value of the graph around it."""
    results = [_as_result(output, "explained") for output in outputs]
    copies = [
        helper.make_node("Identity", [inner[output.name]], [result.name])
        for output, result in zip(outputs, results, strict=True)
    ]
    return helper.make_graph([*nodes, *copies], "explained", [], results)


def _leave_empty(outputs: Sequence[onnx.ValueInfoProto]) -> onnx.GraphProto:
    """The branch that gives nothing: sizes that the graph does not fix are 0."""
    results = [_as_result(output, "empty") for output in outputs]
    nodes = []
    for result in results:
        sizes = [axis.dim_value for axis in result.type.tensor_type.shape.dim]
        nothing = helper.make_tensor(result.name, TensorProto.FLOAT, sizes, [])
        nodes.append(helper.make_node("Constant", [], [result.name], value=nothing))
    return helper.make_graph(nodes, "not_explained", [], results)


def _as_result(output: onnx.ValueInfoProto, of: str) -> onnx.ValueInfoProto:
    """An output under another name."""
    result = onnx.ValueInfoProto()
    result.CopyFrom(output)
    result.name = f"{output.name}.{of}"
    return result
