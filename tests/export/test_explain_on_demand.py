"""Explanations behind a condition: the same bits when asked for, nothing when not."""

import numpy as np
import onnx
import onnxruntime
import pytest

from export.explain_on_demand import EXPLAIN, SCORES, explain_on_demand, remove_explanations
from export.explained_model import OUTPUT_NAMES
from tests.export.documents import random_document


@pytest.fixture(params=["float", "int8"])
def before(request, graphs):
    return onnx.load(graphs[request.param])


@pytest.fixture
def after(before):
    model = onnx.ModelProto()
    model.CopyFrom(before)
    explain_on_demand(model)
    return model


def run(model, document, names=None):
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    return session.run(names, document)


@pytest.mark.parametrize("n_sentences", [1, 2, 12])
def test_asked_for_everything_is_the_same_bits(before, after, n_sentences):
    document = random_document(n_sentences, n_sentences)
    found = run(after, {**document, EXPLAIN: np.array(True)}, list(OUTPUT_NAMES))
    expected = run(before, document, list(OUTPUT_NAMES))
    assert [array.tobytes() for array in found] == [array.tobytes() for array in expected]


def test_not_asked_for_scores_are_the_same_bits_and_the_rest_is_empty(before, after):
    document = random_document(5, 12)
    scores, *others = run(after, {**document, EXPLAIN: np.array(False)}, list(OUTPUT_NAMES))
    assert scores.tobytes() == run(before, document, [SCORES])[0].tobytes()
    assert [len(array) for array in others] == [0, 0, 0]


def test_what_the_scores_need_is_outside_and_nothing_else(before, after):
    *always, condition = after.graph.node
    assert condition.op_type == "If"
    branch = next(a.g for a in condition.attribute if a.name == "then_branch")
    n_renamed = len(branch.output)  # one Identity each
    assert len(always) + len(branch.node) - n_renamed == len(before.graph.node)
    read = {name for node in always for name in node.input} | {SCORES}
    unread = [node.output[0] for node in always if not read.intersection(node.output)]
    assert all(name.startswith("layer") for name in unread)  # taps, for `reopen_layer`
    assert len(branch.node) > 20


def test_removed_again_leaves_a_graph_of_the_scores(before, after):
    remove_explanations(after)
    document = random_document(7, 12)
    assert [item.name for item in after.graph.input] == list(document)
    assert [item.name for item in after.graph.output] == [SCORES]
    assert run(after, document)[0].tobytes() == run(before, document, [SCORES])[0].tobytes()
