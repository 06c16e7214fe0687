"""The student that a recipe asks for."""

import pytest

from service.errors import CheckpointError, RecipeError
from tests.tiny_model import tiny_model
from training.model.config import Positions
from training.model.patterns import Pattern, Unmatched
from training.plan import read_plan
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
        layers=(1,), plan=(ROW,), positions="document", unmatched="all", fixed=("next_token",)
    )
    student = make_student(recipe, tiny_model())
    config = student.config
    assert (config.positions, config.unmatched) == (Positions.DOCUMENT, Unmatched.ALL)
    assert (config.plan, config.fixed) == ((PATTERNS,), frozenset({Pattern.NEXT_TOKEN}))
    frozen = {name for name, p in student.named_parameters() if not p.requires_grad}
    assert frozen == {
        f"encoder.embeddings.{name}" for name, _ in student.encoder.embeddings.named_parameters()
    }
