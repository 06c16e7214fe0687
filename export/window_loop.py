"""The branch of a long document: nodes in a Loop over windows of sentences.

    text      starts, lengths, token ids, and arrays of a row a token
    window    the same of some sentences, with one token more on either side: a [CLS] may read its
              neighbours
    joined    what the windows give, a row a sentence

All windows are of one size; the last is filled up with the last sentence again.
"""

from collections.abc import Iterator, Sequence

import onnx
from onnx import TensorProto, helper

from export.explained_model import LENGTHS, STARTS
from export.graph import made_by, make_branch, parse_nodes, rename

TOKEN_IDS = "token_ids"

_PREPARE = """
prepare () => () {
    zero = Constant <value_int = 0> ()
    one = Constant <value_int = 1> ()
    most = Constant <value_int = MOST> ()
    n = Squeeze (n_sentences)
    last = Sub (n, one)
    more = Add (last, most)
    n_windows = Div (more, most)
    filled = Add (last, n_windows)
    size = Div (filled, n_windows)
    inside = Range (zero, size, one)
    any = Constant <value_ints = [-1]> ()
    first_axis = Constant <value_ints = [0]> ()
    second_axis = Constant <value_ints = [1]> ()
}
"""
_CUT_OUT = """
cut_out () => () {
    first = Mul (number, size)
    unfilled = Add (first, inside)
    sentences = Min (unfilled, last)
    starts_in_text = Gather (starts, sentences)
    lengths_in_window = Gather (lengths, sentences)
    ends = Add (starts_in_text, lengths_in_window)
    first_start = ReduceMin (starts_in_text)
    before_it = Sub (first_start, one)
    begin = Max (before_it, zero)
    last_end = ReduceMax (ends)
    end = Add (last_end, one)
    starts_in_window = Sub (starts_in_text, begin)
}
"""
_JOIN = """
join () => () {
    width = Shape <start = 2> (stack)
    shape = Concat <axis = 0> (any, width)
    filled_up = Reshape (stack, shape)
    joined = Slice (filled_up, first_axis, n_sentences, first_axis)
}
"""


def loop_over_windows(
    nodes: Sequence[onnx.NodeProto],
    rows: Sequence[str],
    readings: Sequence[str],
    n_sentences: str,
    most: int,
) -> list[onnx.NodeProto]:
    """Run nodes window by window.

    Args:
        nodes: all that lead from `rows`, `STARTS`, `LENGTHS` and the token ids to the readings.
        rows: names of arrays (1, tokens, width).
        readings: names of what is computed, (sentences, width) float each.
        n_sentences: name of (1,) int64, how many the document has.
        most: sentences of a window, at most.

    Returns:
        Nodes that make `joined(reading)`, (sentences, width), for each of the readings.
    """
    names = {"n_sentences": n_sentences, "starts": STARTS, "lengths": LENGTHS}
    window = {name: _own(name) for name in {*rows, TOKEN_IDS, STARTS, LENGTHS, *made_by(nodes)}}
    inside = {"lengths_in_window": window[LENGTHS], "starts_in_window": window[STARTS]}
    body = parse_nodes(_CUT_OUT, _own, {**names, **inside})
    for name, axis in ((TOKEN_IDS, "first_axis"), *((name, "second_axis") for name in rows)):
        bounds = [_own(part) for part in ("begin", "end", axis)]
        body.append(helper.make_node("Slice", [name, *bounds], [window[name]]))
    body += [rename(node, window) for node in nodes]
    body.append(helper.make_node("Identity", [_own("go")], [_own("go_on")]))
    results = {_own("go_on"): TensorProto.BOOL}
    results |= {window[name]: TensorProto.FLOAT for name in readings}
    graph = make_branch(body, "window", results)
    for name, kind in (("number", TensorProto.INT64), ("go", TensorProto.BOOL)):
        graph.input.append(helper.make_tensor_value_info(_own(name), kind, []))
    stacks = [f"{window[name]}.by_window" for name in readings]  # windows, sentences, width
    return [
        *parse_nodes(_PREPARE.replace("MOST", str(most)), _own, names),
        helper.make_node("Loop", [_own("n_windows"), ""], stacks, body=graph),
        *(
            node
            for name, stack in zip(readings, stacks, strict=True)
            for node in _join(name, stack, n_sentences)
        ),
    ]


def joined(reading: str) -> str:
    """The name of a reading that was put together from windows."""
    return f"{_own(reading)}.joined"


def _join(reading: str, stack: str, n_sentences: str) -> Iterator[onnx.NodeProto]:
    shared = {name: _own(name) for name in ("any", "first_axis")}
    names = {"stack": stack, "n_sentences": n_sentences, "joined": joined(reading), **shared}
    yield from parse_nodes(_JOIN, lambda name: f"{stack}.{name}", names)


def _own(name: str) -> str:
    """A name that nothing outside has."""
    return f"window/{name}"
