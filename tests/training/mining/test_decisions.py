"""The decisions file: what was decided reads back, and what does not fit is named."""

import dataclasses
import datetime as dt
import json

import pytest

from service.errors import CheckpointError, DataError
from tests.tiny_model import UNEVEN, tiny_model
from training.mining.decisions import (
    Decision,
    Decisions,
    Evidence,
    JudgedDocuments,
    JudgedModel,
    Verdict,
    now,
    read_decisions,
    write_decisions,
)
from training.model.patterns import Pattern

MODEL = JudgedModel("0" * 64, layers=2, heads=4)
TIME = dt.datetime(2026, 11, 25, 6, 0, tzinfo=dt.UTC)
EVIDENCE = Evidence(relevance=0.31, lift=24.0, z=5.25, low=0.29, high=0.33, n_documents=60)


def decide(layer=0, head=1, pattern="matching_token", verdict=Verdict.ACCEPTED, **changes):
    return Decision(layer, head, pattern, verdict, **{"by": "Ada", "at": TIME, **changes})


@pytest.fixture
def decisions():
    empty = Decisions(MODEL, JudgedDocuments("grammar 2", (0, 3)))
    return empty.with_decision(
        decide(note="the [CLS] too: “Ünï”", evidence=EVIDENCE)
    ).with_decision(decide(1, 3, "same_token and not cls", Verdict.REJECTED))


@pytest.fixture
def edit(decisions, tmp_path):
    """Write the file after some change to its JSON."""

    def edit(change):
        path = tmp_path / "decisions.json"
        write_decisions(decisions, path)
        table = json.loads(path.read_text(encoding="utf-8"))
        change(table)
        path.write_text(json.dumps(table), encoding="utf-8")
        return path

    return edit


def test_decisions_read_back_as_they_were_written(decisions, tmp_path):
    path = tmp_path / "new" / "decisions.json"
    write_decisions(decisions, path)
    assert read_decisions(path) == decisions
    assert [file.name for file in path.parent.iterdir()] == ["decisions.json"]


def test_file_is_for_people_too(decisions, tmp_path):
    write_decisions(decisions, tmp_path / "decisions.json")
    text = (tmp_path / "decisions.json").read_text(encoding="utf-8")
    table = json.loads(text)
    assert "“Ünï”" in text
    assert table["decisions"][0]["at"] == "2026-11-25T06:00:00Z"
    assert table["decisions"][0]["verdict"] == "accepted"
    assert table["documents"] == {"source": "grammar 2", "numbers": [0, 3]}


def test_later_decision_replaces_the_earlier_one(decisions):
    changed = decisions.with_decision(decide(verdict=Verdict.REJECTED))
    assert [item.key for item in changed.decisions] == [item.key for item in decisions.decisions]
    assert changed.decisions[0] == decide(verdict=Verdict.REJECTED)


def test_decisions_stand_by_layer_head_and_pattern(decisions):
    more = decisions.with_decision(decide(0, 0)).with_decision(decide(0, 1, "intra_sentence"))
    assert [item.key for item in more.decisions] == [
        (0, 0, "matching_token"),
        (0, 1, "intra_sentence"),
        (0, 1, "matching_token"),
        (1, 3, "same_token and not cls"),
    ]


def test_decision_can_be_taken_back(decisions):
    assert decisions.without((0, 1, "matching_token")).decisions == decisions.decisions[1:]
    assert decisions.without((0, 0, "matching_token")) == decisions


def test_documents_are_counted_once(decisions):
    assert decisions.with_documents((7, 3, 1)).documents.numbers == (0, 1, 3, 7)


def test_only_accepted_patterns_that_a_head_can_carry_are_injected(decisions):
    more = (
        decisions.with_decision(decide(1, 0, "next_token"))
        .with_decision(decide(1, 1, "next_token", Verdict.REJECTED))
        .with_decision(decide(1, 2, "lead(3)"))
    )
    assert more.accepted() == {(0, 1): Pattern.MATCHING_TOKEN, (1, 0): Pattern.NEXT_TOKEN}


def test_head_with_two_accepted_patterns_cannot_be_injected(decisions):
    both = decisions.with_decision(decide(0, 1, "intra_sentence"))
    with pytest.raises(DataError, match=r"layer 0, head 1: .*got intra_sentence and matching"):
        both.accepted()


@pytest.mark.parametrize("place", [(2, 0), (0, 4)])
def test_decision_about_a_head_that_the_model_has_not_is_refused(decisions, place):
    with pytest.raises(DataError, match=rf"2 layers x 4 heads, got layer {place[0]}, head"):
        decisions.with_decision(decide(*place))


