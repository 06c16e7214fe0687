"""What the faithfulness measures say of engines whose reasons are known."""

import numpy as np
import pytest
from nltk.tokenize.punkt import PunktParameters
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace

from service.errors import DataError
from service.inference.engine import EngineOutput
from service.inference.explain import remove_sentence
from service.text.encode import EncoderSettings, TextEncoder
from service.text.sentences import SentenceSplitter
from training.evaluate.faithfulness import keep_sentences, measure_faithfulness

NAMES = ("ash", "birch", "cedar", "elm", "fir", "larch", "oak", "pine", "rowan", "yew")
VOCABULARY = {word: i for i, word in enumerate(("[CLS]", "[SEP]", "[UNK]", ".", *NAMES))}
TEXT = " ".join(f"{name.title()} {name}." for name in NAMES)


class SupportedByPine:
    """Scores every sentence 0.5, and 0.4 more when "pine" is in the document.

    Attention is on "pine" when honest, otherwise on "ash"; evenly on the other sentences.
    """

    def __init__(self, *, is_honest: bool) -> None:
        self._looked_at = VOCABULARY["pine" if is_honest else "ash"]

    def score(self, encoded):
        return self.run(encoded).scores

    def run(self, encoded):
        names = encoded.token_ids[np.flatnonzero(encoded.token_ids == VOCABULARY["."]) - 1]
        n = encoded.n_encoded
        assert len(names) == n
        support = 0.4 if VOCABULARY["pine"] in names else 0.0
        attention = np.full((n, n), 0.01, dtype=np.float32)
        attention[:, names == self._looked_at] = 1.0
        attention /= attention.sum(axis=1, keepdims=True)
        rank = 1e-4 * np.flatnonzero(names)[::-1]  # earlier sentences slightly better
        scores = np.float32(0.5 + support) + rank.astype(np.float32)
        return EngineOutput(scores, attention, attention, np.zeros((n, 0), dtype=np.float32))


@pytest.fixture(scope="module")
def encoder():
    tokenizer = Tokenizer(WordLevel(VOCABULARY, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    return TextEncoder(tokenizer, SentenceSplitter(PunktParameters()), EncoderSettings(512, 64))


def measure(encoder, *, is_honest, texts=(TEXT,) * 30, **settings):
    engine = SupportedByPine(is_honest=is_honest)
    return measure_faithfulness(engine, encoder, texts, show_progress=False, **settings)


def test_evidence_that_carries_the_score_is_comprehensive_and_sufficient(encoder):
    report = measure(encoder, is_honest=True, top_k=1)
    comprehensiveness, sufficiency, tau = (i.estimate for i in report.attention)
    assert comprehensiveness == pytest.approx(0.4, abs=0.01)
    assert sufficiency == pytest.approx(0.0, abs=0.01)
    assert tau > 0.3


def test_evidence_that_carries_nothing_is_neither(encoder):
    report = measure(encoder, is_honest=False, top_k=1)
    comprehensiveness, sufficiency, _ = (i.estimate for i in report.attention)
    assert comprehensiveness == pytest.approx(0.0, abs=0.01)
    assert sufficiency == pytest.approx(0.4, abs=0.01)


def test_random_evidence_finds_the_support_as_often_as_chance(encoder):
    report = measure(encoder, is_honest=True, top_k=3, texts=(TEXT,) * 150)
    comprehensiveness, sufficiency, tau = (i.estimate for i in report.random)
    # Three of nine other sentences: "pine" is among them a third of the time.
    assert comprehensiveness == pytest.approx(0.4 / 3, abs=0.04)
    assert sufficiency == pytest.approx(0.4 * 2 / 3, abs=0.04)
    assert tau == pytest.approx(0.0, abs=0.05)
    assert report.difference[0].low > 0.0


def test_lead_evidence_is_the_first_sentences(encoder):
    report = measure(encoder, is_honest=True, top_k=3)
    comprehensiveness, sufficiency, _ = (i.estimate for i in report.lead)
    assert comprehensiveness == pytest.approx(0.0, abs=0.01)  # "pine" stands near the end
    assert sufficiency == pytest.approx(0.4, abs=0.01)
    report = measure(encoder, is_honest=True, top_k=8)
    assert report.lead[0].estimate == pytest.approx(0.4, abs=0.01)


def test_short_documents_are_counted_as_skipped(encoder):
    report = measure(encoder, is_honest=True, texts=(TEXT, "Oak oak. Elm elm.", ""))
    assert (report.n, report.n_skipped) == (1, 2)


def test_nothing_but_short_documents_is_a_data_error(encoder):
    with pytest.raises(DataError, match="more than 6 sentences, got 1 shorter"):
        measure(encoder, is_honest=True, texts=("Oak oak. Elm elm.",))


def test_same_seed_gives_the_same_report(encoder):
    assert measure(encoder, is_honest=True, seed=5) == measure(encoder, is_honest=True, seed=5)


def test_manifest_carries_the_numbers_of_the_attention_evidence(encoder):
    report = measure(encoder, is_honest=True)
    entry = report.to_manifest()
    assert list(entry) == ["comprehensiveness", "sufficiency", "leaveOneOutKendallTau", "n"]
    assert entry["n"] == 30
    assert report.to_json()["attention"]["comprehensiveness"][0] == entry["comprehensiveness"]
    assert "30 documents (0 skipped as too short)" in report.to_text()


@pytest.mark.parametrize("removed", [0, 4, 9])
def test_keeping_all_but_one_is_removing_one(encoder, removed):
    encoded = encoder.encode(TEXT)
    kept = keep_sentences(encoded, np.delete(np.arange(10), removed))
    expected = remove_sentence(encoded, removed)
    np.testing.assert_array_equal(kept.token_ids, expected.token_ids)
    np.testing.assert_array_equal(kept.sentence_ids, expected.sentence_ids)
    assert (kept.spans, kept.n_encoded) == (expected.spans, expected.n_encoded)


def test_kept_sentences_are_encoded_as_a_text_of_these_alone(encoder):
    kept = keep_sentences(encoder.encode(TEXT), np.array([2, 7]))
    expected = encoder.encode("Cedar cedar. Pine pine.")
    np.testing.assert_array_equal(kept.token_ids, expected.token_ids)
    np.testing.assert_array_equal(kept.sentence_ids, expected.sentence_ids)
    assert kept.n_tokens == expected.n_tokens
