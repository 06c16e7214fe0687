"""What an evaluation measures, on documents small enough to follow by hand."""

import json

import numpy as np
import pytest

from service.errors import DataError
from training.data.articles import Article
from training.evaluate.evaluation import EvaluatedDocument, evaluate
from training.evaluate.report import Provenance
from training.evaluate.rouge import SIGNATURE, rouge_scores

PROVENANCE = Provenance("toy@sha256:0123456789ab", "toy.jsonl", "ab" * 32, "patsum evaluate --x")
ARTICLES = [
    Article("1", "Bees left. Snow fell. Ice grew. The mayor quit. He wept.", "The mayor quit."),
    Article("2", "Trains stopped. A pipe burst. Water rose. Pumps came. All slept.", "Pumps came."),
    Article("3", "A comet passed. Crowds cheered.", "A comet passed."),
]  # fmt: skip


def cut(text):
    return tuple(f"{part.rstrip('.')}." for part in text.split(". "))


def choose_fourth(text):
    sentences = cut(text)
    return EvaluatedDocument(sentences, (min(3, len(sentences) - 1),))


def choose_lead(text):
    sentences = cut(text)
    lead = tuple(range(min(3, len(sentences))))
    return EvaluatedDocument(sentences, lead, unblocked=lead[:1], is_truncated=len(sentences) > 2)


def measure(summarize, **settings):
    ticks = iter([10.0, 12.5])
    settings = {"n_resamples": 200, "show_progress": False, "clock": lambda: next(ticks)} | settings
    return evaluate(summarize, ARTICLES, PROVENANCE, **settings)


def estimates(intervals):
    return [interval.estimate for interval in intervals]


def test_ours_lead_and_oracle_are_scored_on_the_same_sentences():
    report = measure(choose_fourth)
    sentences = [cut(article.text) for article in ARTICLES]
    for name, chosen in {
        "ours": [[3], [3], [1]],
        "lead3": [[0, 1, 2], [0, 1, 2], [0, 1]],
        "oracle": [[3], [3], [0]],
    }.items():
        expected = [
            rouge_scores([s[i] for i in c], article.summary)
            for s, c, article in zip(sentences, chosen, ARTICLES, strict=True)
        ]
        np.testing.assert_allclose(
            estimates(report.systems[name].rouge), np.mean(expected, axis=0), atol=1e-9
        )


def test_difference_is_ours_minus_lead():
    report = measure(choose_fourth)
    ours, lead = (estimates(report.systems[name].rouge) for name in ("ours", "lead3"))
    np.testing.assert_allclose(
        estimates(report.differences["lead3"]), np.subtract(ours, lead), atol=1e-9
    )


def test_lead_does_not_differ_from_lead():
    report = measure(choose_lead)
    for interval in report.differences["lead3"]:
        assert (interval.estimate, interval.low, interval.high) == (0.0, 0.0, 0.0)


def test_oracle_is_never_below_the_others():
    systems = measure(choose_lead).systems
    for name in ("ours", "unblocked", "lead3"):
        assert estimates(systems["oracle"].rouge) >= estimates(systems[name].rouge)


def test_truncated_documents_and_seconds_are_counted():
    report = measure(choose_lead)
    assert (report.n, report.n_truncated, report.seconds) == (3, 2, 2.5)


def test_unblocked_choice_is_a_system_only_where_it_was_measured():
    assert "unblocked" not in measure(choose_fourth).systems
    report = measure(choose_lead)
    assert set(report.systems) == {"ours", "unblocked", "lead3", "oracle"}
    assert set(report.differences) == {"lead3", "unblocked"}


def test_json_is_an_entry_for_the_quality_of_a_manifest():
    entry = json.loads(json.dumps(measure(choose_lead, seed=7).to_json()))
    assert (entry["data"], entry["n"], entry["command"]) == ("toy.jsonl", 3, PROVENANCE.command)
    assert (entry["model"], entry["dataSha256"]) == (PROVENANCE.model, PROVENANCE.data_sha256)
    assert (entry["signature"], entry["seed"], entry["resamples"]) == (SIGNATURE, 7, 200)
    for scores in (entry, entry["lead3"], entry["oracle"], entry["unblocked"]):
        assert all(0 <= scores[name] <= 100 for name in ("rouge1", "rouge2", "rougeL"))
        low, high = scores["interval"]["rouge1"]
        assert low <= scores["rouge1"] <= high
    assert entry["difference"] == dict.fromkeys(("rouge1", "rouge2", "rougeL"), [0.0] * 3)
    assert len(entry["unblocked"]["difference"]["rougeL"]) == 3


def test_text_names_what_the_numbers_come_from():
    text = measure(choose_lead).to_text()
    for part in (
        "Lead-3",
        "greedy oracle",
        "patsum - Lead-3",
        "3, of which 2 not read whole",
        PROVENANCE.model,
        PROVENANCE.data,
        PROVENANCE.command,
        SIGNATURE,
    ):
        assert part in text


def test_same_seed_gives_the_same_report():
    assert measure(choose_fourth, seed=3) == measure(choose_fourth, seed=3)


def test_no_article_is_a_data_error():
    with pytest.raises(DataError, match=r"toy\.jsonl, got none"):
        evaluate(choose_lead, [], PROVENANCE, show_progress=False)


def test_bar_stays_off_stdout(capsys):
    measure(choose_lead, show_progress=True, n_articles=3)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "3/3" in captured.err
