"""A long document is read in windows of sentences, so that what is read at once fits the cache.

A last layer for the [CLS] alone reads little of its input: a row a sentence, each from the sentence
itself and the token on either side. What leads there from the heads of the layer below, the widest
arrays of the graph, looks no further, so some sentences at a time do as well as all at once:

    before    layerN.heads, layerN.input ── … ── readings ── …

    after     layerN.heads, layerN.input ── If ── readings ── …
                                            ├ few sentences: as before
                                            └ many: Loop over windows

A token of a long text then costs little more than one of a short one. What looks across sentences
stays as it is: matching, and attention among the [CLS], which grows with their square.

One reading, the copies of a [CLS] in the text, is looked at where a document has a single sentence.
It is computed for such a document alone; others get a row that nothing looks at.
"""

import re
from collections.abc import Iterator, Mapping, Sequence

import onnx
from onnx import TensorProto, helper

from export.explained_model import CLS, COPIES, LENGTHS, READING, STARTS
from export.graph import (
    bring_scalars_in,
    drop_unread_constants,
    find_ancestors,
    find_descendants,
    inputs_of,
    made_by,
    make_branch,
    parse_nodes,
    rename,
    subgraph_of,
)
from export.window_loop import TOKEN_IDS, joined, loop_over_windows
from service.errors import ExportError

MOST_AT_ONCE = 64
"""Sentences of a window, and of a document that is read at once, at most."""

_NAME = "windows"
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
_TAKE_FIRST = """
take_first () => () {
    from = Constant <value_ints = [0]> ()
    to = Constant <value_ints = [1]> ()
    first = Slice (cls, from, to, from)
}
"""


def read_in_windows(model: onnx.ModelProto, most_at_once: int = MOST_AT_ONCE) -> None:
    """Let a graph read long documents in windows, if its last layer is there for the [CLS] alone.

    Args:
        model: of `to_onnx.export_onnx` or `quantize.quantize`, with explanations on demand or not;
            changed in place. A graph without such a layer is left as it is.
        most_at_once: sentences of a document that is read at once, and of a window, at most.

    Raises:
        ExportError: a reading is computed from anything but the token ids, the arrays of a row a
            token and where the sentences lie. The model is as it was.
    """
    graph = model.graph
    made = made_by(graph.node)
    readings = sorted(name for name in made if name == CLS or name.startswith(READING))
    if not readings:
        return
    rows = _find_rows(made)
    given = {*rows, STARTS, LENGTHS, TOKEN_IDS}
    results = [*readings, *({COPIES} & made)]
    region = _find_region(graph, results, given)
    outputs = [output.name for output in graph.output]
    around = find_ancestors(graph.node, [*outputs, *given], without=results)
    moved = [node for node in region if not around.intersection(node.output)]
    _refuse_circle(graph, region, moved, results)
    by_window = _read_by_window(_find_region(graph, readings, given), rows, results, most_at_once)
    condition = helper.make_node(
        "If",
        [_own("is_long")],
        results,
        name=_NAME,
        then_branch=bring_scalars_in(by_window, graph.initializer),
        else_branch=bring_scalars_in(_read_at_once(moved, results), graph.initializer),
    )
    _replace(graph, moved, [*_decide(most_at_once), condition])
    drop_unread_constants(graph)
    onnx.checker.check_model(model)


def read_at_once(model: onnx.ModelProto) -> None:
    """Undo `read_in_windows`: the nodes for a short document, under their names of before.

    Args:
        model: changed in place; one that reads no windows is left as it is.
    """
    graph = model.graph
    own = made_by(_decide(MOST_AT_ONCE))
    nodes: list[onnx.NodeProto] = []
    for node in graph.node:
        if node.name == _NAME:
            nodes += _undo_branch(subgraph_of(node, "else_branch"), graph)
        elif not own.intersection(node.output):
            nodes.append(node)
    del graph.node[:]
    graph.node.extend(nodes)


def _find_rows(made: set[str]) -> tuple[str, ...]:
    """Arrays of one row a token, (1, tokens, width), from which all readings are computed."""
    last = sum(bool(re.fullmatch(r"layer\d+\.input", name)) for name in made) - 1
    if last == 0:
        return ("layer0.input",)
    return (f"layer{last - 1}.input", f"layer{last - 1}.heads")


