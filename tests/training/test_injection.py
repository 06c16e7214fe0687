"""The injected teacher: it starts as the teacher, learns beside it, and ends in a folder."""

import json

import pytest
import torch
from click.testing import CliRunner
from safetensors import safe_open

from service.errors import CheckpointError, RecipeError
from tests.padded_batch import padded_batch
from tests.tiny_model import tiny_model
from tests.tiny_run import DATA, tiny_run
from training.cli import inject
from training.fit.checkpoint import load_model
from training.fit.tensor_hash import hash_tensors
from training.injection import fit_injected, inject_patterns
from training.model.config import PalConfig
from training.model.patterns import Pattern, Unmatched
from training.model.pretrained import from_pretrained_encoder
from training.recipe import InjectionRecipe

FREE = ((None,) * 4,) * 2
PATTERNS = ("matching_token", "intra_sentence", "previous_token", "next_token")
BATCH = padded_batch([[2, 40, 41, 3], [2, 50, 40, 3]], [[2, 70, 3]])
RECIPE = f"""
name = "tiny"
{DATA}
[teacher]
encoder = "nobody/tiny-encoder"
frozen_layers = 1

[injection]
width = 16
unmatched = "all"

[injection.fit]
documents = 48
batch_tokens = 300
encoder_rate = 1e-2
validate_every = 24
"""
CONTROLS = {"free": ("free",) * 4, "none": ()}


@pytest.fixture
def run(tiny_examples, tiny_encoder, tmp_path):
    teacher = from_pretrained_encoder(
        str(tiny_encoder), document_layers=1, document_width=16, document_heads=2
    )
    base = {"base": "nobody/tiny-encoder", "base_at": str(tiny_encoder)}
    return tiny_run(tmp_path / "run", tiny_examples, teacher, **base)


@pytest.fixture
def adopt(run, tmp_path):
    """Give the run a recipe by its text."""

    def adopt(text=RECIPE):
        (tmp_path / "tiny.toml").write_text(text, encoding="utf-8")
        return run.adopt_recipe(tmp_path / "tiny.toml")

    return adopt


@pytest.mark.parametrize("heads", [PATTERNS, *CONTROLS.values()], ids=["patterns", *CONTROLS])
def test_teacher_with_fresh_layers_scores_as_before(heads):
    teacher = tiny_model(plan=FREE).eval()
    injected = inject_patterns(InjectionRecipe(heads, width=16), teacher, frozen_layers=0).eval()
    with torch.no_grad():
        assert torch.equal(injected(*BATCH), teacher(*BATCH))


def test_layers_are_as_the_recipe_says():
    recipe = InjectionRecipe(PATTERNS, width=16, unmatched="all")
    injected = inject_patterns(recipe, tiny_model(), frozen_layers=0)
    assert injected.config.pal == PalConfig(16, tuple(Pattern), Unmatched.ALL)
    assert injected.config.plan == tiny_model().config.plan
    assert injected.config.unmatched is Unmatched.SELF


def test_control_without_layers_is_the_teacher_itself():
    teacher = tiny_model()
    assert inject_patterns(InjectionRecipe(()), teacher, 0).config == teacher.config


def test_new_layers_learn_beside_frozen_ones():
    model = inject_patterns(InjectionRecipe(width=16), tiny_model(), frozen_layers=1)
    learning = {name for name, p in model.named_parameters() if p.requires_grad}
    assert all(
        name in learning
        for name, _ in model.encoder.named_parameters(prefix="encoder")
        if ".pal." in name or name.startswith("encoder.layers.1.")
    )
    assert {n for n in learning if n.startswith("encoder.layers.0.")} == {
        f"encoder.layers.0.pal.{name}" for name, _ in model.encoder.layers[0].pal.named_parameters()
    }
    assert not any(name.startswith("encoder.embeddings.") for name in learning)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"width": 18}, "width: expected a multiple of the 4 heads, got 18"),
        ({"width": 0}, "width: expected at least 1, got 0"),
        ({"rate": 0.0}, "rate: expected above 0, got 0.0"),
    ],
)
def test_recipe_outside_its_range_is_refused(changes, message):
    with pytest.raises(RecipeError, match=message):
        InjectionRecipe(**changes)


def test_injection_is_a_stage_that_moves_every_new_matrix_and_stays_compact(
    run, adopt, tiny_encoder
):
    result = fit_injected(run, adopt(), str(tiny_encoder))
    assert run.injected.read_result() == result
    assert result["heads"] == list(PATTERNS)
    fitted = load_model(run.injected.model_path, base=str(tiny_encoder))
    for layer in fitted.encoder.layers:
        for part in (layer.pal.down, *layer.pal.attention.children()):
            assert part.weight.any()
        assert layer.pal.attention.output.weight.abs().max() > 1e-3
    with safe_open(run.injected.model_path, framework="pt") as file:
        kept = {name for name in file.keys() if name.startswith("encoder.")}  # noqa: SIM118
    assert {name for name in kept if name.startswith("encoder.layers.0.")} == {
        f"encoder.layers.0.pal.{name}" for name in fitted.encoder.layers[0].pal.state_dict()
    }
    assert not any(name.startswith("encoder.embeddings.") for name in kept)


def test_new_layers_learn_at_a_rate_of_their_own(run, adopt, tiny_encoder):
    teacher = load_model(run.teacher.model_path, base=str(tiny_encoder)).state_dict()
    fit_injected(
        run, adopt(RECIPE.replace("width = 16", "width = 16\nrate = 1e-30")), str(tiny_encoder)
    )
    fitted = load_model(run.injected.model_path, base=str(tiny_encoder)).state_dict()
    assert fitted["encoder.layers.1.pal.attention.output.weight"].abs().max() <= 1e-20
    moved = fitted["encoder.layers.1.up.weight"] - teacher["encoder.layers.1.up.weight"]
    assert moved.abs().max() > 1e-3


def test_command_fits_takes_up_and_says_what_is_finished(run, adopt, tiny_encoder):
    adopt()
    options = [str(run.recipe_path), "--run", str(run.path), "--encoder", str(tiny_encoder)]
    first = CliRunner().invoke(inject, options, catch_exceptions=False)
    assert "injected/model.safetensors: R-1 " in first.output
    figures = json.loads(run.injected.result_path.read_text(encoding="utf-8"))
    again = CliRunner().invoke(inject, options, catch_exceptions=False)
    assert "already fitted, by recipe 'tiny'" in again.output
    assert run.injected.read_result() == figures


def test_stopped_injection_goes_on_with_the_same_patterns_only(run, adopt, tiny_encoder):
    fit_injected(run, adopt(), str(tiny_encoder))
    run.injected.result_path.unlink()  # a kill before the end
    before = load_model(run.injected.model_path, base=str(tiny_encoder)).state_dict()
    fit_injected(run, adopt(), str(tiny_encoder))
    after = load_model(run.injected.model_path, base=str(tiny_encoder)).state_dict()
    assert hash_tensors(after) == hash_tensors(before)
    run.injected.result_path.unlink()
    run.recipe_path.unlink()  # or the recipe itself would be refused
    others = adopt(RECIPE.replace("width = 16", 'width = 16\nheads = ["free", "free"]'))
    with pytest.raises(CheckpointError, match=r"state\.pt belongs to another model"):
        fit_injected(run, others, str(tiny_encoder))


def test_teacher_that_is_not_fitted_is_refused(run, adopt, tiny_encoder):
    run.teacher.result_path.unlink()
    with pytest.raises(CheckpointError, match="expected a fitted teacher"):
        fit_injected(run, adopt(), str(tiny_encoder))
