"""A head that carries a pattern cannot look elsewhere: shown in the ONNX files, float and int8.

Each layer is cut out of the file between its input and what its heads gathered. Rows of the input
outside P(i) are replaced by other numbers, however large; what the head gathered at i must not move
by one bit.
"""

import itertools
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from export.explain_on_demand import explain_on_demand
from export.windows import read_in_windows
from tests.export.documents import random_document

EMBEDDED = Path(__file__).parents[2] / "service/inference/default"


def allowed_places(pattern, document):
    """(tokens, tokens) bool by a double loop over the definition of each pattern."""
    ids, sentences = document["token_ids"], document["sentence_ids"]
    n = len(ids)
    allowed = np.zeros((n, n), dtype=bool)
    for i, j in itertools.product(range(n), repeat=2):
        allowed[i, j] = {
            "matching_token": ids[i] == ids[j] and i != j,
            "intra_sentence": sentences[i] == sentences[j],
            "previous_token": j == i - 1,
            "next_token": j == i + 1,
        }[pattern]
    for i in range(n):
        if not allowed[i].any():
            allowed[i, i] = True
    return allowed


def head_patterns(plan, fixed):
    """Patterns of a layer's heads in the order in which the graph computes them."""
    from training.model.attention import PatternedAttention

    order = PatternedAttention(len(plan), plan, fixed=fixed).head_order
    return [plan[head] for head in order]


def open_layers(path, n_layers):
    """One session a layer, from its input to what its heads gathered."""
    from export.to_onnx import reopen_layer

    graph = onnx.load(path)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return [
        onnxruntime.InferenceSession(reopen_layer(graph, number).SerializeToString(), options)
        for number in range(n_layers)
    ]


def assert_blind_outside(session, layer, patterns, document, width, seed):
    """Move everything outside P(i); demand the same bits at i, for every head and some places."""
    generator = np.random.default_rng(seed)
    n = len(document["token_ids"])
    x = generator.normal(size=(1, n, width)).astype(np.float32)
    name = f"layer{layer}.input"
    before = session.run(None, {**document, name: x})[0][0]
    # A layer that is there for the [CLS] alone has a row a sentence.
    places = np.arange(n)
    if len(before) < n:
        places = np.flatnonzero(np.diff(document["sentence_ids"], prepend=-1))
    before = before.reshape(len(places), len(patterns), -1)
    for head, pattern in enumerate(patterns):
        if pattern is None:
            continue
        allowed = allowed_places(str(pattern), document)
        for row in generator.choice(len(places), size=min(len(places), 3), replace=False):
            i = places[row]
            moved = x.copy()
            outside = ~allowed[i]
            outside[i] = False  # a head's query is its own token's; P(i) is about keys and values
            moved[0, outside] = 50 * generator.normal(size=(outside.sum(), width))
            after = session.run(None, {**document, name: moved})[0].reshape(before.shape)
            np.testing.assert_array_equal(after[row, head], before[row, head], err_msg=f"{pattern}")


@pytest.fixture(scope="module")
def sessions(graphs, small_student, tmp_path_factory):
    packed = onnx.load(graphs["int8"])
    explain_on_demand(packed)
    read_in_windows(packed)
    path = tmp_path_factory.mktemp("packed") / "model.onnx"
    onnx.save(packed, path)
    return {
        form: open_layers(path, small_student.config.layers)
        for form, path in {**graphs, "packed": path}.items()
    }


@pytest.mark.parametrize("form", ["float", "int8", "packed"])
@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 10_000), n_sentences=st.integers(1, 5))
def test_patterned_heads_are_blind_outside_their_pattern(
    form, seed, n_sentences, sessions, small_student
):
    document = random_document(seed, n_sentences)
    for layer, session in enumerate(sessions[form]):
        patterns = head_patterns(small_student.config.plan[layer], small_student.config.fixed)
        width = small_student.config.width
        assert_blind_outside(session, layer, patterns, document, width, seed)


def test_the_check_notices_a_head_that_looks_elsewhere(sessions, small_student):
    document = random_document(5, 4)
    patterns = head_patterns(small_student.config.plan[0], small_student.config.fixed)
    wrong = ["next_token" if p == "intra_sentence" else p for p in patterns]
    with pytest.raises(AssertionError, match="next_token"):
        assert_blind_outside(sessions["float"][0], 0, wrong, document, 96, 5)


def test_every_patterned_head_of_the_embedded_bundle_is_blind_outside_its_pattern():
    from service.inference.manifest import read_manifest
    from training.model.patterns import Pattern

    model = read_manifest(EMBEDDED / "manifest.json").model
    sessions = open_layers(EMBEDDED / "model.onnx", model.layers)
    for layer, session in enumerate(sessions):
        plan = tuple(Pattern(name) if name else None for name in model.patterns[layer])
        patterns = head_patterns(plan, frozenset(map(Pattern, model.fixed)))
        assert any(patterns)
        for seed in range(3):
            document = random_document(seed, 4, vocabulary=30_000)
            assert_blind_outside(session, layer, patterns, document, model.width, seed)
