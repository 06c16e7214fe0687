"""The fit of the default length: what it learns, when it writes, and what it leaves alone."""

import json

import numpy as np
import pytest
from click.testing import CliRunner

from export.length_command import fit_length as command
from export.length_fit import (
    MeasuredDocument,
    cross_fit,
    fit_length,
    fit_weights,
    measure_documents,
)
from service import LengthRule, Summarizer
from service.errors import DataError, ExportError
from service.text.adaptive_length import FEATURES, AdaptiveLength, measure_candidates
from tests.tiny_articles import write_tiny_articles
from training.data.articles import Article, read_articles
from training.evaluate.report import Provenance
from training.evaluate.rouge import rouge_scores

PROVENANCE = Provenance("toy@sha256:0123456789ab", "toy.jsonl", None, "patsum fit-length --x")


def make_words(random, n):
    return " ".join(f"w{word}" for word in random.integers(10_000, size=n)) + "."


def make_documents(n, seed=0, long_is_weak=True):
    """Documents of three sentences of which the third is long in every second one.

    A human summary holds the first two sentences, and the third only where it is short.
    """
    random = np.random.default_rng(seed)
    documents = []
    for number in range(n):
        is_long = number % 2 == 0
        sentences = [make_words(random, 10), make_words(random, 10)]
        sentences.append(make_words(random, 50 if is_long else 10))
        noise = random.uniform(-0.02, 0.02)
        scores = np.array([0.6, 0.5, 0.1 + noise if is_long else 0.4 + noise], dtype=np.float32)
        reference = " ".join(sentences[: 2 if is_long == long_is_weak else 3])
        features = measure_candidates(scores, sentences, [0, 1, 2])
        rouge = {k: rouge_scores(sentences[:k], reference) for k in features}
        documents.append(MeasuredDocument(features, rouge))
    return documents


def noise_documents(n):
    """Documents whose features say nothing of which candidate is better."""
    random = np.random.default_rng(5)
    return [
        MeasuredDocument(
            {k: tuple(random.normal(size=len(FEATURES))) for k in (2, 3, 4)},
            {k: random.uniform(30, 50, size=3) for k in (2, 3, 4)},
        )
        for _ in range(n)
    ]


@pytest.fixture
def data(tmp_path):
    path = tmp_path / "town.jsonl"
    write_tiny_articles(path, 40, seed=3)
    return path


def run(*arguments):
    return CliRunner().invoke(command, [str(argument) for argument in arguments])


def read_manifest_fields(folder):
    return json.loads((folder / "manifest.json").read_text(encoding="utf-8"))


def test_fit_learns_to_leave_long_weak_third_sentences_out():
    length = AdaptiveLength(fit_weights(make_documents(200)))
    chosen = [length.best(document.features) for document in make_documents(20, seed=1)]
    assert chosen == [2, 3] * 10


def test_cross_fitted_gain_is_that_of_the_better_choice():
    documents = make_documents(200)
    fitted = fit_length(documents, PROVENANCE, n_resamples=200)
    # Every second document is 20 words of 20 instead of 20 of 70: F1 100 in place of 44.4.
    assert fitted.gain[0].estimate == pytest.approx((100 - 100 * 40 / 90) / 2, abs=0.2)
    assert fitted.is_gain
    assert fitted.counts == {2: 100, 3: 100}


def test_no_document_is_chosen_for_by_weights_that_saw_it():
    """A document that alone says the opposite does not change the choice for itself."""
    documents = make_documents(40)
    (outlier,) = make_documents(1, long_is_weak=False)
    chosen = cross_fit([*documents, outlier], seed=0)
    better = max(outlier.rouge, key=lambda n: outlier.rouge[n][0])
    assert (better, chosen[-1]) == (3, 2)


def test_features_that_say_nothing_are_no_gain():
    fitted = fit_length(noise_documents(300), PROVENANCE, n_resamples=500)
    assert not fitted.is_gain
    assert fitted.in_sample_gain[0].estimate > fitted.gain[0].estimate


def test_same_seed_gives_the_same_fit():
    documents = noise_documents(30)
    first, second = (fit_length(documents, PROVENANCE, n_resamples=100, seed=4) for _ in range(2))
    assert first == second


def test_few_documents_are_refused():
    with pytest.raises(DataError, match=r"at least 20 articles in toy\.jsonl, got 3"):
        fit_length(make_documents(3), PROVENANCE)


def test_documents_are_measured_as_the_service_answers(tiny_bundle, data):
    summarizer = Summarizer(tiny_bundle)
    articles = list(read_articles(str(data)))
    short = Article("short", "The river was down.", "The river was down.")
    measured = measure_documents(summarizer, [*articles, short], show_progress=False)
    for article, document in zip(articles, measured, strict=False):
        for n, scores in document.rouge.items():
            answer = summarizer.summarize(article.text, rule=LengthRule(sentence_count=n))
            expected = rouge_scores([s.text for s in answer.sentences], article.summary)
            np.testing.assert_allclose(scores, expected)
    assert list(measured[-1].features) == [1]
    assert measured[-1].three.tolist() == [100.0] * 3


def test_command_without_a_gain_leaves_the_bundle_as_it_was(tiny_bundle_copy, data):
    before = {path.name: path.read_bytes() for path in tiny_bundle_copy.iterdir()}
    result = run(tiny_bundle_copy, "--data", data, "--resamples", 100)
    assert isinstance(result.exception, ExportError)
    assert "stays as it was" in str(result.exception)
    assert "gain, fitted on the other half" in result.stdout
    assert {path.name: path.read_bytes() for path in tiny_bundle_copy.iterdir()} == before


def test_forced_command_writes_manifest_and_card_under_a_new_version(tiny_bundle_copy, data):
    old = Summarizer(tiny_bundle_copy)
    result = run(tiny_bundle_copy, "--data", data, "--resamples", 100, "--force")
    assert result.exit_code == 0, result.output
    new = Summarizer(tiny_bundle_copy)
    entry = new.bundle.manifest.default_length
    assert entry is not None
    assert (entry.data, entry.n, set(entry.weights)) == ("town.jsonl", 40, set(FEATURES))
    assert old.bundle.version != new.bundle.version
    assert new.bundle.version in result.stdout
    fields = read_manifest_fields(tiny_bundle_copy)
    assert fields["quality"] == []
    assert fields["faithfulness"]["n"] == 2
    card = (tiny_bundle_copy / "README.md").read_text(encoding="utf-8")
    assert f"- is two: {entry.weights['is_two']:+g}" in card
    assert "R-1 {:+.2f} [{:+.2f}, {:+.2f}]".format(*entry.gain["rouge1"]) in card
