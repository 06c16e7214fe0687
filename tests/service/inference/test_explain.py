"""Facts about the reasons of chosen sentences."""

import numpy as np
import pytest

from service.errors import InputError
from service.inference.bundle import Bundle
from service.inference.engine import Engine
from service.inference.explain import Explainer, ExplainMethod, mean_attention, remove_sentence
from tests.tiny_bundle import PATTERN_NAMES

SENTENCES = (
    "The ferry left the harbour before the storm.",
    "The mayor said that the council had a report.",
    "No train was on time.",
    "The storm came in the night, and the water was over the road.",
    "People would vote for a new bridge over the river.",
)


@pytest.fixture(scope="module")
def bundle(tiny_bundle):
    return Bundle(tiny_bundle)


@pytest.fixture(scope="module")
def engine(bundle):
    return Engine(bundle)


@pytest.fixture(scope="module")
def encoded(bundle):
    return bundle.encoder.encode(" ".join(SENTENCES))


@pytest.fixture
def explain(bundle, engine, encoded):
    """Explain some chosen sentences of the text by a method."""

    def explain_chosen(method, chosen, top_k=5, cap=40, document=encoded):
        explainer = Explainer(engine, bundle.manifest, cap)
        return explainer.explain(method, document, engine.run(document), chosen, top_k)

    return explain_chosen


def test_attention_evidence_is_the_best_attended_other_sentences(engine, encoded, explain):
    attention = mean_attention(engine.run(encoded))
    (reason,) = explain(ExplainMethod.ATTENTION, [3], top_k=2).selected
    expected = sorted((j for j in range(5) if j != 3), key=lambda j: -attention[3, j])[:2]
    assert reason.index == 3
    assert [e.index for e in reason.evidence] == expected
    assert [e.weight for e in reason.evidence] == [float(attention[3, j]) for j in expected]


def test_mean_attention_has_rows_that_sum_to_one(engine, encoded):
    rows = mean_attention(engine.run(encoded)).sum(axis=1)
    np.testing.assert_allclose(rows, np.ones(5), rtol=1e-5)


@pytest.mark.parametrize("method", ExplainMethod)
def test_reasons_come_in_the_order_of_the_chosen(explain, method):
    explanation = explain(method, [4, 0, 2])
    assert [reason.index for reason in explanation.selected] == [4, 0, 2]
    assert explanation.method is method


@pytest.mark.parametrize("method", ExplainMethod)
def test_a_sentence_is_no_evidence_for_itself(explain, method):
    for reason in explain(method, [0, 1]).selected:
        assert reason.index not in [e.index for e in reason.evidence]


@pytest.mark.parametrize("method", ExplainMethod)
def test_every_pattern_has_its_share(engine, encoded, explain, method):
    (reason,) = explain(method, [1]).selected
    assert tuple(p.name for p in reason.patterns) == PATTERN_NAMES
    assert [p.share for p in reason.patterns] == engine.run(encoded).pattern_shares[1].tolist()


def test_occlusion_weight_is_the_drop_of_the_score_without_the_sentence(
    bundle, engine, encoded, explain
):
    scores = engine.run(encoded).scores
    for reason in explain(ExplainMethod.OCCLUSION, [1, 4]).selected:
        assert len(reason.evidence) == 4
        for evidence in reason.evidence:
            rest = [j for j in range(5) if j != evidence.index]
            text = " ".join(SENTENCES[j] for j in rest)
            without = engine.run(bundle.encoder.encode(text)).scores
            drop = scores[reason.index] - without[rest.index(reason.index)]
            assert evidence.weight == drop


def test_occlusion_gives_the_largest_effects_first_whatever_their_sign(explain):
    evidence = [
        e for r in explain(ExplainMethod.OCCLUSION, [0, 1, 2, 3, 4]).selected for e in r.evidence
    ]
    assert min(e.weight for e in evidence) < 0 < max(e.weight for e in evidence)
    for start in range(0, 20, 4):
        sizes = [abs(e.weight) for e in evidence[start : start + 4]]
        assert sizes == sorted(sizes, reverse=True)


def test_capped_occlusion_removes_the_best_attended_and_says_so(engine, encoded, explain):
    attention = mean_attention(engine.run(encoded))
    explanation = explain(ExplainMethod.OCCLUSION, [2], cap=2)
    expected = sorted((j for j in range(5) if j != 2), key=lambda j: -attention[2, j])[:2]
    assert {e.index for e in explanation.selected[0].evidence} == set(expected)
    assert any("Of 4 sentences only the 2 that" in note for note in explanation.notes)


def test_occlusion_within_the_cap_has_no_note_about_it(explain):
    notes = explain(ExplainMethod.OCCLUSION, [2], cap=4).notes
    assert not any("only the" in note for note in notes)


@pytest.mark.parametrize("method", ExplainMethod)
def test_single_sentence_has_no_evidence(bundle, explain, method):
    document = bundle.encoder.encode(SENTENCES[0])
    (reason,) = explain(method, [0], document=document).selected
    assert reason.evidence == ()


@pytest.mark.parametrize("method", ExplainMethod)
def test_nothing_chosen_needs_no_reason(explain, method):
    assert explain(method, []).selected == ()


def test_faithfulness_comes_from_the_manifest_with_a_note_on_what_it_measures(explain):
    explanation = explain(ExplainMethod.ATTENTION, [0])
    assert explanation.faithfulness == {
        "comprehensiveness": 0.25,
        "sufficiency": 0.125,
        "leaveOneOutKendallTau": 0.5,
        "n": 2,
    }
    assert any("means over 2 other documents" in note for note in explanation.notes)
    notes = explain(ExplainMethod.OCCLUSION, [0]).notes
    assert any("measured for attention weights, not for these" in note for note in notes)


def test_unmeasured_faithfulness_is_said(bundle, engine, encoded):
    manifest = bundle.manifest.model_copy(update={"faithfulness": None})
    explainer = Explainer(engine, manifest, 40)
    output = engine.run(encoded)
    explanation = explainer.explain(ExplainMethod.ATTENTION, encoded, output, [0], 5)
    assert explanation.faithfulness is None
    assert "Faithfulness was not measured for this model." in explanation.notes


def test_unread_sentences_are_said_to_have_no_weight(bundle, explain):
    document = bundle.encoder.encode(" ".join(SENTENCES * 20))
    assert document.n_encoded < 100
    notes = explain(ExplainMethod.ATTENTION, [0], document=document).notes
    assert any(f"first {document.n_encoded} of 100 sentences" in note for note in notes)


def test_no_evidence_asked_for_is_refused(explain):
    with pytest.raises(InputError, match="expected topK >= 1, got 0") as caught:
        explain(ExplainMethod.ATTENTION, [0], top_k=0)
    assert caught.value.pointer == "/explain/topK"


@pytest.mark.parametrize("index", range(5))
def test_removed_sentence_leaves_the_encoding_of_the_rest(bundle, encoded, index):
    without = remove_sentence(encoded, index)
    rest = bundle.encoder.encode(" ".join(s for j, s in enumerate(SENTENCES) if j != index))
    np.testing.assert_array_equal(without.token_ids, rest.token_ids)
    np.testing.assert_array_equal(without.sentence_ids, rest.sentence_ids)
    assert without.sentence_ids.dtype == np.int64
    assert (without.n_encoded, without.n_tokens) == (rest.n_encoded, rest.n_tokens)
    assert len(without.spans) == 4
