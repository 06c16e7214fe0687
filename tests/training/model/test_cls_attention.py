"""A last layer for the [CLS] alone says there what the whole layer says, and costs a row each."""

import dataclasses

import pytest
import torch
from hypothesis import given, settings

from tests.padded_batch import documents, padded_batch
from tests.tiny_model import INTRA, MATCHING, NEXT, PREVIOUS, tiny_model
from training.model.attention import AttentionRecord, PatternedAttention
from training.model.cls_attention import attend_from_cls, can_attend_from_cls
from training.model.extractive_model import ExtractiveModel
from training.model.layout import lay_out
from training.model.patterns import Pattern, Unmatched

WIDTH = 32
ALL_BUT_INTRA = frozenset(Pattern) - {INTRA}
PLANS = (
    (MATCHING,) * 4,
    (INTRA,) * 4,
    (NEXT, PREVIOUS, NEXT, PREVIOUS),
    (NEXT, MATCHING, INTRA, PREVIOUS),
)
BATCH = (
    [[1, 7, 7, 2], [1, 5, 2], [1, 7, 5, 6, 2]],
    [[1, 3, 2]],
    [[1, 3, 1, 1, 2]],  # one sentence, in which the [CLS] stands again
    [[1, 9, 8, 2], [1, 8, 1, 2]],
)


def make_layer(plan, unmatched=Unmatched.SELF, fixed=ALL_BUT_INTRA):
    torch.manual_seed(0)
    layer = PatternedAttention(WIDTH, plan, fixed=fixed, unmatched=unmatched, output_width=24)
    return layer.double()


def draw_vectors(token_ids):
    generator = torch.Generator().manual_seed(1)
    return torch.randn(*token_ids.shape, WIDTH, generator=generator, dtype=torch.float64)


def attend(layer, x, layout, record=None):
    return attend_from_cls(layer, x, x.flatten(0, 1)[layout.starts], layout, record)[0]


@pytest.mark.parametrize("unmatched", Unmatched)
@pytest.mark.parametrize("plan", PLANS)
def test_the_cls_read_what_the_whole_layer_reads_at_their_places_with_gradients(plan, unmatched):
    layer = make_layer(plan, unmatched)
    arrays = padded_batch(*BATCH)
    layout = lay_out(*arrays)
    found = []
    for is_for_cls in (True, False):
        layer.zero_grad()
        x = draw_vectors(arrays[0]).requires_grad_()
        if is_for_cls:
            out = attend(layer, x, layout)
        else:
            out = layer(x, layout).flatten(0, 1)[layout.starts]
        (out * torch.linspace(-1, 1, 24, dtype=out.dtype)).square().sum().backward()
        # Softmax does not see the bias of a key.
        gradients = [p.grad for name, p in layer.named_parameters() if name != "key.bias"]
        found.append([out.detach(), x.grad, *gradients])
    for ours, expected in zip(*found, strict=True):
        assert (ours is None) == (expected is None)
        if ours is not None:
            torch.testing.assert_close(ours, expected, rtol=1e-10, atol=1e-10)


@settings(max_examples=30)
@given(document=documents)
def test_any_document_agrees_with_the_whole_layer(document):
    layer = make_layer(PLANS[-1])
    arrays = padded_batch([[1, *sentence[1:]] for sentence in document])
    layout = lay_out(*arrays)
    x = draw_vectors(arrays[0])
    expected = layer(x, layout)[0, layout.starts]
    torch.testing.assert_close(attend(layer, x, layout), expected)


@pytest.mark.parametrize("plan", PLANS)
def test_the_mean_of_each_sentence_comes_with_the_rest(plan):
    layout = lay_out(*padded_batch(*BATCH))
    x = draw_vectors(layout.token_ids)
    flat = x.flatten(0, 1)
    _, mean = attend_from_cls(make_layer(plan), x, flat[layout.starts], layout)
    bounds = zip(layout.starts, layout.lengths, strict=True)
    expected = torch.stack([flat[start : start + n].mean(dim=0) for start, n in bounds])
    torch.testing.assert_close(mean, expected)


def test_the_record_holds_a_row_a_sentence():
    arrays = padded_batch(BATCH[0])
    record = AttentionRecord()
    layer = make_layer(PLANS[-1])
    attend(layer, draw_vectors(arrays[0]), lay_out(*arrays), record)
    assert record.is_for_cls
    # The [CLS], what heads of three patterns read of the text, and the mean.
    assert [len(reading) for reading in record.readings] == [3] * 5
    assert record.gathered.shape == (1, 3, WIDTH)
    assert record.cls_weights.shape == (1, 1, 3, 3)


@pytest.mark.parametrize(
    ("plan", "fixed"),
    [((None, INTRA), ALL_BUT_INTRA), ((MATCHING, INTRA), frozenset()), ((INTRA,), {INTRA})],
)
def test_layers_with_dense_heads_have_no_such_form(plan, fixed):
    assert not can_attend_from_cls(make_layer(plan, fixed=frozenset(fixed)))


@pytest.mark.parametrize("plan", [((INTRA, NEXT), PLANS[-1]), ((INTRA, NEXT), (None, MATCHING))])
def test_structured_and_dense_models_agree(plan):
    structured = tiny_model(
        plan=plan, head_width=8, fixed=ALL_BUT_INTRA, is_last_for_cls=True, feed_forward=(40, 72)
    )
    structured = structured.double().eval()
    dense = ExtractiveModel(dataclasses.replace(structured.config, is_structured=False))
    dense.load_state_dict(structured.state_dict())
    arrays = padded_batch(
        [[2, 40, 41, 3], [2, 50, 3], [2, 40, 60, 3]],
        [[2, 70, 3]],
    )
    mask = lay_out(*arrays).table_mask
    found, expected = (model(*arrays)[mask] for model in (structured, dense.double().eval()))
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-10)


def test_the_scorer_reads_means_of_what_the_last_layer_reads():
    model = tiny_model(is_last_for_cls=True).eval()
    layout = lay_out(*padded_batch([[2, 40, 41, 3], [2, 50, 3]]))
    before = model.encoder.layers[0](model.encoder.embeddings(layout), layout)[0]
    mean = model.encoder.read_sentences(layout).mean
    torch.testing.assert_close(mean, torch.stack([before[:4].mean(0), before[4:].mean(0)]))
