"""Reading and rewriting the nodes of an ONNX graph.

"" is no name: it stands for an input or output that is left out.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence

import onnx
import onnx.parser
from onnx import helper


def rename(node: onnx.NodeProto, names: Mapping[str, str]) -> onnx.NodeProto:
    """Copy a node, with other names for some of what it reads and makes; subgraphs stay."""
    renamed = onnx.NodeProto()
    renamed.CopyFrom(node)
    renamed.input[:] = [names.get(name, name) for name in node.input]
    renamed.output[:] = [names.get(name, name) for name in node.output]
    return renamed


def made_by(nodes: Iterable[onnx.NodeProto]) -> set[str]:
    """Names of what some nodes make."""
    return {name for node in nodes for name in node.output} - {""}


def inputs_of(node: onnx.NodeProto) -> set[str]:
    """Names of what a node reads, its subgraphs included."""
    inputs = set(node.input) - {""}
    for graph in _subgraphs_of(node):
        inputs.update(*(inputs_of(inner) for inner in graph.node))
        inputs.update(output.name for output in graph.output)
    return inputs


def subgraph_of(node: onnx.NodeProto, attribute: str) -> onnx.GraphProto:
    """The graph that an attribute of a node holds."""
    graph: onnx.GraphProto = next(item.g for item in node.attribute if item.name == attribute)
    return graph


def find_ancestors(
    nodes: Sequence[onnx.NodeProto], values: Iterable[str], *, without: Iterable[str] = ()
) -> set[str]:
    """Find what some values are computed from.

    Args:
        nodes: in an order in which they may run.
        values: names of the values.
        without: names that are passed over, with what only they are computed from.

    Returns:
        Names, also those of the values that are not passed over.
    """
    stops = set(without)
    found = set(values) - stops
    for node in reversed(nodes):
        if found.intersection(node.output):
            found |= inputs_of(node) - stops
    return found


def find_descendants(nodes: Sequence[onnx.NodeProto], values: Iterable[str]) -> set[str]:
    """Find what is computed from some values.

    Args:
        nodes: in an order in which they may run.
        values: names of the values.

    Returns:
        Names, those of the values among them.
    """
    found = set(values)
    for node in nodes:
        if found & inputs_of(node):
            found.update(node.output)
    return found - {""}


def parse_nodes(
    text: str, own: Callable[[str], str], others: Mapping[str, str]
) -> list[onnx.NodeProto]:
    """Read nodes in ONNX's own notation.

    Args:
        text: a graph without inputs and outputs.
        own: gives the name of a value by its name in the text.
        others: the same for some values that are not to go through `own`.

    Returns:
        The nodes.
    """
    nodes = list(onnx.parser.parse_graph(text).node)
    names = {name: own(name) for node in nodes for name in (*node.input, *node.output)}
    return [rename(node, {**names, **others}) for node in nodes]


def make_branch(
    nodes: Iterable[onnx.NodeProto], name: str, outputs: Mapping[str, int]
) -> onnx.GraphProto:
    """Make a graph of nodes for a condition or a loop.

    Args:
        nodes: its nodes.
        name: its name.
        outputs: by name, their element types, of any shape.

    Returns:
        The graph, without inputs.
    """
    infos = [helper.make_tensor_value_info(output, kind, None) for output, kind in outputs.items()]
    return helper.make_graph(list(nodes), name, [], infos)


def bring_scalars_in(
    branch: onnx.GraphProto, constants: Sequence[onnx.TensorProto]
) -> onnx.GraphProto:
    """Give a branch, and all inside it, its own copies of scalars.

    onnxruntime fuses operators by constants of the same graph only.

    Args:
        branch: changed in place; its copies end with its name.
        constants: of the graph around it.

    Returns:
        The branch.
    """
    scalars = {item.name: item for item in constants if math.prod(item.dims) == 1}
    nodes = list(branch.node)
    read = sorted({name for node in nodes for name in node.input} & set(scalars))
    names = {name: f"{name}.{branch.name}" for name in read}
    del branch.node[:]
    branch.node.extend(rename(node, names) for node in nodes)
    for name in read:
        branch.initializer.append(scalars[name])
        branch.initializer[-1].name = names[name]
    for node in branch.node:
        for graph in _subgraphs_of(node):
            bring_scalars_in(graph, constants)
    return branch


def drop_unread_constants(graph: onnx.GraphProto) -> None:
    """Take constants that no node reads out of a graph."""
    read = set().union(*(inputs_of(node) for node in graph.node))
    kept = [item for item in graph.initializer if item.name in read]
    del graph.initializer[:]
    graph.initializer.extend(kept)


def _subgraphs_of(node: onnx.NodeProto) -> list[onnx.GraphProto]:
    graph = onnx.AttributeProto.GRAPH
    return [attribute.g for attribute in node.attribute if attribute.type == graph]
