"""`patsum evaluate` from a data file and a bundle to a report."""

import hashlib
import json

import pytest
from click.testing import CliRunner

from service.errors import DataError
from service.inference.summarizer import Summarizer
from service.text.select import LengthRule, Redundancy
from training.evaluate.command import describe_source, evaluate
from training.evaluate.evaluation import through_service

TEXT = (
    "The council will vote on the old bridge. Water was over the road for two days. "
    "The mayor said the old bridge is like the old bridge of the city. No one was out. "
    "The ferry to the harbour did not go. People at the market made the most of it. "
    "Rain and wind may be back. The school was not open. A train was down the river."
)


@pytest.fixture(scope="module")
def summarizer(tiny_bundle):
    return Summarizer(tiny_bundle)


@pytest.fixture
def data(tmp_path):
    path = tmp_path / "town.jsonl"
    rows = [{"article": TEXT, "summary": "The council will vote.\nWater was over the road."}] * 4
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def run(*arguments):
    result = CliRunner().invoke(evaluate, [str(a) for a in arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result


def test_chosen_sentences_are_those_of_the_service(summarizer):
    rule = LengthRule(sentence_count=3)
    document = through_service(summarizer)(TEXT)
    for chosen, redundancy in (
        (document.chosen, Redundancy.TRIGRAM),
        (document.unblocked, Redundancy.NONE),
    ):
        summary = summarizer.summarize(TEXT, rule=rule, redundancy=redundancy)
        assert [document.sentences[i] for i in chosen] == [s.text for s in summary.sentences]
    assert " ".join(document.sentences) == TEXT
    assert not document.is_truncated


def test_default_of_the_bundle_is_measured_beside_always_three(four_sentence_bundle):
    adaptive = Summarizer(four_sentence_bundle)
    document = through_service(adaptive)(TEXT)
    for chosen, n, redundancy in (
        (document.chosen, 4, Redundancy.TRIGRAM),
        (document.top3, 3, Redundancy.TRIGRAM),
        (document.unblocked, 4, Redundancy.NONE),
    ):
        rule = LengthRule(sentence_count=n)
        summary = adaptive.summarize(TEXT, rule=rule, redundancy=redundancy)
        assert list(chosen) == [s.index for s in summary.sentences]


def test_where_all_have_three_they_are_not_measured_twice(summarizer):
    assert through_service(summarizer)(TEXT).top3 is None


def test_command_reports_always_three(four_sentence_bundle, data, tmp_path):
    path = tmp_path / "report.json"
    result = run("--data", data, "--bundle", four_sentence_bundle, "--json", path)
    entry = json.loads(path.read_text(encoding="utf-8"))
    assert len(entry["top3"]["difference"]["rouge1"]) == 3
    assert entry["top3"]["words"] < entry["words"]
    assert "patsum, always three" in result.stdout
    assert "patsum - always three" in result.stdout


def test_without_blocking_there_is_one_choice(summarizer):
    blocked = through_service(summarizer)(TEXT)
    unblocked = through_service(summarizer, redundancy=Redundancy.NONE)(TEXT)
    assert unblocked.unblocked is None
    assert unblocked.chosen == blocked.unblocked


def test_sentences_that_were_not_read_still_count_for_the_oracle(summarizer):
    document = through_service(summarizer)(" ".join([TEXT] * 12))
    assert document.is_truncated
    assert len(document.sentences) == 12 * 9


def test_command_writes_the_report(tiny_bundle, data, tmp_path):
    path = tmp_path / "report.json"
    result = run("--data", data, "--bundle", tiny_bundle, "--limit", 3, "--json", path)
    entry = json.loads(path.read_text(encoding="utf-8"))
    assert (entry["data"], entry["n"]) == ("town.jsonl", 3)
    assert entry["dataSha256"] == hashlib.sha256(data.read_bytes()).hexdigest()
    assert entry["model"].startswith("patsum-tiny@sha256:")
    assert {"lead3", "oracle", "unblocked", "difference"} <= set(entry)
    assert "Lead-3" in result.stdout
    assert "3/3" in result.stderr


def test_command_leaves_the_unblocked_row_out_when_nothing_is_blocked(tiny_bundle, data):
    result = run("--data", data, "--bundle", tiny_bundle, "--no-trigram-blocking")
    assert "no trigram blocking" not in result.stdout


def test_command_draws_a_sample(tiny_bundle, data):
    result = run("--data", data, "--bundle", tiny_bundle, "--sample", 2)
    assert "documents  2," in result.stdout


def test_command_measures_faithfulness(tiny_bundle, data, tmp_path):
    path = tmp_path / "faithfulness.json"
    result = run("--data", data, "--bundle", tiny_bundle, "--faithfulness", 2, "--json", path)
    entry = json.loads(path.read_text(encoding="utf-8"))
    assert entry["n"] == 2
    assert "leaveOneOutKendallTau" in entry["random"]
    assert "comprehensiveness" in result.stdout


def test_provenance_names_no_folder(data, monkeypatch):
    monkeypatch.setattr("sys.argv", ["/some/where/bin/patsum", "evaluate"])
    provenance = describe_source("m", str(data))
    assert provenance.data == "town.jsonl"
    assert provenance.command.startswith("patsum ")


def test_missing_data_file_is_a_data_error(tmp_path):
    with pytest.raises(DataError, match="expected a file of JSON lines"):
        describe_source("m", str(tmp_path / "gone.jsonl"))


def test_hub_dataset_has_no_hash():
    assert describe_source("m", "hf:cnn_dailymail:test").data_sha256 is None


@pytest.mark.parametrize("written", [["--json", "out/report.json"], ["--json=out/report.json"], []])
def test_recorded_command_repeats_the_measurement_and_not_where_it_was_written(
    written, data, monkeypatch
):
    monkeypatch.setattr("sys.argv", ["/bin/patsum", "evaluate", *written, "--data", "a.jsonl"])
    assert describe_source("tiny", str(data)).command == "patsum evaluate --data a.jsonl"
