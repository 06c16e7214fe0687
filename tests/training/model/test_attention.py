"""The heads of one layer: two forms, the same numbers, and nothing read from outside a pattern."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.padded_batch import documents, padded_batch
from training.model.attention import AttentionRecord, PatternedAttention
from training.model.copies import mean_of_copies
from training.model.layout import lay_out, lay_out_alone
from training.model.patterns import Pattern, Unmatched, pattern_mask

WIDTH = 32
POSITIONAL = frozenset({Pattern.PREVIOUS_TOKEN, Pattern.NEXT_TOKEN})
ALL = frozenset(Pattern)
MATCHING, INTRA, PREVIOUS, NEXT = Pattern
PLANS = (
    *[(pattern,) * 4 for pattern in (*Pattern, None)],
    (MATCHING, INTRA, PREVIOUS, NEXT),
    (NEXT, None, INTRA, MATCHING),  # heads that are computed in another order than they stand
    (INTRA, PREVIOUS, INTRA, None),
)
BATCH = (
    [[1, 7, 7, 2], [1, 5, 2], [1, 7, 5, 6, 2]],
    [[1, 3, 2]],
    [[1, 9, 8, 2], [1, 8, 2]],
)


def make_layer(plan, seed=0, dtype=torch.float32, **options):
    torch.manual_seed(seed)
    return PatternedAttention(WIDTH, plan, **options).to(dtype)


def draw_vectors(token_ids, dtype=torch.float32, seed=1):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*token_ids.shape, WIDTH, generator=generator, dtype=dtype)


def head_outputs(layer, x, layout):
    """(documents, tokens, heads, head width), from the recorded pass."""
    record = AttentionRecord()
    with torch.no_grad():
        layer(x, layout, record)
    return layer.heads_of(record)


@pytest.mark.parametrize("unmatched", Unmatched)
@pytest.mark.parametrize("fixed", [POSITIONAL, frozenset(), ALL], ids=len)
@pytest.mark.parametrize("plan", PLANS)
def test_structured_form_equals_the_dense_one_with_gradients(plan, fixed, unmatched):
    arrays = padded_batch(*BATCH)
    is_real = arrays[1] >= 0
    found = []
    for is_structured in (True, False):
        layer = make_layer(
            plan,
            dtype=torch.float64,
            fixed=fixed,
            unmatched=unmatched,
            is_structured=is_structured,
        )
        x = draw_vectors(arrays[0], torch.float64).requires_grad_()
        out = layer(x, lay_out(*arrays))[is_real]
        (out * torch.linspace(-1, 1, WIDTH, dtype=out.dtype)).square().sum().backward()
        gradients = [x.grad, *(parameter.grad for parameter in layer.parameters())]
        found.append([out.detach(), *gradients])
    for structured, dense in zip(*found, strict=True):
        torch.testing.assert_close(structured, dense, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("is_structured", [True, False])
@pytest.mark.parametrize("fixed", [POSITIONAL, frozenset(), ALL], ids=len)
@pytest.mark.parametrize("unmatched", Unmatched)
@settings(max_examples=15)
@given(document=documents, seed=st.integers(0, 2**16))
def test_patterned_head_reads_nothing_outside_its_pattern(
    unmatched, fixed, is_structured, document, seed
):
    n_tokens = sum(map(len, document))
    arrays = padded_batch(*[document] * n_tokens)  # row i of the batch is for token i
    layout = lay_out(*arrays)
    plan = (NEXT, MATCHING, INTRA, PREVIOUS)
    layer = make_layer(plan, fixed=fixed, unmatched=unmatched, is_structured=is_structured)
    x = draw_vectors(arrays[0][:1], seed=seed).repeat(n_tokens, 1, 1)
    other = 100 * draw_vectors(arrays[0], seed=seed + 1)
    before = head_outputs(layer, x, layout)
    each = torch.arange(n_tokens)
    for head, pattern in enumerate(plan):
        may_matter = pattern_mask(pattern, *arrays, unmatched)[each, each]
        # The query is the token's own; a fixed matching head has one for each [CLS], and takes a
        # token's own value out of a sum that holds it, which leaves a rounding error.
        may_matter[each, each] |= pattern not in fixed or pattern is MATCHING
        after = head_outputs(layer, torch.where(may_matter[..., None], x, other), layout)
        assert torch.equal(after[each, each, head], before[each, each, head])


def test_fixed_matching_token_gets_the_mean_of_its_other_copies():
    token_ids, sentence_ids = padded_batch([[1, 7, 5], [1, 7, 7]], [[1, 7]])
    value = torch.tensor([[[1.0], [2], [3], [4], [6], [8]], [[10], [20], [30], [40], [50], [60]]])
    means = mean_of_copies(value, lay_out(token_ids, sentence_ids), Unmatched.SELF)
    assert means[0, :, 0].tolist() == [4, 7, 3, 1, 5, 4]
    assert means[1, :2, 0].tolist() == [10, 20]  # the other document's copies are not its own
    means = mean_of_copies(value, lay_out(token_ids, sentence_ids), Unmatched.ALL)
    assert means[0, :, 0].tolist() == [4, 7, 4, 1, 5, 4]
    assert means[1, :2, 0].tolist() == [15, 15]


@pytest.mark.parametrize("unmatched", list(Unmatched))
def test_means_of_copies_in_a_document_alone_are_those_of_a_batch_and_exact(unmatched):
    generator = torch.Generator().manual_seed(3)
    ids = torch.randint(2, 9, (5, 11), generator=generator)
    arrays = padded_batch([[1, *row] for row in ids.tolist()])
    value = torch.randn(1, 60, 3, generator=generator)
    alone, batch = lay_out_alone(*arrays), lay_out(*arrays)
    means = mean_of_copies(value, alone, Unmatched.SELF)
    torch.testing.assert_close(
        mean_of_copies(value, alone, unmatched), mean_of_copies(value, batch, unmatched)
    )
    is_other = arrays[0][0] == 5
    assert 3 < is_other.sum() < 30
    value[0, is_other] = 1e6 * torch.randn(int(is_other.sum()), 3, generator=generator)
    moved = mean_of_copies(value, alone, Unmatched.SELF)
    assert torch.equal(moved[0, ~is_other], means[0, ~is_other])


def test_cls_of_a_fixed_matching_head_have_learned_weights_for_the_others_alone():
    arrays = padded_batch([[1, 7], [1, 7, 5], [1, 9]], [[1, 9]])
    record = AttentionRecord()
    make_layer((MATCHING,) * 4, fixed=ALL)(draw_vectors(arrays[0]), lay_out(*arrays), record)
    weights = record.cls_weights
    assert weights.shape == (2, 4, 3, 3)
    torch.testing.assert_close(weights[0].sum(dim=-1), torch.ones(4, 3))
    assert not weights[0].diagonal(dim1=-2, dim2=-1).any()
    assert weights[0][..., 0, 1:].std() > 0.01


@pytest.mark.parametrize("is_structured", [True, False])
@pytest.mark.parametrize("plan", PLANS)
@pytest.mark.parametrize("fixed", [POSITIONAL, ALL], ids=len)
def test_what_padding_holds_does_not_matter(fixed, plan, is_structured):
    token_ids, sentence_ids = padded_batch(*BATCH)
    is_real = sentence_ids >= 0
    layer = make_layer(plan, fixed=fixed, is_structured=is_structured)
    x = draw_vectors(token_ids)
    other_x = torch.where(is_real[..., None], x, -3 * x)
    other_ids = torch.where(is_real, token_ids, 7)
    out = layer(x, lay_out(token_ids, sentence_ids))
    other = layer(other_x, lay_out(other_ids, sentence_ids))
    assert torch.equal(out[is_real], other[is_real])


@pytest.mark.parametrize("plan", PLANS)
@pytest.mark.parametrize("fixed", [POSITIONAL, ALL], ids=len)
def test_row_of_a_batch_equals_the_single_document(fixed, plan):
    arrays = padded_batch(*BATCH)
    layer = make_layer(plan, fixed=fixed, dtype=torch.float64)
    x = draw_vectors(arrays[0], torch.float64)
    batch = layer(x, lay_out(*arrays))
    for row, document in enumerate(BATCH):
        single = padded_batch(document)
        n = single[0].shape[1]
        expected = layer(x[row : row + 1, :n], lay_out(*single))[0]
        torch.testing.assert_close(batch[row, :n], expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("plan", PLANS)
def test_recording_changes_no_number(plan):
    arrays = padded_batch(*BATCH)
    is_real = arrays[1] >= 0
    layer = make_layer(plan, dtype=torch.float64)
    x = draw_vectors(arrays[0], torch.float64)
    recorded = layer(x, lay_out(*arrays), AttentionRecord())
    plain = layer(x, lay_out(*arrays))
    torch.testing.assert_close(recorded[is_real], plain[is_real], rtol=1e-12, atol=1e-12)


def test_recorded_weights_sum_to_one_and_stay_inside_the_pattern():
    arrays = padded_batch(*BATCH)
    record = AttentionRecord()
    make_layer((MATCHING, MATCHING, None, INTRA))(draw_vectors(arrays[0]), lay_out(*arrays), record)
    weights = record.weights[MATCHING]
    assert weights.shape[1] == 2
    torch.testing.assert_close(weights.sum(dim=-1), torch.ones(weights.shape[:-1]))
    assert not weights[~pattern_mask(MATCHING, *arrays)[:, None].expand_as(weights)].any()
    assert not record.weights[None][0, 0][:, arrays[1][0] < 0].any()