def _find_region(
    graph: onnx.GraphProto, readings: Sequence[str], given: set[str]
) -> list[onnx.NodeProto]:
    """The nodes between what a window is given and the readings, constants among them."""
    wanted = find_ancestors(graph.node, readings, without=given)
    region = [node for node in graph.node if wanted.intersection(node.output)]
    missing = wanted - {item.name for item in graph.initializer} - made_by(region)
    if missing:
        raise ExportError(
            f"expected readings of a sentence and its neighbours alone, got ones of {missing}; "
            "this is a mistake of ours, please report it"
        )
    return region


def _refuse_circle(
    graph: onnx.GraphProto,
    region: Sequence[onnx.NodeProto],
    moved: Sequence[onnx.NodeProto],
    results: Sequence[str],
) -> None:
    """Raise if the condition would read what is computed from it."""
    after = find_descendants(_without(graph, moved), results) - set(results)
    read = set().union(*(inputs_of(node) for node in region))
    if circular := after & read:
        raise ExportError(
            f"expected readings that do not depend on each other, got {circular} between them; "
            "this is a mistake of ours, please report it"
        )


def _replace(
    graph: onnx.GraphProto, gone: Sequence[onnx.NodeProto], new: Sequence[onnx.NodeProto]
) -> None:
    """Put nodes in the place of others; what reads their results comes after them."""
    kept = _without(graph, gone)
    after = find_descendants(kept, new[-1].output)
    del graph.node[:]
    graph.node.extend(node for node in kept if not after.intersection(node.output))
    graph.node.extend(new)
    graph.node.extend(node for node in kept if after.intersection(node.output))


def _without(graph: onnx.GraphProto, gone: Sequence[onnx.NodeProto]) -> list[onnx.NodeProto]:
    names = made_by(gone)
    return [node for node in graph.node if not names.intersection(node.output)]


def _decide(most_at_once: int) -> list[onnx.NodeProto]:
    return parse_nodes(_DECIDE.replace("MOST", str(most_at_once)), _own, {"starts": STARTS})


def _read_by_window(
    region: Sequence[onnx.NodeProto], rows: Sequence[str], results: Sequence[str], most: int
) -> onnx.GraphProto:
    """The branch of a long document."""
    readings = [name for name in results if name != COPIES]
    nodes = loop_over_windows(region, rows, readings, _own("n_sentences"), most)
    outputs = [joined(name) for name in readings]
    if COPIES in results:
        outputs.append(joined(COPIES))
        nodes += _stand_in(cls=joined(CLS), first=joined(COPIES))
    return make_branch(nodes, "by_window", dict.fromkeys(outputs, TensorProto.FLOAT))


def _read_at_once(nodes: Sequence[onnx.NodeProto], results: Sequence[str]) -> onnx.GraphProto:
    """The branch of a short document: the nodes as they were."""
    inner = {name: f"{name}.{_AT_ONCE}" for name in results}
    renamed = [rename(node, inner) for node in nodes]
    if COPIES in inner:
        renamed = _read_copies_of_single(renamed, inner)
    return make_branch(renamed, _AT_ONCE, dict.fromkeys(inner.values(), TensorProto.FLOAT))


def _read_copies_of_single(
    nodes: Sequence[onnx.NodeProto], inner: Mapping[str, str]
) -> list[onnx.NodeProto]:
    """Put what only the copies need behind a condition."""
    copies = inner[COPIES]
    shared = find_ancestors(nodes, inner.values(), without=[copies])
    alone = [node for node in nodes if not shared.intersection(node.output)]
    result, other = f"{copies}.{_SINGLE}", f"{copies}.others"
    condition = helper.make_node(
        "If",
        [_own("is_single")],
        [copies],
        name=_SINGLE,
        then_branch=make_branch(
            [rename(node, {copies: result}) for node in alone],
            _SINGLE,
            {result: TensorProto.FLOAT},
        ),
        else_branch=make_branch(
            _stand_in(cls=inner[CLS], first=other), "others", {other: TensorProto.FLOAT}
        ),
    )
    return [*(node for node in nodes if shared.intersection(node.output)), condition]


def _stand_in(*, cls: str, first: str) -> list[onnx.NodeProto]:
    """A row that nothing looks at, in place of the copies: the first [CLS], which is as wide."""
    return parse_nodes(_TAKE_FIRST, lambda name: f"{first}.{name}", {"cls": cls, "first": first})


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


def _own(name: str) -> str:
    """A name that nothing else in the graph has."""
    return f"{_NAME}/{name}"
