"""Ablation recipes: each variant is a whole experiment, and what does not fit is named."""

from pathlib import Path

import pytest

from service.errors import RecipeError
from training.ablation.recipe import read_ablation
from training.recipe import read_recipe

SHIPPED = sorted((Path(__file__).parents[3] / "training/recipes/ablations").glob("*.toml"))

BASE = """
name = "base"
[data]
max_tokens = 256
[student]
layers = [0, 1]
decisions = "ours.json"
[student.fit]
documents = 7
clip = 2.0
"""
ABLATION = """
name = "patterns"
base = "base.toml"
reference = "free"
seeds = [4, 5]
[common.fit]
documents = 9
[variants.placed]
[variants.free]
plan = [["free", "free"]]
[variants.free.fit]
clip = 3.0
"""


@pytest.fixture
def read(tmp_path):
    """Read an ablation from its text, beside its base."""

    def read(text=ABLATION):
        (tmp_path / "base.toml").write_text(BASE, encoding="utf-8")
        (tmp_path / "ablation.toml").write_text(text, encoding="utf-8")
        return read_ablation(tmp_path / "ablation.toml")

    return read


def test_recipes_are_shipped():
    assert SHIPPED


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_shipped_ablation_is_read_and_asks_for_three_seeds(path):
    ablation = read_ablation(path)
    assert len(ablation.seeds) >= 3 or ablation.name == "front"  # which is about cost
    assert len(ablation.variants) > 2


def test_variant_is_the_base_with_its_changes(read, tmp_path):
    ablation = read()
    base = read_recipe(tmp_path / "base.toml")
    placed, free = (ablation.recipe(name, 5) for name in ("placed", "free"))
    assert (placed.name, placed.data, placed.teacher) == (base.name, base.data, base.teacher)
    assert (placed.student.decisions, placed.student.layers) == ("ours.json", (0, 1))
    assert (placed.student.fit.documents, placed.student.fit.clip) == (9, 2.0)
    assert (free.student.fit.documents, free.student.fit.clip) == (9, 3.0)
    assert placed.student.fit.seed == 5


def test_plan_of_a_variant_takes_the_place_of_the_decisions(read):
    free = read().recipe("free", 4).student
    assert (free.plan, free.decisions) == ((("free", "free"),), "")


def test_injection_can_be_changed_likewise(read):
    text = ABLATION.replace("seeds", 'section = "injection"\nseeds')
    text = text.replace('plan = [["free", "free"]]', "heads = []")
    recipe = read(text).recipe("free", 4)
    assert (recipe.injection.heads, recipe.injection.fit.seed) == ((), 4)
    assert recipe.student.fit.documents == 7


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"free"\nseeds', '"none"\nseeds', "reference: expected one of placed, free, got 'none'"),
        ("[4, 5]", "[4, 4]", "seeds: expected whole numbers from 0 on, each once"),
        ("[4, 5]", "[]", r"seeds: .*, got \[\]"),
        ("[4, 5]", '["4"]', "seeds: "),
        ('base = "base.toml"\n', "", "expected the key 'base'"),
        ("base.toml", "gone.toml", r"expected a recipe at .*gone\.toml"),
        ("seeds", 'section = "data"\nseeds', "section: expected one of .*, got 'data'"),
        ("seeds", "sede = 3\nseeds", "unknown key 'sede'"),
        ("clip = 3.0", "clap = 3.0", r"variants\.free: student: fit: unknown key 'clap'"),
        ('"free", "free"', '"fre", "free"', "got 'fre'"),
        ("variants.placed", 'variants."a/b"', "names of letters, .*got 'a/b'"),
        ("variants.placed", "variants.teacher", "none of .*got 'teacher'"),
    ],
)
def test_what_does_not_fit_is_named(read, old, new, message):
    assert old in ABLATION
    with pytest.raises(RecipeError, match=message):
        read(ABLATION.replace(old, new))
