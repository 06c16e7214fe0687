"""Projected Attention Layers: silent when fresh, reached by gradients, true to their patterns."""

import dataclasses

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from tests.padded_batch import padded_batch
from tests.tiny_model import tiny_model
from training.fit.checkpoint import load_model, save_model
from training.model.attention import AttentionRecord
from training.model.config import PalConfig
from training.model.extractive_model import ExtractiveModel
from training.model.inherited import student_from_teacher
from training.model.layout import lay_out
from training.model.patterns import Pattern, pattern_mask

BATCH = padded_batch([[2, 40, 41, 3], [2, 50, 40, 3], [2, 40, 60, 3]], [[2, 70, 3], [2, 71, 3]])
FREE = ((None,) * 4,) * 2
PLANS = {"patterns": tuple(Pattern), "free": (None,) * 4}
MATRICES = ("down", "attention.query", "attention.key", "attention.value", "attention.output")


def pal_model(plan=PLANS["patterns"], **changes):
    return tiny_model(plan=FREE, pal=PalConfig(16, plan), **changes)


def wake(model, seed=1):
    """Move the up-projections off zero, as a fit does."""
    torch.manual_seed(seed)
    for layer in model.encoder.layers:
        nn.init.normal_(layer.pal.attention.output.weight, std=0.5)
    return model


@pytest.fixture(params=PLANS.values(), ids=PLANS)
def plan(request):
    return request.param


def test_model_with_fresh_layers_scores_exactly_as_before(plan):
    before = tiny_model(plan=FREE).eval()
    after = pal_model(plan).eval()
    missing, unexpected = after.load_state_dict(before.state_dict(), strict=False)
    assert (len(missing), unexpected) == (2 * 2 * len(MATRICES), [])
    with torch.no_grad():
        assert torch.equal(before(*BATCH), after(*BATCH))
        assert not torch.equal(before(*BATCH), wake(after)(*BATCH))


def test_only_the_up_projection_starts_at_zero(plan):
    for layer in pal_model(plan).encoder.layers:
        zero = [name for name in MATRICES if not layer.pal.get_submodule(name).weight.any()]
        assert zero == ["attention.output"]
        assert not layer.pal.attention.output.bias.any()


def test_gradient_reaches_every_matrix_after_the_first_step(plan):
    model = pal_model(plan).eval()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(2):
        optimizer.zero_grad()
        model(*BATCH).square().sum().backward()
        optimizer.step()
    for layer in model.encoder.layers:
        reached = [n for n in MATRICES if layer.pal.get_submodule(n).weight.grad.any()]
        assert reached == list(MATRICES)


def test_layer_that_is_zero_throughout_is_never_reached():
    """The released code's trap: this is what the test above would see of it."""
    model = pal_model().eval()
    for layer in model.encoder.layers:
        for parameter in layer.pal.parameters():
            nn.init.zeros_(parameter)
    model(*BATCH).square().sum().backward()
    for layer in model.encoder.layers:
        assert not any(layer.pal.get_submodule(name).weight.grad.any() for name in MATRICES)


def test_layer_joins_in_the_last_residual_and_reads_the_first_input():
    layer = wake(pal_model().double()).encoder.layers[0]
    layout = lay_out(*BATCH)
    x = torch.randn(*BATCH[0].shape, 32, dtype=torch.float64)
    pal = layer.pal
    attention = layer.attention_norm(x + layer.attention(x, layout))
    said = F.gelu(pal.attention(pal.down(x), layout))
    expected = layer.norm(attention + layer.down(F.gelu(layer.up(attention))) + said)
    torch.testing.assert_close(layer(x, layout), expected, rtol=1e-12, atol=1e-12)


def test_heads_look_nowhere_but_inside_their_patterns():
    model = wake(pal_model(is_structured=False)).eval()
    record = model.new_record()
    with torch.no_grad():
        model(*BATCH, record)
    for layer in record.token_layers:
        assert set(layer.pal.weights) == set(Pattern)
        for pattern, weights in layer.pal.weights.items():
            outside = ~pattern_mask(pattern, *BATCH)[:, None]
            assert weights.shape[1] == 1
            assert not weights[outside].any()
            torch.testing.assert_close(weights.sum(dim=-1), torch.ones(weights.shape[:-1]))


def test_structured_form_computes_the_same():
    with torch.no_grad():
        structured, dense = (
            wake(pal_model(is_structured=is_structured).double()).eval()(*BATCH)
            for is_structured in (True, False)
        )
    torch.testing.assert_close(structured, dense, rtol=1e-12, atol=1e-12)


def test_checkpoint_reads_back_with_its_layers(plan, tmp_path):
    model = wake(pal_model(plan))
    save_model(model, tmp_path / "model.safetensors")
    loaded = load_model(tmp_path / "model.safetensors")
    assert loaded.config == model.config
    assert loaded.config.pal == PalConfig(16, plan)
    with torch.no_grad():
        assert torch.equal(loaded(*BATCH), model.eval()(*BATCH))


def test_student_of_a_teacher_with_layers_keeps_those_of_its_own():
    teacher = wake(pal_model())
    student = student_from_teacher(teacher, [1])
    theirs, ours = teacher.encoder.layers[1].pal, student.encoder.layers[0].pal
    assert all(torch.equal(w, ours.state_dict()[n]) for n, w in theirs.state_dict().items())


def test_record_of_a_model_without_layers_has_none():
    model = ExtractiveModel(dataclasses.replace(pal_model().config, pal=None)).eval()
    record = model.new_record()
    model(*BATCH, record)
    assert all(layer.pal is None for layer in record.token_layers)
    assert AttentionRecord().pal is None
