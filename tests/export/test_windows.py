"""Long documents in windows: the same numbers, and nothing changed for short ones."""

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from export.explain_on_demand import EXPLAIN, explain_on_demand, remove_explanations
from export.explained_model import CLS, OUTPUT_NAMES, READING
from export.to_onnx import Backend, export_onnx
from export.windows import read_at_once, read_in_windows
from service.errors import ExportError
from tests.export.documents import random_document
from tests.tiny_model import tiny_model
from training.model.patterns import Pattern, Unmatched

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
    longest=st.sampled_from([1, 2, 3, 12]),  # of one token: its neighbours are other sentences'
    seed=st.integers(0, 1_000),
)
def test_more_sentences_than_one_window_holds_give_the_same_numbers(
    n_sentences, longest, seed, sessions
):
    document = random_document(seed, n_sentences, longest, shortest=1)
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


def branches_of(graph):
    """Name -> graph, of all that hang below the nodes of one."""
    found = {}
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.type == onnx.AttributeProto.GRAPH:
                found |= {attribute.g.name: attribute.g, **branches_of(attribute.g)}
    return found


@for_cls
def test_weights_are_not_held_twice(windowed):
    branches = branches_of(windowed.graph)
    assert {"at_once", "by_window", "window", "single", "others"} <= set(branches)
    held = [item for graph in branches.values() for item in graph.initializer]
    assert all(int(np.prod(item.dims)) == 1 for item in held)


@for_cls
def test_copies_are_computed_for_a_single_sentence_alone(windowed):
    branches = branches_of(windowed.graph)
    assert "And" in {node.op_type for node in branches["single"].node}  # which tokens are copies
    for name in ("at_once", "window", "by_window", "others"):
        assert "And" not in {node.op_type for node in branches[name].node}


@for_cls
@pytest.mark.parametrize("form", ["float", "int8"])
def test_a_graph_whose_explanations_are_not_on_demand_is_read_in_windows_too(form, graphs):
    whole = onnx.load(graphs[form])
    model = copy(whole)
    read_in_windows(model, MOST)
    document = random_document(7, 3 * MOST)
    expected, found = (open_session(m).run(None, document) for m in (whole, model))
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=2e-6)


@for_cls
def test_what_is_read_of_a_sentence_is_blind_to_all_but_itself_and_its_neighbours(
    windowed, small_student
):
    """The patterns' test looks at a layer with the windows undone; this one looks into them."""
    model = copy(windowed)
    rows = ("layer0.input", "layer0.heads")
    readings = [name for node in model.graph.node for name in node.output if "sentences.r" in name]
    for node in model.graph.node:
        node.output[:] = [f"{name}.before" if name in rows else name for name in node.output]
    remove_explanations(model)
    del model.graph.output[:]
    model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in [CLS, *readings])
    widths = {"layer0.input": 96, "layer0.heads": small_student.config.width_of_head * 4}
    for name, width in widths.items():
        sizes = [1, "tokens", width]
        model.graph.input.append(
            onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, sizes)
        )
    session = open_session(model)
    document = random_document(11, 3 * MOST, shortest=1)
    n = len(document["token_ids"])
    generator = np.random.default_rng(0)
    arrays = {
        name: generator.normal(size=(1, n, width)).astype(np.float32)
        for name, width in widths.items()
    }
    before = session.run(None, {**document, **arrays})
    for sentence in range(3 * MOST):
        inside = np.flatnonzero(document["sentence_ids"] == sentence)
        seen = np.arange(max(0, inside[0] - 1), inside[-1] + 2)
        moved = {name: array.copy() for name, array in arrays.items()}
        for array in moved.values():
            array[0, np.setdiff1d(np.arange(n), seen)] *= -50
        after = session.run(None, {**document, **moved})
        for ours, theirs in zip(after, before, strict=True):
            np.testing.assert_array_equal(ours[sentence], theirs[sentence])


MATCHING, INTRA, PREVIOUS, NEXT = Pattern
FORMS = {
    "one layer": {"plan": ((MATCHING, INTRA, PREVIOUS, NEXT),), "feed_forward": (48,)},
    "three layers": {
        "plan": ((MATCHING, NEXT), (MATCHING, NEXT), (INTRA, MATCHING)),
        "feed_forward": (48, 0, 48),
    },
    "a linear scorer": {"document_layers": 0},
    "no feed-forward block": {"feed_forward": (0, 0)},
    "all of the document where there is no copy": {"unmatched": Unmatched.ALL},
    "neither matching nor intra-sentence heads at the end": {
        "plan": ((MATCHING, NEXT), (NEXT, PREVIOUS))
    },
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_model_with_a_last_layer_for_the_cls_is_read_in_windows(form, tmp_path):
    fields = {
        "plan": ((MATCHING, NEXT), (MATCHING, INTRA, PREVIOUS)),
        "fixed": frozenset({MATCHING, NEXT, PREVIOUS}),
        "head_width": 8,
        "is_last_for_cls": True,
    }
    model = tiny_model(**{**fields, **FORMS[form]}).eval()
    whole = export_onnx(model, tmp_path / "model.onnx", Backend.TORCH)
    explain_on_demand(whole)
    windowed = copy(whole)
    read_in_windows(windowed, MOST)
    assert "window" in branches_of(windowed.graph)
    sessions = open_session(whole), open_session(windowed)
    vocabulary = model.config.vocabulary
    for n_sentences in (1, MOST, MOST + 1, 3 * MOST + 1):
        document = random_document(n_sentences, n_sentences, vocabulary=vocabulary, shortest=1)
        expected, found = (run(session, document) for session in sessions)
        for ours, theirs in zip(found, expected, strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=2e-6)
    read_at_once(windowed)
    assert len(windowed.graph.node) == len(whole.graph.node)


@others
def test_other_graphs_are_left_as_they_are(whole, small_student):
    assert not small_student.config.is_last_for_cls
    for change in (read_in_windows, read_at_once):
        model = copy(whole)
        change(model)
        assert model.SerializeToString() == whole.SerializeToString()


def add_to_a_reading(model, source, kind, **attributes):
    """Let the first reading depend on the sum of another value, made float by a node of a kind."""
    make = onnx.helper.make_node
    nodes = list(model.graph.node)
    del model.graph.node[:]
    for node in nodes:
        model.graph.node.append(node)
        if READING + "0" in node.output:
            model.graph.node[-1].output[0] = "alone"
            model.graph.node.extend(
                [
                    make(kind, [source], ["numbers"], **attributes),
                    make("ReduceSum", ["numbers"], ["sum"], keepdims=0),
                    make("Add", ["alone", "sum"], [READING + "0"]),
                ]
            )


@for_cls
def test_what_looks_across_windows_is_refused(whole, windowed):
    model = copy(whole)
    add_to_a_reading(model, "sentence_ids", "Cast", to=onnx.TensorProto.FLOAT)
    with pytest.raises(ExportError, match="sentence_ids"):
        read_in_windows(model)


@for_cls
def test_a_reading_of_what_others_make_outside_is_refused(whole):
    """The sum of another reading is an output, and so it is computed after the condition."""
    model = copy(whole)
    add_to_a_reading(model, CLS, "Identity")
    model.graph.output.append(onnx.helper.make_tensor_value_info("sum", onnx.TensorProto.FLOAT, []))
    before = model.SerializeToString()
    with pytest.raises(ExportError, match=r"do not depend on each other, got .*sum"):
        read_in_windows(model)
    assert model.SerializeToString() == before
