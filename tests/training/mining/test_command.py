"""The commands on a real little run folder: reports, files, and what they refuse."""

import json
import shutil
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from click.testing import CliRunner

from service.errors import CheckpointError, DataError, PredicateError
from tests.tiny_model import UNEVEN, tiny_model
from training.fit.checkpoint import save_model
from training.mining.command import importance, relevance
from training.mining.subject import Source, open_subject


@pytest.fixture(scope="module")
def run(tiny_examples, tmp_path_factory):
    """A run folder with a fitted teacher; do not write into it."""
    folder = tmp_path_factory.mktemp("run")
    shutil.copytree(tiny_examples[0].path.parent, folder, dirs_exist_ok=True)
    (folder / "data").mkdir()
    for name in ("train", "validation"):
        (folder / name).rename(folder / "data" / name)
    (folder / "recipe.toml").write_text(
        'name = "tiny"\n[data]\nmax_tokens = 96\nmax_sentence_tokens = 32\n'
    )
    (folder / "teacher").mkdir()
    save_model(tiny_model(), folder / "teacher" / "model.safetensors")
    (folder / "teacher" / "result.json").write_text("{}")
    return folder


def call(command, *arguments):
    """Run a command; errors come through as they are."""
    result = CliRunner().invoke(command, [str(one) for one in arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def call_for_error(command, *arguments):
    return CliRunner().invoke(command, [str(one) for one in arguments]).exception


QUICK = ("--documents", 3, "--resamples", 100)


def test_importance_writes_what_it_prints(run, tmp_path):
    output = call(importance, run, *QUICK, "--out", tmp_path)
    report = json.loads((tmp_path / "importance-teacher.json").read_text())
    assert report["n"] == len(report["documents"]) == 3
    assert np.array(report["scores"]["taylor"]["mean"]).shape == (2, 4)
    assert f"Kendall tau {report['rankAgreement']:.2f}" in output
    ET.parse(tmp_path / "importance-teacher.svg")
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".json", ".svg"]


def test_relevance_finds_the_pattern_that_a_head_was_made_with(run, tmp_path):
    output = call(relevance, run, *QUICK, "--out", tmp_path, "--predicate", "offset(4)")
    report = json.loads((tmp_path / "relevance-teacher.json").read_text())
    by_text = {one["predicate"]: one for one in report["predicates"]}
    assert by_text["previous"]["carriers"] == [[0, 2]]
    assert by_text["previous"]["gr"]["mean"][0][2] == pytest.approx(1.0)
    assert "offset(4)" in by_text
    assert "  0.2   previous 1.00" in output
    assert report["residual"]["share"]["mean"][0][2] < 0.02  # all but the first token's own
    ET.parse(tmp_path / "relevance-teacher.svg")


def test_relevance_tells_how_many_heads_z_alone_keeps_out(run, tmp_path):
    options = [*QUICK, "--no-library", "--predicate", "same_sentence", "--out", tmp_path]
    output = call(relevance, run, *options, "--min-z", "9", "--min-gr", "0.01", "--min-lift", "0.5")
    report = json.loads((tmp_path / "relevance-teacher.json").read_text())
    (found,) = (one for one in report["predicates"] if one["predicate"] == "same_sentence")
    n = len(found["shortOfZ"])
    assert n > 1
    told = " ".join(output.split())
    assert (
        f"but for many like them not z 9 (a lower --min-z counts them): same_sentence {n}" in told
    )


def read_strictly(path):
    """Read JSON that has no NaN, which not every reader takes."""
    return json.loads(path.read_text(encoding="utf-8"), parse_constant=pytest.fail)


def test_model_with_layers_of_different_widths_is_reported_head_by_head(run, tmp_path):
    save_model(tiny_model(**UNEVEN), tmp_path / "uneven.safetensors")
    arguments = (run, "--checkpoint", tmp_path / "uneven.safetensors", *QUICK, "--out", tmp_path)
    absent = [[False, False, True, True], [False] * 4]
    call(importance, *arguments)
    report = read_strictly(tmp_path / "importance-uneven.json")
    for score in report["scores"].values():
        assert [[value is None for value in row] for row in score["mean"]] == absent
    output = call(relevance, *arguments)
    report = read_strictly(tmp_path / "relevance-uneven.json")
    by_text = {one["predicate"]: one for one in report["predicates"]}
    assert by_text["next"]["gr"]["mean"][0] == [0.0, pytest.approx(1.0), None, None]
    for rows in (by_text["next"]["z"], by_text["next"]["lift"], report["residual"]["share"]["low"]):
        assert [[value is None for value in row] for row in rows] == absent
    assert "  0.1   next 1.00" in output
    assert "nan" not in output + (tmp_path / "relevance-uneven.svg").read_text(encoding="utf-8")


def test_checkpoint_examples_and_tokenizer_do_without_a_run(run, tmp_path):
    parts = (
        *("--checkpoint", run / "teacher" / "model.safetensors"),
        *("--examples", run / "data" / "validation"),
    )
    call(relevance, *parts, "--tokenizer", run / "tokenizer.json", *QUICK, "--out", tmp_path)
    alone = json.loads((tmp_path / "relevance-model.json").read_text())
    call(relevance, run, *QUICK, "--out", tmp_path)
    of_run = json.loads((tmp_path / "relevance-teacher.json").read_text())
    assert alone["predicates"] == of_run["predicates"]
    assert alone["model"]["sha256"] == of_run["model"]["sha256"]


def test_report_goes_into_the_run_folder_by_itself(run):
    call(importance, run, *QUICK)
    assert (run / "mining" / "importance-teacher.json").exists()


def test_more_documents_begin_with_those_of_fewer(run):
    few, more = (open_subject(Source(run), n, seed=3).numbers.tolist() for n in (2, 5))
    assert more[:2] == few
    assert sorted(open_subject(Source(run), 100, seed=3).numbers) == list(range(6))


def test_interrupt_keeps_what_is_measured(run):
    subject = open_subject(Source(run), 6, seed=0)
    seen = []

    def measure(batch):
        if len(seen) == 2:
            raise KeyboardInterrupt
        seen.append(int(batch.numbers[0]))
        return seen[-1]

    assert subject.measure(measure, "test") == subject.numbers[:2].tolist()
    assert subject.identify(2)["n"] == 2
    with pytest.raises(KeyboardInterrupt):
        subject.measure(measure, "nothing yet")


def test_unfitted_model_is_refused(run):
    error = call_for_error(importance, run, "--model", "student")
    assert isinstance(error, CheckpointError)
    assert "patsum distill" in str(error)


def test_other_file_than_a_checkpoint_is_refused(run):
    error = call_for_error(importance, run, "--checkpoint", run / "recipe.toml")
    assert isinstance(error, CheckpointError)
    assert "expected a model of patsum" in str(error)


def test_model_of_a_smaller_vocabulary_is_refused(run, tmp_path):
    save_model(tiny_model(vocabulary=20), tmp_path / "small.safetensors")
    error = call_for_error(importance, run, "--checkpoint", tmp_path / "small.safetensors")
    assert isinstance(error, CheckpointError)
    assert "knows 20 tokens" in str(error)


def test_tokenizer_of_another_model_is_refused(run, tmp_path):
    save_model(tiny_model(vocabulary=400), tmp_path / "large.safetensors")
    error = call_for_error(relevance, run, "--checkpoint", tmp_path / "large.safetensors")
    assert isinstance(error, CheckpointError)
    assert "expected the tokenizer of the model, with 400 tokens" in str(error)


def test_empty_and_missing_examples_are_refused(run, tmp_path):
    shutil.copytree(run / "data" / "validation", tmp_path / "empty")
    np.save(tmp_path / "empty" / "offsets.npy", np.zeros((1, 3), dtype=np.int64))
    for folder, expected in (("empty", "at least 2 documents"), ("missing", "patsum prepare")):
        error = call_for_error(importance, run, "--examples", tmp_path / folder)
        assert isinstance(error, DataError)
        assert expected in str(error)


def test_predicate_with_a_syntax_error_is_refused_before_anything_is_loaded(tmp_path):
    error = call_for_error(relevance, tmp_path / "nowhere", "--predicate", "cls or")
    assert isinstance(error, PredicateError)
    assert "column 7" in str(error)


def test_neither_run_nor_out_is_refused(run):
    checkpoint = run / "teacher" / "model.safetensors"
    result = CliRunner().invoke(importance, ["--checkpoint", str(checkpoint)])
    assert result.exit_code == 2
    assert "give a RUN folder, or --out FOLDER" in result.output


def test_help_lists_the_predicates_line_by_line_and_gives_an_example():
    output = call(relevance, "--help")
    assert (
        "  joined by and, or, not and brackets, as in\n    same_token and not (cls or sep)\n"
        in output
    )
    assert "Example: patsum relevance runs/news" in output
