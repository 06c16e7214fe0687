"""The runner: every variant with every seed, resumable, and no old figure under a new name."""

import json

import pytest
from click.testing import CliRunner

from service.errors import CheckpointError, DataError
from tests.tiny_model import UNEVEN, tiny_model
from tests.tiny_run import DATA, tiny_run
from training.ablation.command import ablate
from training.ablation.measure import measure_model
from training.ablation.recipe import read_ablation
from training.ablation.runner import AblationRunner
from training.fit.checkpoint import load_model
from training.mining.decisions import (
    Decision,
    Decisions,
    JudgedDocuments,
    JudgedModel,
    Verdict,
    now,
    write_decisions,
)
from training.model.patterns import Pattern

BASE = f"""
name = "tiny"
{DATA}
[student]
layers = [0, 1]
teacher_documents = 4
[student.fit]
documents = 12
batch_tokens = 400
validate_every = 12
teacher_weight = 0.5
[injection]
width = 16
[injection.fit]
documents = 12
batch_tokens = 400
validate_every = 12
"""
STUDENTS = """
name = "students"
base = "base.toml"
reference = "free"
seeds = [1, 2]
[variants.free]
plan = [["free", "free", "free", "free"]]
[variants.placed]
decisions = "decisions.json"
undecided = "free"
"""
INJECTIONS = """
name = "injections"
base = "base.toml"
section = "injection"
reference = "further"
seeds = [1]
[variants.further]
heads = []
[variants.patterns]
"""


@pytest.fixture(scope="module")
def run(tiny_examples, tmp_path_factory):
    teacher = tiny_model(plan=((None,) * 4,) * 2)
    run = tiny_run(tmp_path_factory.mktemp("ablated") / "run", tiny_examples, teacher)
    decided = Decisions(JudgedModel.describe(teacher), JudgedDocuments("grammar 2"))
    found = Decision(1, 2, "intra_sentence", Verdict.ACCEPTED, "Ada", now())
    write_decisions(decided.with_decision(found), run.path / "decisions.json")
    return run


@pytest.fixture(scope="module")
def recipe(run):
    """Write an ablation recipe beside its base."""

    def recipe(text):
        folder = run.path.parent
        (folder / "base.toml").write_text(BASE, encoding="utf-8")
        (folder / "ablation.toml").write_text(text, encoding="utf-8")
        return folder / "ablation.toml"

    return recipe


@pytest.fixture(scope="module")
def ablated(run, recipe):
    """Folder and output of the finished ablation of students."""
    call = CliRunner().invoke(
        ablate, [str(recipe(STUDENTS)), "--run", str(run.path)], catch_exceptions=False
    )
    return run.path / "ablations" / "students", call.output


def test_every_variant_is_fitted_with_every_seed(ablated):
    folder, output = ablated
    assert "placed, seed 2 (4 of 4)" in output
    for name in ("free", "placed"):
        for seed in (1, 2):
            cell = folder / name / f"seed-{seed}"
            assert {path.name for path in cell.iterdir()} == {
                "settings.json",
                "student",
                "measured.json",
            }
            settings = json.loads((cell / "settings.json").read_text(encoding="utf-8"))
            assert settings["student"]["fit"]["seed"] == seed
            left = {path.name for path in (cell / "student").iterdir()}
            assert left == {"model.safetensors", "result.json", "log.jsonl"}


@pytest.mark.parametrize(
    ("decided", "message"),
    [
        (None, "expected a decisions file"),
        (JudgedModel("0" * 64, 2, 4), "got decisions about"),
    ],
)
def test_decisions_that_a_variant_cannot_follow_are_refused_before_the_first_fit(
    run, recipe, decided, message
):
    if decided:
        write_decisions(Decisions(decided, JudgedDocuments("others")), run.path / "others.json")
    text = STUDENTS.replace("students", "refused").replace("decisions.json", "others.json")
    call = CliRunner().invoke(ablate, [str(recipe(text)), "--run", str(run.path)])
    assert isinstance(call.exception, CheckpointError | DataError)
    assert message in str(call.exception)
    assert not (run.path / "ablations/refused").exists()


