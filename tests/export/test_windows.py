"""Long documents in windows: the same numbers, and nothing changed for short ones."""

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from export.explain_on_demand import EXPLAIN, explain_on_demand
from export.explained_model import OUTPUT_NAMES, READING
from export.windows import MOST_AT_ONCE, read_at_once, read_in_windows
from service.errors import ExportError
from tests.export.documents import random_document

MOST = 4
for_cls = pytest.mark.parametrize("small_student", ["for_cls"], indirect=True)
others = pytest.mark.parametrize("small_student", ["masked", "fixed"], indirect=True)


def copy(model):
    copied = onnx.ModelProto()
    copied.CopyFrom(model)
    return copied


def open_session(model):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )


def run(session, document):
    return session.run(list(OUTPUT_NAMES), {**document, EXPLAIN: np.array(True)})


@pytest.fixture(scope="module", params=["float", "int8"])
def whole(request, graphs):
    model = onnx.load(graphs[request.param])
    explain_on_demand(model)
    return model


@pytest.fixture(scope="module")
def windowed(whole, small_student):
    assert small_student.config.is_last_for_cls
    model = copy(whole)
    read_in_windows(model, MOST)
    return model


@pytest.fixture(scope="module")
def sessions(whole, windowed):
    return open_session(whole), open_session(windowed)


@for_cls
@settings(max_examples=25, deadline=None)
@given(
    n_sentences=st.integers(MOST + 1, 5 * MOST),
    longest=st.sampled_from([3, 4, 12]),
    seed=st.integers(0, 1_000),
)
def test_more_sentences_than_one_window_holds_give_the_same_numbers(
    n_sentences, longest, seed, sessions
):
    document = random_document(seed, n_sentences, longest)
    expected, found = (run(session, document) for session in sessions)
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=2e-6)


@for_cls
@pytest.mark.parametrize("n_sentences", [1, 2, MOST])
def test_as_many_as_it_holds_give_the_same_bits(n_sentences, sessions):
    document = random_document(n_sentences, n_sentences)
    # Of a single sentence, the copies of its [CLS] in the text are read.
    document["token_ids"][2] = document["token_ids"][0]
    expected, found = (run(session, document) for session in sessions)
    assert [array.tobytes() for array in found] == [array.tobytes() for array in expected]


@for_cls
def test_the_limit_lies_between_as_many_as_a_window_holds_and_one_more(windowed):
    """Seen in the graph: with another window, other nodes run, and only beyond the limit."""
    model = copy(windowed)
    loop = next(
        node
        for attribute in next(n for n in model.graph.node if n.name == "windows").attribute
        for node in attribute.g.node
        if node.op_type == "Loop"
    )
    body = loop.attribute[0].g
    zeros = onnx.numpy_helper.from_array(np.zeros(1, dtype=np.float32), "zeros")
    body.initializer.append(zeros)
    for output in body.output[1:]:
        product = onnx.helper.make_node("Mul", [output.name, "zeros"], [f"{output.name}.zero"])
        body.node.append(product)
        output.name = f"{output.name}.zero"
    before, after = open_session(windowed), open_session(model)
    for n_sentences, is_same in ((MOST, True), (MOST + 1, False)):
        document = random_document(3, n_sentences)
        scores = [run(session, document)[0] for session in (before, after)]
        assert np.array_equal(*scores) == is_same


@for_cls
def test_undone_it_is_the_graph_of_before(whole, windowed):
    model = copy(windowed)
    read_at_once(model)
    for part in ("node", "initializer", "input", "output"):
        found, expected = (
            sorted(item.SerializeToString() for item in getattr(graph, part))
            for graph in (model.graph, whole.graph)
        )
        assert found == expected
    onnx.checker.check_model(model)


@for_cls
def test_weights_are_not_held_twice(whole, windowed):
    assert windowed.ByteSize() < whole.ByteSize() + 150_000


@others
def test_other_graphs_are_left_as_they_are(whole, small_student):
    assert not small_student.config.is_last_for_cls
    for change in (read_in_windows, read_at_once):
        model = copy(whole)
        change(model)
        assert model.SerializeToString() == whole.SerializeToString()


@for_cls
def test_what_looks_across_windows_is_refused(whole, windowed):
    model = copy(whole)
    make = onnx.helper.make_node
    nodes = list(model.graph.node)
    del model.graph.node[:]
    for node in nodes:
        model.graph.node.append(node)
        if READING + "0" in node.output:
            model.graph.node[-1].output[0] = "alone"
            model.graph.node.extend(
                [
                    make("Cast", ["sentence_ids"], ["numbers"], to=onnx.TensorProto.FLOAT),
                    make("ReduceSum", ["numbers"], ["sum"], keepdims=0),
                    make("Add", ["alone", "sum"], [READING + "0"]),
                ]
            )
    with pytest.raises(ExportError, match="sentence_ids"):
        read_in_windows(model)


def test_articles_are_read_at_once():
    assert MOST_AT_ONCE >= 60  # the longest hundredth of news has more sentences
