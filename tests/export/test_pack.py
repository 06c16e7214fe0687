"""Packing writes a bundle that the service reads, and takes only its own measurements."""

import json

import numpy as np
import onnx
import pytest

from export.explain_on_demand import explain_on_demand
from export.pack import pack_bundle, record_results
from export.same_answers import refuse_other_answers
from service import Summarizer
from service.errors import DataError, ExportError
from tests.tiny_bundle import PLACEMENT
from training.model.patterns import Pattern


@pytest.fixture
def bundle(small_student, graphs, encoder_files, tmp_path):
    return pack(tmp_path / "bundle", small_student, graphs, encoder_files)


def pack(path, small_student, graphs, encoder_files):
    pattern = small_student.config.plan[PLACEMENT["layer"]][PLACEMENT["head"]]
    return pack_bundle(
        path,
        name="patsum-small",
        model=small_student,
        model_path=graphs["int8"],
        weights="int8",
        encoder_files=encoder_files,
        training={"recipe": "small", "student": {"rouge1": 1.0}},
        reasons={
            "plan_reason": "A person looked.",
            "placements": [{**PLACEMENT, "pattern": pattern, "note": "a | b"}],
        },
    )


def rouge_report(bundle, rouge1=40.0):
    """What `patsum evaluate --json` writes, in short."""
    scores = {"rouge1": rouge1, "rouge2": 17.0, "rougeL": 36.0}
    scores["interval"] = {name: [value - 1, value + 1] for name, value in list(scores.items())}
    return {
        "data": "val.jsonl",
        "n": 10,
        "command": "patsum evaluate --data val.jsonl",
        "model": bundle.version,
        **scores,
        "lead3": scores,
        "oracle": scores,
        "difference": {name: [1.5, 1.0, 2.0] for name in ("rouge1", "rouge2", "rougeL")},
    }


def faithfulness_report(bundle):
    return {
        "model": bundle.version,
        "comprehensiveness": 0.1,
        "sufficiency": 0.05,
        "leaveOneOutKendallTau": 0.2,
        "n": 8,
        "random": {"comprehensiveness": [0.0, 0.0, 0.0]},
    }


def test_a_packed_bundle_summarizes(bundle, small_student):
    summary = Summarizer(bundle.path).summarize("A storm came. The ferry left. All was well.")
    assert summary.sentences
    assert bundle.manifest.model.patterns == small_student.config.plan
    assert frozenset(map(Pattern, bundle.manifest.model.fixed)) == small_student.config.fixed


def test_packing_again_replaces_the_bundle(bundle, small_student, graphs, encoder_files):
    (bundle.path / "left-over.txt").write_text("old")
    again = pack(bundle.path, small_student, graphs, encoder_files)
    assert again.version == bundle.version
    assert not (bundle.path / "left-over.txt").exists()
    assert sorted(path.name for path in bundle.path.parent.iterdir()) == ["bundle"]


def test_a_folder_of_something_else_is_refused_and_keeps_everything(
    tmp_path, small_student, graphs, encoder_files
):
    (tmp_path / "run").mkdir()
    (tmp_path / "run/recipe.toml").write_text("name = 'x'")
    with pytest.raises(DataError, match="would be lost"):
        pack(tmp_path / "run", small_student, graphs, encoder_files)
    assert (tmp_path / "run/recipe.toml").read_text() == "name = 'x'"


def test_recorded_results_stand_in_manifest_and_card_under_the_same_version(bundle):
    again = record_results(bundle.path, [rouge_report(bundle), faithfulness_report(bundle)])
    assert again.version == bundle.version
    assert again.manifest.quality[0].n == 10
    assert again.manifest.faithfulness is not None
    assert again.manifest.faithfulness.leave_one_out_kendall_tau == 0.2
    card = (bundle.path / "README.md").read_text()
    assert "40.00 [39.00, 41.00]" in card
    assert "+1.50 [+1.00, +2.00]" in card
    assert "patsum evaluate --data val.jsonl" in card
    assert "| 0 | matching |" in card


def test_card_says_why_the_heads_carry_what_they_carry(bundle):
    card = (bundle.path / "README.md").read_text()
    assert "Why so: A person looked." in card
    assert "| 0.1 | intra_sentence | 3.8 | 0.500 [0.250, 0.750] | 7.0 | 60 | a / b |" in card
    assert bundle.manifest.model.placements[0].evidence.z == 2.5


def test_card_shows_always_three_beside_the_default_where_it_was_measured(bundle):
    report = rouge_report(bundle)
    record_results(bundle.path, [report | {"top3": rouge_report(bundle, rouge1=39.5)}])
    card = (bundle.path / "README.md").read_text()
    assert "| this model, always three sentences | 39.50 [38.50, 40.50]" in card


def test_faithfulness_alone_keeps_the_quality(bundle):
    record_results(bundle.path, [rouge_report(bundle)])
    again = record_results(bundle.path, [faithfulness_report(bundle)])
    assert again.manifest.quality[0].n == 10
    assert again.manifest.faithfulness is not None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model": "patsum-other@sha256:000000000000"}, "measure this bundle again"),
        ({"rouge1": None, "model": None}, "one on None"),
    ],
)
def test_a_report_of_another_bundle_is_refused_and_changes_nothing(bundle, change, message):
    before = (bundle.path / "manifest.json").read_bytes()
    with pytest.raises(DataError, match=message):
        record_results(bundle.path, [{**rouge_report(bundle), **change}])
    assert (bundle.path / "manifest.json").read_bytes() == before


def test_something_else_than_a_report_is_refused(bundle):
    with pytest.raises(DataError, match="expected reports"):
        record_results(bundle.path, [{"hello": 1}])


def test_the_record_command_names_a_file_that_is_no_report(bundle, tmp_path):
    from click.testing import CliRunner

    from export.cli import record

    (tmp_path / "number.json").write_text("7")
    (tmp_path / "good.json").write_text(json.dumps(rouge_report(bundle)))
    result = CliRunner().invoke(record, [str(bundle.path), str(tmp_path / "number.json")])
    assert isinstance(result.exception, DataError)
    assert "number.json" in str(result.exception)
    result = CliRunner().invoke(record, [str(bundle.path), str(tmp_path / "good.json")])
    assert result.exit_code == 0, result.output


def test_a_graph_that_answers_otherwise_once_packed_is_refused(small_student, graphs):
    """One weight moved stands for a mistake of ours."""
    before, after = (onnx.load(graphs["float"]) for _ in range(2))
    explain_on_demand(after)
    vocabulary = small_student.config.vocabulary
    refuse_other_answers(before, after, vocabulary)
    weight = next(item for item in after.graph.initializer if item.name.endswith("score.bias"))
    moved = onnx.numpy_helper.to_array(weight) + np.float32(1.0)
    weight.CopyFrom(onnx.numpy_helper.from_array(moved, weight.name))
    with pytest.raises(ExportError, match="expected the same scores of 1 sentences once"):
        refuse_other_answers(before, after, vocabulary)
