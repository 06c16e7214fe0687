"""Recipes: what fits is read, and whatever does not is named."""

from pathlib import Path

import pytest

from service.errors import RecipeError
from training.recipe import FitRecipe, Recipe, StudentRecipe, read_recipe

SHIPPED = sorted((Path(__file__).parents[2] / "training/recipes").glob("*.toml"))


@pytest.fixture
def read(tmp_path):
    """Read a recipe from its text."""

    def read(text):
        path = tmp_path / "recipe.toml"
        path.write_text(text, encoding="utf-8")
        return read_recipe(path)

    return read


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_shipped_recipe_is_read(path):
    assert read_recipe(path).name


def test_recipes_are_shipped():
    assert SHIPPED


def test_what_a_recipe_leaves_out_has_its_default(read):
    assert read('name = "x"') == Recipe(name="x")


def test_lists_become_tuples_and_whole_numbers_floats(read):
    recipe = read(
        'name = "x"\n[teacher.fit]\nclip = 2\n'
        '[student]\nlayers = [0, 3]\nplan = [["free", "next_token"]]\n'
    )
    assert recipe.teacher.fit == FitRecipe(clip=2.0)
    assert type(recipe.teacher.fit.clip) is float
    assert recipe.student == StudentRecipe(layers=(0, 3), plan=(("free", "next_token"),))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[teacher.fit]\nencoder_rat = 1e-4", r"fit: unknown key 'encoder_rat'; known are .*clip"),
        ("[techer]", "unknown key 'techer'; known are name, plan_reason, texts, data, teacher"),
        ('[data]\nmax_tokens = "512"', "data: max_tokens: expected int, got '512'"),
        ("[data]\nmax_tokens = 5.5", "data: max_tokens: expected int, got 5.5"),
        ("[data]\nmax_tokens = true", "data: max_tokens: expected int, got True"),
        ("[teacher.fit]\nclip = true", "fit: clip: expected float, got True"),
        ("[student]\nlayers = 3", "student: layers: expected a list, got 3"),
        ('[student]\nlayers = ["0"]', "student: layers: expected int, got '0'"),
        ('[student]\nplan = ["free"]', "student: plan: expected a list, got 'free'"),
        ("data = 3", "data: expected a table, got 3"),
        ('[teacher.fit]\nprecision = "int8"', "expected 'float32' or 'bfloat16', got 'int8'"),
        ("[teacher.fit]\ndocuments = 0", "fit: documents: expected at least 1, got 0"),
        ("[data]\nmax_train = 0", "data: max_train: expected at least 1, got 0"),
        ("[data]\nmax_validation = 0", "max_validation: expected at least 1, got 0"),
        ("[data]\nmax_sentence_tokens = 2", "max_sentence_tokens: expected at least 3, got 2"),
        ("[data]\nmax_tokens = 99", "max_tokens: expected at least max_sentence_tokens = 128"),
        ("[teacher.fit]\nencoder_rate = 0", "encoder_rate: expected above 0, got 0.0"),
        ("[teacher.fit]\nscorer_rate = -1e-3", "scorer_rate: expected above 0, got -0.001"),
        ("[teacher.fit]\nclip = 0", "clip: expected above 0"),
        ("[student.fit]\ntemperature = 0", "student: fit: temperature: expected above 0, got 0.0"),
        ("[teacher.fit]\nwarm_up = 1", "warm_up: expected from 0 to below 1, got 1.0"),
        ("[teacher.fit]\naverage_decay = 1", "average_decay: expected from 0 to below 1"),
        ("[teacher.fit]\nweight_decay = -1", "weight_decay: expected at least 0, got -1.0"),
        ("[teacher.fit]\nsoft_weight = -1", "soft_weight: expected at least 0, got -1.0"),
        ("[teacher.fit]\nteacher_weight = -1", "teacher_weight: expected at least 0, got -1.0"),
        ("[teacher.fit]\nseed = -1", "seed: expected from 0 to"),
        ("[teacher.fit]\nclip = nan", "fit: clip: expected a finite number, got nan"),
        ("[teacher.fit]\nclip = inf", "fit: clip: expected a finite number, got inf"),
        (f"[teacher.fit]\nclip = 1{'0' * 400}", "fit: clip: expected a finite number, got 100"),
        ("[teacher]\nfrozen_layers = -1", "teacher: frozen_layers: expected at least 0, got -1"),
        ("[teacher]\ndocument_layers = -1", "document_layers: expected at least 0"),
        ("[teacher]\ndocument_width = 0", "document_width: expected at least 1"),
        ("[teacher]\ndocument_heads = 0", "document_heads: expected at least 1"),
        ("[teacher]\ndocument_heads = 3", "document_width: expected a multiple of .* = 3, got 256"),
        ("[teacher]\ndocument_positions = 0", "document_positions: expected at least 1"),
        ("[teacher]\ndropout = 1.5", "dropout: expected from 0 to 1, got 1.5"),
        ("[student]\nlayers = []", r"student: layers: expected at least one layer.*, got \(\)"),
        ("[student]\nlayers = [-1]", r"layers: expected at least one layer.*, got \(-1,\)"),
        ("[student]\nfeed_forward = [-1]", r"at least 0 each, got \(-1,\)"),
        ("[student]\nfeed_forward = [9, 9]", r"no number, one, or 3 .*, got \(9, 9\)"),
        ("[student]\nteacher_documents = 9", "or both 0, .*; got 9 and 0.0"),
        ("[student.fit]\nteacher_weight = 0.5", "or both 0, .*; got 0 and 0.5"),
    ],
)
def test_what_does_not_fit_is_named(read, text, message):
    with pytest.raises(RecipeError, match=message):
        read(f'name = "x"\n{text}')


def test_recipe_needs_a_name(read):
    with pytest.raises(RecipeError, match="expected the key 'name'"):
        read("[data]")


def test_file_that_is_not_toml_is_refused(read):
    with pytest.raises(RecipeError, match="expected TOML in"):
        read("name: x")


def test_file_that_is_not_text_is_refused(tmp_path):
    path = tmp_path / "recipe.toml"
    path.write_bytes(b'name = "\xff"')
    with pytest.raises(RecipeError, match="expected TOML in"):
        read_recipe(path)


def test_missing_file_is_refused(tmp_path):
    with pytest.raises(RecipeError, match="expected a recipe at"):
        read_recipe(tmp_path / "gone.toml")


def test_a_layer_may_have_no_neurons(read):
    recipe = read('name = "x"\n[student]\nfeed_forward = [0, 9, 9]\n')
    assert recipe.student.feed_forward == (0, 9, 9)