def test_decisions_are_about_the_model_that_they_were_made_with():
    model = tiny_model()
    judged = JudgedModel.describe(model)
    assert (judged.layers, judged.heads) == (2, 4)
    Decisions(judged, JudgedDocuments("x")).check_model(JudgedModel.describe(tiny_model()))


def test_model_with_layers_of_different_widths_is_judged_head_by_head(tmp_path):
    judged = JudgedModel.describe(tiny_model(**UNEVEN))
    assert (judged.heads, judged.heads_by_layer) == ((2, 4), (2, 4))
    decisions = Decisions(judged, JudgedDocuments("x"))
    for layer in range(2):
        for head in range(2 + 2 * layer):
            decisions = decisions.with_decision(decide(layer, head))
    for place in ((0, 2), (0, 3), (1, 4)):
        with pytest.raises(DataError, match=rf"2 layers with 2, 4 heads, got layer {place[0]}"):
            decisions.with_decision(decide(*place))
    write_decisions(decisions, tmp_path / "decisions.json")
    assert read_decisions(tmp_path / "decisions.json") == decisions
    table = json.loads((tmp_path / "decisions.json").read_text(encoding="utf-8"))
    assert table["model"]["heads"] == [2, 4]


def test_list_of_equal_heads_is_one_number(edit):
    assert JudgedModel("0" * 64, 2, (4, 4)) == JudgedModel("0" * 64, 2, 4)
    decisions = read_decisions(edit(lambda table: table["model"].update(heads=[4, 4])))
    assert decisions.model.heads == 4
    decisions.check_model(dataclasses.replace(decisions.model, heads=4))


def test_decisions_about_another_model_are_refused():
    decisions = Decisions(JudgedModel.describe(tiny_model()), JudgedDocuments("x"))
    with pytest.raises(CheckpointError, match=r"got decisions about .*made with this model"):
        decisions.check_model(JudgedModel.describe(tiny_model(seed=1)))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.update(format=2), "expected a decisions file of format 1, got 2"),
        (lambda t: t.pop("format"), "format 1, got None"),
        (lambda t: t.pop("model"), "model: Field required"),
        (lambda t: t["model"].update(sha256="3f"), "model.sha256: .*, got '3f'"),
        (
            lambda t: t["model"].update(heads=[4]),
            r"model\.heads: .* or 2 \(one a layer\), got \[4\]",
        ),
        (lambda t: t["model"].update(heads=[]), r"model\.heads: .*got \[\]"),
        (lambda t: t["model"].update(heads=[4, 0]), r"model\.heads"),
        (
            lambda t: t["model"].update(heads=[1, 4]),
            "2 layers with 1, 4 heads, got layer 0, head 1",
        ),
        (lambda t: t["decisions"][0].update(layer="0"), r"decisions\.0\.layer: .*, got '0'"),
        (lambda t: t["decisions"][0].update(layer=7), "got layer 7, head 1"),
        (lambda t: t["decisions"][0].update(pattern=" "), r"decisions\.0\.pattern: "),
        (lambda t: t["decisions"][0].update(verdict="yes"), "'accepted' or 'rejected', got 'yes'"),
        (lambda t: t["decisions"][0].update(nte=""), r"decisions\.0\.nte: Unexpected"),
        (lambda t: t["decisions"][0].update(at="2026-11-25T06:00:00"), "at: .*timezone"),
        (lambda t: t["decisions"][0]["evidence"].update(relevance=1.1), "relevance: .*got 1.1"),
        (lambda t: t["decisions"][0]["evidence"].update(z=float("nan")), "z: .*finite"),
        (lambda t: t["documents"].update(numbers=[-1]), r"documents\.numbers\.0: .*got -1"),
        (
            lambda t: t["decisions"].append(t["decisions"][0]),
            "one decision about 'matching_token' in layer 0, head 1, got 2",
        ),
    ],
)
def test_what_is_wrong_in_a_file_is_named(edit, change, message):
    path = edit(change)
    with pytest.raises(DataError, match=message) as caught:
        read_decisions(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b"\xff", b"3", b"[" * 100_000])
def test_file_that_is_no_decisions_file_is_refused(tmp_path, content):
    path = tmp_path / "decisions.json"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"decisions file .*decisions\.json|json: expected a dec"):
        read_decisions(path)


def test_missing_file_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"expected a decisions file at .*No such file"):
        read_decisions(tmp_path / "gone.json")


def test_time_of_a_decision_has_a_zone_and_whole_seconds():
    assert (now().tzinfo, now().microsecond) == (dt.UTC, 0)
