"""A long document is read in windows of sentences, so that what is read at once fits the cache.

A last layer for the [CLS] alone reads little of its input: a row a sentence, each from the sentence
itself and the token on either side. What leads there from the heads of the layer below, the widest
arrays of the graph, looks no further, so some sentences at a time do as well as all at once:

    before    layerN.heads, layerN.input ── … ── readings ── …

    after     layerN.heads, layerN.input ── If ── readings ── …
                                            ├ few sentences: as before
                                            └ many: Loop over windows

Time and memory then grow with the text, and a token of a long one costs what one of a short one
does. What looks across sentences stays as it is: matching, attention among the [CLS].

One reading, the copies of a [CLS] in the text, is looked at where a document has a single sentence.
It is computed for such a document alone; others get a row that nothing looks at.
"""

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

import onnx
import onnx.parser
from onnx import TensorProto, helper

from export.explained_model import COPIES, LENGTHS, READING, STARTS
from export.graph import (
    find_ancestors,
    find_descendants,
    inputs_of,
    made_by,
    rename,
    subgraph_of,
)
from service.errors import ExportError

MOST_AT_ONCE = 64
"""Sentences of a window, and of a document that is read at once, at most."""

_NAME = "windows"
_TOKEN_IDS = "token_ids"
_AT_ONCE = "at_once"
_SINGLE = "single"

_DECIDE = """
decide () => () {
    n_sentences = Shape (starts)
    most = Constant <value_int = MOST> ()
    is_long = Greater (n_sentences, most)
    one = Constant <value_int = 1> ()
    is_single = Equal (n_sentences, one)
}
"""
# All windows are of one size, and the last is filled up with the last sentence again.
_PREPARE = """
prepare () => () {
    zero = Constant <value_int = 0> ()
    n = Squeeze (n_sentences)
    last = Sub (n, one)
    more = Add (last, most)
    n_windows = Div (more, most)
    filled = Add (last, n_windows)
    size = Div (filled, n_windows)
    inside = Range (zero, size, one)
    any = Constant <value_ints = [-1]> ()
    from_0 = Constant <value_ints = [0]> ()
    axis_0 = Constant <value_ints = [0]> ()
    axis_1 = Constant <value_ints = [1]> ()
}
"""
# One token more on either side: a [CLS] may read its neighbours.
_CUT_OUT = """
cut_out () => () {
    first = Mul (number, size)
    unfilled = Add (first, inside)
    sentences = Min (unfilled, last)
    starts_in_text = Gather (starts, sentences)
    window_lengths = Gather (lengths, sentences)
    ends = Add (starts_in_text, window_lengths)
    first_start = ReduceMin (starts_in_text)
    before_it = Sub (first_start, one)
    begin = Max (before_it, zero)
    last_end = ReduceMax (ends)
    end = Add (last_end, one)
    window_starts = Sub (starts_in_text, begin)
}
"""
# Of the same width as the copies, and there anyway.
_STAND_IN = """
stand_in () => () {
    at_0 = Constant <value_ints = [0]> ()
    at_1 = Constant <value_ints = [1]> ()
    taken = Slice (row, at_0, at_1, at_0)
}
"""


def read_in_windows(model: onnx.ModelProto, most_at_once: int = MOST_AT_ONCE) -> None:
    """Let a graph read long documents in windows, if its last layer is there for the [CLS] alone.

    Args:
        model: of `to_onnx.export_onnx` or `quantize.quantize`, with explanations on demand or not;
            changed in place. A graph without such a layer is left as it is.
        most_at_once: sentences of a document that is read at once, and of a window, at most.

    Raises:
        ExportError: a reading looks beyond its sentence and the tokens on either side.
    """
    graph = model.graph
    made = made_by(graph.node)
    readings = sorted(name for name in made if name.startswith(READING))
    if not readings:
        return
    rows = _find_rows(made)
    given = {*rows, STARTS, LENGTHS, _TOKEN_IDS}
    results = [*readings, *({COPIES} & made)]
    region = _find_region(graph, results, given)
    around = find_ancestors(graph.node, [output.name for output in graph.output], without=results)
    moved = [node for node in region if not around.intersection(node.output)]
    after = find_descendants(graph.node, results)
    condition = helper.make_node(
        "If",
        [_own("is_long")],
        results,
        name=_NAME,
        then_branch=_read_by_window(_find_region(graph, readings, given), rows, results),
        else_branch=_read_at_once(moved, results),
    )
    for attribute in condition.attribute:
        _bring_scalars_in(attribute.g, graph.initializer)
    gone = made_by(moved)
    kept = [node for node in graph.node if not gone.intersection(node.output)]
    del graph.node[:]
    graph.node.extend(node for node in kept if not after.intersection(node.output))
    graph.node.extend(_parse(_DECIDE.replace("MOST", str(most_at_once))))
    graph.node.append(condition)
    graph.node.extend(node for node in kept if after.intersection(node.output))
    _drop_unread(graph)
    onnx.checker.check_model(model)


