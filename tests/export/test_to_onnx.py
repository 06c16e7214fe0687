"""The float graph says what torch says, whatever the back end and the size of the document."""

from dataclasses import replace

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from export.explained_model import OUTPUT_NAMES, ExplainedModel, pattern_names
from export.to_onnx import Backend, export_onnx
from tests.export.documents import random_document
from training.model.extractive_model import ExtractiveModel
from training.model.patterns import Unmatched


@pytest.mark.parametrize("backend", list(Backend))
def test_both_back_ends_agree_with_torch_on_documents_of_any_size(backend, small_student, tmp_path):
    export_onnx(small_student, tmp_path / "model.onnx", backend)
    session = onnxruntime.InferenceSession(str(tmp_path / "model.onnx"))
    assert [output.name for output in session.get_outputs()] == list(OUTPUT_NAMES)
    explained = ExplainedModel(small_student)
    for seed, (n_sentences, longest) in enumerate([(1, 3), (2, 30), (9, 12), (40, 20)]):
        document = random_document(seed, n_sentences, longest)
        with torch.no_grad():
            expected = explained(*(torch.from_numpy(array) for array in document.values()))
        for name, theirs, ours in zip(
            OUTPUT_NAMES, session.run(None, document), expected, strict=True
        ):
            np.testing.assert_allclose(theirs, ours.numpy(), atol=1e-5, err_msg=name)


def test_attention_and_shares_are_distributions(graphs):
    session = onnxruntime.InferenceSession(str(graphs["int8"]))
    for seed in range(20):
        document = random_document(seed, 1 + seed)
        scores, document_attention, matching_attention, shares = session.run(None, document)
        assert ((scores >= 0) & (scores <= 1)).all()
        for rows in (document_attention, matching_attention, shares):
            np.testing.assert_allclose(rows.sum(axis=1), 1.0, atol=1e-5)
            assert (rows >= 0).all()


def test_shares_have_one_column_a_pattern_and_one_for_free_heads(small_student):
    has_free = any(None in row for row in small_student.config.plan)
    names = ("matching_token", "intra_sentence", "previous_token", "next_token")
    assert pattern_names(small_student) == (*names, *(["free"] if has_free else []))


def test_pattern_shares_are_the_norms_of_what_the_heads_write(small_student):
    """Worked out the long way: each head's slice of the projection on what it read at [CLS]."""
    document = {k: torch.from_numpy(v) for k, v in random_document(4, 3).items()}
    record = small_student.new_record()
    names = pattern_names(small_student)
    with torch.no_grad():
        shares = ExplainedModel(small_student)(**document)[3]
        small_student(document["token_ids"][None], document["sentence_ids"][None], record)
    expected = torch.zeros(3, len(names))
    starts = [int((document["sentence_ids"] == s).nonzero()[0, 0]) for s in range(3)]
    for number, layer in enumerate(small_student.encoder.layers):
        kept = record.token_layers[number]
        read = layer.attention.heads_of(kept)[0]  # T H d, or S H d
        places = range(3) if kept.is_for_cls else starts
        for head, pattern in enumerate(small_student.config.plan[number]):
            width = layer.attention.head_width
            columns = layer.attention.output.weight[:, head * width : (head + 1) * width]
            written = read[places, head] @ columns.T
            column = names.index("free" if pattern is None else pattern.value)
            expected[:, column] += written.norm(dim=1).detach()
    expected /= expected.sum(dim=1, keepdim=True)
    torch.testing.assert_close(shares, expected, atol=1e-5, rtol=1e-5)


def with_changes(model, **changes):
    """The same weights under a changed configuration."""
    other = ExtractiveModel(replace(model.config, **changes)).eval()
    other.load_state_dict(model.state_dict())
    return other


def test_structured_and_dense_forms_agree_in_onnx(small_student, tmp_path):
    found = []
    for is_structured in (True, False):
        path = tmp_path / f"{is_structured}.onnx"
        export_onnx(with_changes(small_student, is_structured=is_structured), path, Backend.TORCH)
        session = onnxruntime.InferenceSession(str(path))
        found.append([session.run(None, random_document(seed, 9)) for seed in range(4)])
    for structured, dense in zip(*found, strict=True):
        for ours, reference in zip(structured, dense, strict=True):
            np.testing.assert_allclose(ours, reference, atol=1e-4)


def test_arrays_of_the_fastest_form_grow_with_the_tokens_alone(small_student, tmp_path):
    """Twice the sentences, one long one among them: nothing is four times as large."""
    if None in small_student.config.plan[0]:
        pytest.skip("a form with dense heads")
    graph = export_onnx(small_student, tmp_path / "model.onnx", Backend.TORCH)
    names = [name for node in graph.graph.node for name in node.output if name]
    known = {output.name for output in graph.graph.output}
    graph.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names if name not in known)
    session = onnxruntime.InferenceSession(graph.SerializeToString())
    outputs = [output.name for output in session.get_outputs()]
    sizes = []
    for n_sentences in (40, 80):
        lengths = np.array([60] + [8] * (n_sentences - 1))
        document = {
            "token_ids": np.arange(lengths.sum()) % 90,
            "sentence_ids": np.repeat(np.arange(n_sentences), lengths),
        }
        found = session.run(None, document)
        sizes.append({name: np.size(array) for name, array in zip(outputs, found, strict=True)})
    by_sentences = 4 * 80 * 80  # heads of the document layers, squared sentences
    grown = {n for n, size in sizes[1].items() if size > 2.2 * sizes[0][n] and size > by_sentences}
    assert grown == set()


@pytest.mark.parametrize("n_sentences", [1, 4])
@pytest.mark.parametrize("unmatched", Unmatched)
def test_matching_attention_is_the_token_map_summed_by_sentence(
    small_student, n_sentences, unmatched
):
    document = {k: torch.from_numpy(v) for k, v in random_document(6, n_sentences).items()}
    small_student = with_changes(small_student, unmatched=unmatched)
    dense_student = with_changes(small_student, is_structured=False)
    record = dense_student.new_record()
    with torch.no_grad():
        pooled = ExplainedModel(small_student)(**document)[2]
        dense_student(document["token_ids"][None], document["sentence_ids"][None], record)
    maps = [layer.weights["matching_token"][0].mean(0) for layer in record.token_layers]
    ids = document["sentence_ids"]
    for i in range(n_sentences):
        looking = [ids == i] * len(maps)
        if small_student.config.is_last_for_cls:
            looking[-1] = torch.arange(len(ids)) == (ids == i).nonzero()[0, 0]
        for j in range(n_sentences):
            seen = [
                m[rows][:, ids == j].sum(1).mean() for m, rows in zip(maps, looking, strict=True)
            ]
            assert float(pooled[i, j]) == pytest.approx(float(sum(seen) / len(seen)), abs=1e-5)
