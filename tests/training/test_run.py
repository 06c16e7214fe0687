"""The run folder: its recipe stays what its stages began with."""

import pytest

from service.errors import CheckpointError, DataError, RecipeError
from training.mining.decisions import Decisions, JudgedDocuments, JudgedModel, write_decisions
from training.recipe import StudentRecipe
from training.run import Run

RECIPE = '# mine\nname = "x"\n[data]\nmax_train = 9\n[student.fit]\nseed = 3\n'


@pytest.fixture
def run(tmp_path):
    return Run(tmp_path / "runs" / "one")


@pytest.fixture
def adopt(run, tmp_path):
    """Give the run a recipe by its text."""

    def adopt(text):
        path = tmp_path / "given.toml"
        path.write_text(text, encoding="utf-8")
        return run.adopt_recipe(path)

    return adopt


def begin(stage):
    stage.path.mkdir(parents=True, exist_ok=True)
    (stage.path / "state.pt").touch()


def test_recipe_is_copied_as_it_is(run, adopt):
    assert adopt(RECIPE).data.max_train == 9
    assert run.recipe_path.read_text(encoding="utf-8") == RECIPE


def test_copy_of_the_recipe_can_be_given_itself(run, adopt):
    recipe = adopt(RECIPE)
    assert run.adopt_recipe(run.recipe_path) == recipe
    assert run.recipe_path.read_text(encoding="utf-8") == RECIPE


def test_recipe_may_change_before_a_stage_has_begun(run, adopt):
    adopt(RECIPE)
    assert adopt(RECIPE.replace("9", "8")).data.max_train == 8
    begin(run.teacher)
    assert adopt(RECIPE.replace("9", "8").replace("3", "4")).student.fit.seed == 4


@pytest.mark.parametrize(
    ("begun", "old", "new", "message"),
    [
        ("teacher", "9", "8", r"\[data\] differs .*teacher was begun with, in max_train"),
        ("student", "9", "8", r"\[data\] differs .*student was begun with, in max_train"),
        ("student", "seed = 3", "seed = 4", r"\[student\] differs .*, in fit;"),
        ("injected", "[student.fit]", "[injection.fit]", r"\[injection\] differs .*, in fit;"),
        ("teacher", "[student.fit]", "[teacher.fit]", r"\[teacher\] differs .*, in fit;"),
    ],
)
def test_recipe_that_differs_where_a_stage_has_begun_is_refused(
    run, adopt, begun, old, new, message
):
    adopt(RECIPE)
    begin(getattr(run, begun))
    with pytest.raises(RecipeError, match=message):
        adopt(RECIPE.replace(old, new))
    assert run.recipe_path.read_text(encoding="utf-8") == RECIPE


def test_stage_has_begun_from_its_first_file(run, adopt):
    adopt(RECIPE)
    run.student.path.mkdir()
    assert not run.student.is_begun
    (run.student.path / "teacher_scores.npz").touch()
    assert run.student.is_begun


def test_result_marks_the_end_of_a_stage(run):
    begin(run.teacher)
    assert (run.teacher.is_begun, run.teacher.is_finished) == (True, False)
    run.teacher.write_result({"rouge1": 40.0})
    assert run.teacher.is_finished
    assert run.teacher.read_result() == {"rouge1": 40.0}


def test_stage_that_is_missing_says_what_to_run(run):
    with pytest.raises(CheckpointError, match=r"not begun; run `patsum distill RECIPE --run "):
        run.student.read_result()
    begin(run.student)
    with pytest.raises(CheckpointError, match="not finished; run `patsum distill"):
        run.student.read_result()


def test_missing_examples_say_what_to_run(run, adopt):
    recipe = adopt(RECIPE)
    with pytest.raises(DataError, match=r"data/train; run `patsum prepare RECIPE --run "):
        run.open_examples(recipe.data)


@pytest.mark.parametrize(
    "section",
    [
        '[student]\nlayers = [0]\nplan = [["nxt_token"]]',
        '[student]\nundecided = "nxt_token"',
        '[injection]\nheads = ["nxt_token"]',
    ],
)
def test_a_pattern_with_a_typo_is_refused_before_anything_is_fitted(adopt, section):
    with pytest.raises(RecipeError, match=r"\.toml: \w+: expected one of .*, got 'nxt_token'"):
        adopt(f'name = "x"\n{section}\n')


DECIDING = 'name = "x"\n[student]\ndecisions = "ours.json"\n'
DECISIONS = Decisions(JudgedModel("0" * 64, 2, 4), JudgedDocuments("grammar 2"))


def test_decisions_beside_a_recipe_come_with_it(run, adopt, tmp_path):
    write_decisions(DECISIONS, tmp_path / "ours.json")
    recipe = adopt(DECIDING)
    assert run.open_decisions(recipe.student) == DECISIONS
    assert run.adopt_recipe(run.recipe_path) == recipe


def test_decisions_may_come_after_the_recipe(run, adopt):
    recipe = adopt(DECIDING)
    with pytest.raises(DataError, match=r"expected a decisions file at .*ours\.json"):
        run.open_decisions(recipe.student)
    write_decisions(DECISIONS, run.path / "ours.json")
    assert run.open_decisions(adopt(DECIDING).student) == DECISIONS


def test_run_with_other_decisions_than_the_recipe_brings_is_refused(run, adopt, tmp_path):
    write_decisions(DECISIONS, tmp_path / "ours.json")
    write_decisions(DECISIONS.with_documents((1,)), run.path / "ours.json")
    with pytest.raises(RecipeError, match="got two that differ"):
        adopt(DECIDING)
    assert run.open_decisions(StudentRecipe(decisions="ours.json")).documents.numbers == (1,)


def test_student_with_a_plan_follows_no_decisions(run):
    assert run.open_decisions(StudentRecipe()) is None