def read_at_once(model: onnx.ModelProto) -> None:
    """Undo `read_in_windows`: the nodes for a short document, under their names of before.

    Args:
        model: changed in place; one that reads no windows is left as it is.
    """
    graph = model.graph
    own = made_by(_parse(_DECIDE.replace("MOST", "1")))
    nodes: list[onnx.NodeProto] = []
    for node in graph.node:
        if node.name == _NAME:
            nodes += _undo_branch(subgraph_of(node, "else_branch"), graph)
        elif not own.intersection(node.output):
            nodes.append(node)
    del graph.node[:]
    graph.node.extend(nodes)


def _undo_branch(branch: onnx.GraphProto, around: onnx.GraphProto) -> Iterator[onnx.NodeProto]:
    """The nodes of a branch, as they were; what it brought in goes back to the graph around it."""
    known = {item.name for item in around.initializer}
    for item in branch.initializer:
        name = item.name.removesuffix(f".{branch.name}")
        if name not in known:
            around.initializer.append(item)
            around.initializer[-1].name = name
    for node in branch.node:
        is_single = node.name == _SINGLE
        inner = _undo_branch(subgraph_of(node, "then_branch"), around) if is_single else [node]
        for found in inner:
            names = {*found.input, *found.output}
            yield rename(found, {name: name.removesuffix(f".{branch.name}") for name in names})


def _bring_scalars_in(branch: onnx.GraphProto, constants: Sequence[onnx.TensorProto]) -> None:
    """Give a branch its own copies of scalars: onnxruntime fuses by those of one graph only."""
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
        for attribute in node.attribute:
            if attribute.type == onnx.AttributeProto.GRAPH:
                _bring_scalars_in(attribute.g, constants)


def _drop_unread(graph: onnx.GraphProto) -> None:
    read = set().union(*(inputs_of(node) for node in graph.node))
    kept = [item for item in graph.initializer if item.name in read]
    del graph.initializer[:]
    graph.initializer.extend(kept)


def _find_rows(made: set[str]) -> tuple[str, ...]:
    """Arrays of one row a token, (1, tokens, width), from which all readings are computed."""
    last = sum(bool(re.fullmatch(r"layer\d+\.input", name)) for name in made) - 1
    if last == 0:
        return ("layer0.input",)
    return (f"layer{last - 1}.input", f"layer{last - 1}.heads")


def _find_region(
    graph: onnx.GraphProto, readings: Sequence[str], local: set[str]
) -> list[onnx.NodeProto]:
    """The nodes between what a window is given and the readings, constants among them."""
    given = {item.name for item in graph.initializer} | local | {""}
    wanted = set(readings) - local
    region = []
    for node in reversed(graph.node):
        if wanted.intersection(node.output) and not local.intersection(node.output):
            region.append(node)
            wanted.update(inputs_of(node))
    missing = wanted - given - made_by(region)
    if missing:
        raise ExportError(
            f"expected readings of a sentence and its neighbours alone, got ones of {missing}; "
            "this is a mistake of ours, please report it"
        )
    return region[::-1]


def _read_at_once(nodes: Sequence[onnx.NodeProto], results: Sequence[str]) -> onnx.GraphProto:
    """The branch of a short document: the nodes as they were."""
    inner = {name: f"{name}.{_AT_ONCE}" for name in results}
    renamed = [rename(node, inner) for node in nodes]
    if COPIES in inner:
        renamed = _read_copies_of_single(renamed, inner)
    return _make_branch(renamed, _AT_ONCE, inner.values())


