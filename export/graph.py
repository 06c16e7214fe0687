"""Reading and rewriting the nodes of an ONNX graph."""

from collections.abc import Iterable, Mapping, Sequence

import onnx


def rename(node: onnx.NodeProto, names: Mapping[str, str]) -> onnx.NodeProto:
    """Copy a node, with other names for some of the values that it reads and makes."""
    renamed = onnx.NodeProto()
    renamed.CopyFrom(node)
    renamed.input[:] = [names.get(name, name) for name in node.input]
    renamed.output[:] = [names.get(name, name) for name in node.output]
    return renamed


def made_by(nodes: Iterable[onnx.NodeProto]) -> set[str]:
    """Names of what some nodes make."""
    return {name for node in nodes for name in node.output}


def inputs_of(node: onnx.NodeProto) -> set[str]:
    """Names of what a node reads, its subgraphs included."""
    inputs = set(node.input)
    for attribute in node.attribute:
        if attribute.type == onnx.AttributeProto.GRAPH:
            inputs.update(*(inputs_of(inner) for inner in attribute.g.node))
            inputs.update(output.name for output in attribute.g.output)
    return inputs


def find_ancestors(
    nodes: Sequence[onnx.NodeProto], values: Iterable[str], *, without: Iterable[str] = ()
) -> set[str]:
    """Find what some values are computed from.

    Args:
        nodes: in an order in which they may run.
        values: names of the values.
        without: names that are passed over, with what only they are computed from.

    Returns:
        Names, those of the values among them.
    """
    stops = set(without)
    found = set(values) - stops
    for node in reversed(nodes):
        if found.intersection(node.output):
            found |= inputs_of(node) - stops
    return found


def find_descendants(nodes: Iterable[onnx.NodeProto], values: Iterable[str]) -> set[str]:
    """Names of all that is computed from some values, their own among them."""
    found = set(values)
    for node in nodes:
        if found & inputs_of(node):
            found.update(node.output)
    return found


def subgraph_of(node: onnx.NodeProto, attribute: str) -> onnx.GraphProto:
    """The graph that an attribute of a node holds."""
    graph: onnx.GraphProto = next(item.g for item in node.attribute if item.name == attribute)
    return graph
