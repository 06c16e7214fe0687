"""Facts about `patsum explore` before its page opens: what it refuses, and what it keeps."""

import json
import shutil

import numpy as np
import pytest
from click.testing import CliRunner

from service.errors import CheckpointError, DataError
from training.fit.batches import make_batch
from training.mining.decisions import Verdict
from training.mining.explorer.command import explore
from training.mining.explorer.exhibit import fitted_stages, open_exhibit
from training.mining.explorer.server import listen
from training.mining.importance import measure_importance
from training.mining.predicates import parse


def refuse(*arguments):
    """The error that the command ends with."""
    error = CliRunner().invoke(explore, list(map(str, arguments))).exception
    assert error is not None
    return error


def decide(explorer):
    """Measure a predicate, and write a decision about it."""
    explorer._table.measure([parse("previous")], lambda numbers, _: iter(numbers))
    explorer.decide(0, 0, "previous", Verdict.ACCEPTED, "")


def test_folder_that_is_no_run_is_refused(tmp_path):
    error = refuse(tmp_path / "absent")
    assert isinstance(error, DataError)
    assert "expected the folder of a run, with recipe.toml in it" in str(error)


def test_run_without_a_fitted_model_is_refused(run_copy):
    shutil.rmtree(run_copy / "student")
    error = refuse(run_copy, "--model", "student")
    assert isinstance(error, CheckpointError)
    assert "not begun; run `patsum distill" in str(error)


def test_run_without_examples_is_refused(run_copy):
    shutil.rmtree(run_copy / "data")
    error = refuse(run_copy)
    assert isinstance(error, DataError)
    assert "patsum prepare" in str(error)


def test_decisions_about_another_model_are_refused(run_copy, make_explorer):
    explorer = make_explorer()
    decide(explorer)
    path = run_copy / "decisions.json"
    error = refuse(run_copy, "--model", "student", "--decisions", path)
    assert isinstance(error, CheckpointError)
    assert "name another file with --decisions" in str(error)


def test_decisions_over_other_documents_are_refused(run_copy, make_explorer):
    explorer = make_explorer()
    decide(explorer)
    path = run_copy / "decisions.json"
    table = json.loads(path.read_text(encoding="utf-8"))
    table["documents"]["source"] = "other.jsonl"
    path.write_text(json.dumps(table), encoding="utf-8")
    error = refuse(run_copy)
    assert isinstance(error, DataError)
    assert "other.jsonl" in str(error)


def test_models_that_are_fitted_are_opened(run_copy):
    assert fitted_stages(run_copy) == ("teacher", "student")
    shutil.rmtree(run_copy / "student")
    assert fitted_stages(run_copy) == ("teacher",)
    shutil.rmtree(run_copy / "teacher")
    assert "run `patsum teacher" in str(refuse(run_copy))


def test_documents_shown_are_never_those_held(tiny_run):
    exhibit = open_exhibit(tiny_run, n_shown=100, n_held=100)
    assert set(exhibit.shown).isdisjoint(exhibit.held)
    assert [*exhibit.shown, *exhibit.held] == list(range(6))
    assert len(exhibit.held) == 2


def test_overview_is_read_back_and_that_of_another_model_is_not(make_explorer, run_copy):
    first = make_explorer()
    path = run_copy / "teacher" / "explorer" / "overview.json"
    kept = path.read_text(encoding="utf-8")
    assert make_explorer().describe() == first.describe()
    assert path.read_text(encoding="utf-8") == kept
    path.write_text(kept.replace(first._model_sha256, "0" * 64), encoding="utf-8")
    make_explorer()
    assert path.read_text(encoding="utf-8") == kept


def test_overview_goes_on_where_a_start_was_stopped(make_explorer, run_copy):
    whole = make_explorer().describe()
    path = run_copy / "teacher" / "explorer" / "overview.json"
    table = json.loads(path.read_text(encoding="utf-8"))
    assert [row["number"] for row in table["documents"]] == [0, 1, 2, 3, 4, 5]
    path.write_text(json.dumps({**table, "documents": table["documents"][:3]}), encoding="utf-8")
    assert make_explorer().describe() == whole
    again = json.loads(path.read_text(encoding="utf-8"))
    assert len(again["documents"]) == 6


def test_importance_goes_on_where_a_start_was_stopped(make_explorer, run_copy):
    whole = make_explorer().describe()["importance"]
    path = run_copy / "teacher" / "explorer" / "importance.jsonl"
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    assert [json.loads(line).get("number") for line in lines] == [None, 0, 1, 2, 3]
    path.write_text("".join(lines[:3]), encoding="utf-8")
    assert make_explorer().describe()["importance"] == whole
    assert path.read_text(encoding="utf-8") == "".join(lines)


def test_importance_is_that_of_the_mining_command(make_explorer):
    explorer = make_explorer()
    model = explorer.exhibit.model.requires_grad_(True)
    measured = [
        measure_importance(model, make_batch(explorer.exhibit.store, np.array([number])))
        for number in explorer.exhibit.shown
    ]
    for name in ("taylor", "michel"):
        expected = np.mean([getattr(one, name) for one in measured], axis=0)
        found = explorer.describe()["importance"][name]["mean"]
        np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_taken_port_is_refused():
    with listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(DataError, match="choose another with --port"):
            listen("127.0.0.1", port)


def test_help_teaches():
    text = " ".join(CliRunner().invoke(explore, ["--help"]).output.split())
    assert "Example: patsum explore runs/news" in text
    assert "same_token and not cls" in text