def test_variants_may_follow_decisions_about_a_teacher_with_layers_of_different_widths(
    tiny_examples, recipe, tmp_path
):
    teacher = tiny_model(**UNEVEN)
    run = tiny_run(tmp_path / "run", tiny_examples, teacher)
    decided = Decisions(JudgedModel.describe(teacher), JudgedDocuments("grammar 2"))
    found = Decision(1, 3, "intra_sentence", Verdict.ACCEPTED, "Ada", now())
    write_decisions(decided.with_decision(found), run.path / "decisions.json")
    AblationRunner(run, read_ablation(recipe(STUDENTS)))
    further = STUDENTS + "layers = [1, 2]\n"
    with pytest.raises(CheckpointError, match=r"a teacher with 2 \(0 to 1\), got \[1, 2\]"):
        AblationRunner(run, read_ablation(recipe(further)))


def test_variant_with_decisions_carries_them(ablated):
    plan = load_model(ablated[0] / "placed/seed-1/student/model.safetensors").config.plan
    assert plan == ((None,) * 4, (None, None, Pattern.INTRA_SENTENCE, None))


def test_results_are_those_of_the_fitted_models(ablated, tiny_examples):
    folder, output = ablated
    results = json.loads((folder / "results.json").read_text(encoding="utf-8"))
    assert [row["name"] for row in results["rows"]] == ["Lead-3", "teacher", "free", "placed"]
    assert results["n"] == len(tiny_examples[1])
    by_seed = [
        measure_model(
            load_model(folder / f"placed/seed-{seed}/student/model.safetensors"),
            tiny_examples[1],
            400,
        ).blocked[:, 0]
        for seed in (1, 2)
    ]
    row = results["rows"][3]
    assert row["rouge1_by_seed"] == pytest.approx([one.mean() for one in by_seed])
    assert row["rouge1_by_document"] == pytest.approx(sum(by_seed) / 2, abs=1e-3)
    assert (folder / "results.svg").read_text(encoding="utf-8").startswith("<svg")
    assert "\nplaced " in output


def test_finished_ablation_fits_nothing_again(run, recipe, ablated, capsys):
    before = {path: path.stat().st_mtime_ns for path in ablated[0].rglob("model.safetensors")}
    results = AblationRunner(run, read_ablation(recipe(STUDENTS))).run()
    after = {path: path.stat().st_mtime_ns for path in ablated[0].rglob("model.safetensors")}
    assert before == after
    assert len(results.rows[2].by_seed) == 2


def test_missing_cell_alone_is_fitted_again(run, recipe, ablated):
    folder = ablated[0]
    kept = (folder / "results.json").read_text(encoding="utf-8")
    (folder / "free/seed-2/measured.json").unlink()
    said = []
    AblationRunner(run, read_ablation(recipe(STUDENTS)), say=said.append).run()
    again = json.loads((folder / "results.json").read_text(encoding="utf-8"))
    assert again["rows"] == json.loads(kept)["rows"]
    assert len(said) == 4


def test_variant_that_was_changed_is_refused(run, recipe, ablated):
    changed = recipe(STUDENTS.replace('undecided = "free"', 'undecided = "intra_sentence"'))
    with pytest.raises(CheckpointError, match=r"placed/seed-1 was begun with other .*in student;"):
        AblationRunner(run, read_ablation(changed)).run()


def test_injections_are_compared_likewise(run, recipe):
    results = AblationRunner(run, read_ablation(recipe(INJECTIONS))).run()
    assert [row.name for row in results.rows] == ["Lead-3", "teacher", "further", "patterns"]
    cell = run.path / "ablations" / "injections" / "patterns" / "seed-1"
    assert load_model(cell / "injected/model.safetensors").config.pal.width == 16
    further = cell.parents[1] / "further/seed-1/injected/model.safetensors"
    assert load_model(further).config.pal is None