def _read_copies_of_single(
    nodes: Sequence[onnx.NodeProto], inner: Mapping[str, str]
) -> list[onnx.NodeProto]:
    """Put what only the copies need behind a condition."""
    copies = inner[COPIES]
    shared = find_ancestors(nodes, inner.values(), without=[copies])
    alone = [node for node in nodes if not shared.intersection(node.output)]
    result = {copies: f"{copies}.{_SINGLE}"}
    condition = helper.make_node(
        "If",
        [_own("is_single")],
        [copies],
        name=_SINGLE,
        then_branch=_make_branch(
            [rename(node, result) for node in alone], _SINGLE, result.values()
        ),
        else_branch=_make_branch(
            _parse(_STAND_IN, {"row": inner[f"{READING}0"], "taken": f"{copies}.taken"}),
            "others",
            [f"{copies}.taken"],
        ),
    )
    return [*(node for node in nodes if shared.intersection(node.output)), condition]


def _read_by_window(
    region: Sequence[onnx.NodeProto], rows: Sequence[str], results: Sequence[str]
) -> onnx.GraphProto:
    """The branch of a long one: the same nodes in a loop, on what was cut out for a window."""
    readings = [name for name in results if name != COPIES]
    window = {name: _own(name) for name in {*rows, _TOKEN_IDS, STARTS, LENGTHS}}
    window |= {name: _own(name) for name in made_by(region)}
    cut = _parse(_CUT_OUT, {"window_starts": window[STARTS], "window_lengths": window[LENGTHS]})
    for name, axis in ((_TOKEN_IDS, "axis_0"), *((name, "axis_1") for name in rows)):
        bounds = [_own(part) for part in ("begin", "end", axis)]
        cut.append(helper.make_node("Slice", [name, *bounds], [window[name]]))
    cut += [rename(node, window) for node in region]
    cut.append(helper.make_node("Identity", [_own("go")], [_own("go_on")]))
    body = _make_branch(cut, "window", [_own("go_on"), *(window[name] for name in readings)])
    body.output[0].type.tensor_type.elem_type = TensorProto.BOOL
    body.input.append(helper.make_tensor_value_info(_own("number"), TensorProto.INT64, []))
    body.input.append(helper.make_tensor_value_info(_own("go"), TensorProto.BOOL, []))
    nodes = _parse(_PREPARE)
    stacks = [f"{window[name]}.by_window" for name in readings]
    nodes.append(helper.make_node("Loop", [_own("n_windows"), ""], stacks, body=body))
    joined = {name: f"{stack}.joined" for name, stack in zip(readings, stacks, strict=True)}
    for stack in stacks:
        nodes += _join_windows(stack)
    if COPIES in results:
        joined[COPIES] = _own(COPIES)
        nodes += _parse(_STAND_IN, {"row": joined[f"{READING}0"], "taken": joined[COPIES]})
    return _make_branch(nodes, "by_window", [joined[name] for name in results])


def _join_windows(stack: str) -> Iterator[onnx.NodeProto]:
    """From (windows, rows of each, width) to (at most all sentences, width)."""
    yield helper.make_node("Shape", [stack], [f"{stack}.width"], start=2)
    yield helper.make_node("Concat", [_own("any"), f"{stack}.width"], [f"{stack}.shape"], axis=0)
    yield helper.make_node("Reshape", [stack, f"{stack}.shape"], [f"{stack}.rows"])
    bounds = [_own(part) for part in ("from_0", "n_sentences", "axis_0")]
    yield helper.make_node("Slice", [f"{stack}.rows", *bounds], [f"{stack}.joined"])


def _make_branch(
    nodes: Iterable[onnx.NodeProto], name: str, outputs: Iterable[str]
) -> onnx.GraphProto:
    infos = [helper.make_tensor_value_info(output, TensorProto.FLOAT, None) for output in outputs]
    return helper.make_graph(list(nodes), name, [], infos)


def _parse(text: str, others: Mapping[str, str] | None = None) -> list[onnx.NodeProto]:
    """The nodes of a text in ONNX's own notation.

    Args:
        text: a graph; its names become ours in front of `starts`, `lengths` and `others`.
        others: names of the graph around it, by their names in the text.

    Returns:
        The nodes.
    """
    nodes = list(onnx.parser.parse_graph(text).node)
    names = {name: _own(name) for node in nodes for name in (*node.input, *node.output)}
    names |= {"starts": STARTS, "lengths": LENGTHS, **(others or {})}
    return [rename(node, names) for node in nodes]


def _own(name: str) -> str:
    """A name that nothing else in the graph has."""
    return f"{_NAME}/{name}"
