"""The student that a recipe asks for."""

import pytest

from service.errors import CheckpointError, RecipeError
from tests.tiny_model import UNEVEN, tiny_model
from training.mining.decisions import (
    Decision,
    Decisions,
    JudgedDocuments,
    JudgedModel,
    Verdict,
    now,
)
from training.model.config import Positions
from training.model.controls import Control
from training.model.patterns import Pattern, Unmatched
from training.plan import describe_placement, place_patterns, read_plan
from training.recipe import StudentRecipe
from training.student import make_student

ROW = ("matching_token", "intra_sentence", "next_token", "free")
PATTERNS = (Pattern.MATCHING_TOKEN, Pattern.INTRA_SENTENCE, Pattern.NEXT_TOKEN, None)


def test_one_row_of_a_plan_stands_for_every_layer():
    assert read_plan(StudentRecipe(layers=(0, 2, 5), plan=(ROW,))) == (PATTERNS,) * 3


def test_rows_of_a_plan_follow_the_layers():
    free = ("free",) * 4
    assert read_plan(StudentRecipe(layers=(0, 1), plan=(free, ROW))) == ((None,) * 4, PATTERNS)


@pytest.mark.parametrize("n_rows", [0, 2, 4])
def test_plan_of_another_length_is_refused(n_rows):
    with pytest.raises(RecipeError, match=rf"expected 1 row or 3 .*, got {n_rows}"):
        read_plan(StudentRecipe(layers=(0, 2, 5), plan=(ROW,) * n_rows))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"plan": (("matching", "free", "free", "free"),)}, "plan: .*, got 'matching'"),
        ({"positions": "page"}, "positions: expected one of 'document', 'sentence', got 'page'"),
        ({"unmatched": "none"}, "unmatched: expected one of 'self', 'all', got 'none'"),
        ({"fixed": ("lead",)}, "fixed: .*, got 'lead'"),
        ({"control": "lead"}, "control: expected one of 'random', 'without_cls', got 'lead'"),
    ],
)
def test_unknown_name_is_refused(changes, message):
    recipe = StudentRecipe(**{"layers": (0, 1), "plan": (ROW,), **changes})
    with pytest.raises(RecipeError, match=message):
        make_student(recipe, tiny_model())


def test_layer_that_the_teacher_has_not_is_refused():
    with pytest.raises(CheckpointError, match=r"got \[0, 2\]"):
        make_student(StudentRecipe(layers=(0, 2), plan=(ROW,)), tiny_model())


def test_student_is_as_the_recipe_says_and_its_embeddings_are_frozen():
    recipe = StudentRecipe(
        layers=(1,),
        plan=(ROW,),
        positions="document",
        unmatched="all",
        fixed=("next_token",),
        control="random",
    )
    student = make_student(recipe, tiny_model())
    config = student.config
    assert (config.positions, config.unmatched) == (Positions.DOCUMENT, Unmatched.ALL)
    assert config.control is Control.RANDOM
    assert (config.plan, config.fixed) == ((PATTERNS,), frozenset({Pattern.NEXT_TOKEN}))
    frozen = {name for name, p in student.named_parameters() if not p.requires_grad}
    assert frozen == {
        f"encoder.embeddings.{name}" for name, _ in student.encoder.embeddings.named_parameters()
    }


MATCHING, INTRA, PREVIOUS, NEXT = Pattern
ACCEPTED = {(0, 1): MATCHING, (1, 3): NEXT, (2, 0): PREVIOUS}


def place(accepted=ACCEPTED, **recipe):
    return place_patterns(StudentRecipe(**{"decisions": "x.json", **recipe}), accepted, (4,) * 4)


def test_patterns_sit_in_the_layers_and_heads_that_stand_for_the_teachers():
    assert place(layers=(2, 0)) == (
        (PREVIOUS, INTRA, INTRA, INTRA),
        (INTRA, MATCHING, INTRA, INTRA),
    )


def test_patterns_follow_the_heads_that_a_student_starts_from():
    assert place(layers=(0, 1), heads=((1, 3),)) == ((MATCHING, INTRA), (INTRA, NEXT))
    assert place(layers=(0, 1), heads=((3, 1), (3, 0))) == ((INTRA, MATCHING), (NEXT, INTRA))


def test_other_heads_carry_what_the_recipe_says():
    free = (None,) * 3
    assert place(layers=(2,), undecided="free") == ((PREVIOUS, *free),)


def test_student_without_one_accepted_pattern_is_refused():
    with pytest.raises(RecipeError, match=r"layers \[3\] of the teacher\), got 3 elsewhere"):
        place(layers=(3,))


def test_student_of_a_layer_that_the_teacher_has_not_is_refused():
    with pytest.raises(CheckpointError, match=r"a teacher with 4 \(0 to 3\), got \[0, 4\]"):
        place(layers=(0, 4))


def decide(teacher, *places):
    made = Decisions(JudgedModel.describe(teacher), JudgedDocuments("grammar 2"))
    for layer, head, pattern in places:
        made = made.with_decision(Decision(layer, head, pattern, Verdict.ACCEPTED, "Ada", now()))
    return made


def test_student_follows_decisions_about_its_teacher():
    teacher = tiny_model()
    recipe = StudentRecipe(layers=(1,), decisions="x.json", undecided="free")
    student = make_student(recipe, teacher, decide(teacher, (1, 2, "next_token")))
    assert student.config.plan == ((None, None, NEXT, None),)


def test_student_follows_decisions_about_a_teacher_with_layers_of_different_widths():
    teacher = tiny_model(**UNEVEN)
    recipe = StudentRecipe(layers=(1, 0), decisions="x.json", undecided="free")
    student = make_student(recipe, teacher, decide(teacher, (1, 3, "next_token")))
    assert student.config.plan == ((None, None, None, NEXT), (None, None))


def test_student_refuses_decisions_about_another_teacher():
    recipe = StudentRecipe(layers=(1,), decisions="x.json")
    with pytest.raises(CheckpointError, match="got decisions about"):
        make_student(recipe, tiny_model(), decide(tiny_model(seed=1), (1, 2, "next_token")))


@pytest.mark.parametrize("changes", [{"plan": (ROW,)}, {"decisions": "a/x.json"}])
def test_decisions_are_one_file_in_place_of_a_plan(changes):
    with pytest.raises(RecipeError, match="decisions: expected"):
        StudentRecipe(**{"decisions": "x.json", **changes})


def test_placement_tells_which_decisions_a_student_follows_and_which_it_could_not_take():
    teacher = tiny_model()
    decisions = decide(teacher, (1, 2, "next_token"), (0, 1, "matching_token"), (1, 0, "lead(1)"))
    recipe = StudentRecipe(layers=(1,), decisions="x.json", undecided="free")
    assert describe_placement(recipe, decisions) == (
        "x.json, placed: 1.2 next_token; not in its layers or heads: 0.1 matching_token; "
        "no head can carry: 1.0 lead(1)"
    )
