"""Controls: they take away what they say, and nothing else."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.padded_batch import documents, padded_batch
from tests.tiny_model import tiny_model
from training.fit.checkpoint import load_model, save_model
from training.model.controls import Control, control_mask, draw_places, part_cls
from training.model.layout import lay_out
from training.model.patterns import Pattern, Unmatched, matching_token_mask, pattern_mask

BATCH = padded_batch(
    [[2, 40, 41, 3], [2, 50, 40, 3], [2, 40, 60, 3]],
    [[2, 70, 3]],
)


@settings(max_examples=30)
@given(st.lists(documents, min_size=1, max_size=3))
def test_drawn_rows_allow_as_many_real_places_as_the_pattern(batch):
    token_ids, sentence_ids = padded_batch(*batch)
    is_real = sentence_ids >= 0
    for pattern in Pattern:
        mask = pattern_mask(pattern, token_ids, sentence_ids)
        drawn = control_mask(Control.RANDOM, pattern, mask, sentence_ids, is_real)
        assert torch.equal(drawn.sum(dim=-1), mask.sum(dim=-1))
        assert not (drawn & is_real[:, :, None] & ~is_real[:, None, :]).any()


def test_draw_is_scattered_and_other_for_each_pattern():
    mask = torch.zeros(1, 200, 200, dtype=torch.bool)
    mask[..., :20] = True
    sentence_ids = torch.zeros(1, 200, dtype=torch.int64)
    one, two = (draw_places(mask, sentence_ids, seed)[0] for seed in (0, 1))
    # Where 20 of 200 places are drawn, each is in 20 rows of 200 on average, 4.2 off as a rule.
    assert 3 < one.sum(dim=0).float().std() < 6
    assert (one & two).sum() / one.sum() == pytest.approx(0.1, abs=0.03)
    assert one.diagonal().float().mean() == pytest.approx(0.1, abs=0.07)


def test_draw_depends_on_no_batch_mate():
    mask = matching_token_mask(*BATCH)
    drawn = draw_places(mask, BATCH[1], 0)
    single = draw_places(mask[1:, :3, :3], BATCH[1][1:, :3], 0)
    assert torch.equal(drawn[1:, :3, :3], single)


@pytest.mark.parametrize("unmatched", Unmatched)
def test_without_cls_only_the_ways_among_cls_are_gone(unmatched):
    layout = lay_out(*BATCH)
    is_cls = layout.is_start.view(BATCH[0].shape)
    mask = matching_token_mask(*BATCH, unmatched)
    parted = part_cls(mask, is_cls)
    among = is_cls[:, :, None] & is_cls[:, None, :]
    is_self = torch.eye(mask.shape[-1], dtype=torch.bool)
    assert mask[0, 0, 4]
    assert not (parted & among & ~is_self).any()
    assert torch.equal(parted & ~among, mask & ~among)
    assert parted.any(dim=-1).all()


def test_other_patterns_keep_their_cls():
    layout = lay_out(*BATCH)
    is_cls = layout.is_start.view(BATCH[0].shape)
    for pattern in list(Pattern)[1:]:
        mask = pattern_mask(pattern, *BATCH)
        assert control_mask(Control.WITHOUT_CLS, pattern, mask, BATCH[1], is_cls) is mask


@pytest.mark.parametrize("fixed", [frozenset(), frozenset(Pattern)], ids=["learned", "fixed"])
@pytest.mark.parametrize("control", Control)
def test_heads_of_a_model_look_only_where_the_control_lets_them(control, fixed):
    model = tiny_model(control=control, fixed=fixed, plan=(tuple(Pattern),)).eval()
    record = model.new_record()
    with torch.no_grad():
        model(*BATCH, record)
    is_cls = lay_out(*BATCH).is_start.view(BATCH[0].shape)
    (layer,) = record.token_layers
    assert set(layer.weights) == set(Pattern)
    for pattern, weights in layer.weights.items():
        mask = control_mask(control, pattern, pattern_mask(pattern, *BATCH), BATCH[1], is_cls)
        assert not weights[~mask[:, None]].any()
        assert weights[mask[:, None]].all()


def test_checkpoint_remembers_the_control(tmp_path):
    save_model(tiny_model(control=Control.RANDOM), tmp_path / "model.safetensors")
    assert load_model(tmp_path / "model.safetensors").config.control is Control.RANDOM
