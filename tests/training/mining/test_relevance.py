"""Relevance is what is worked out by hand, and 1 for a head that can look nowhere else."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings

from tests.tiny_bundle import tiny_tokenizer
from tests.tiny_model import INTRA, MATCHING, NEXT, PREVIOUS, UNEVEN, tiny_model, widen
from tests.token_pairs import TOKENS, predicates, read
from training.fit.batches import make_batch
from training.mining.attention_maps import attention_maps
from training.mining.candidates import LIBRARY, PAPER, candidate_predicates
from training.mining.predicates import allow_self_where_empty, parse
from training.mining.relevance import (
    DocumentRelevance,
    Thresholds,
    global_relevance,
    measure_relevance,
    summarize_predicate,
    summarize_unexplained,
)
from training.mining.relevance_report import report_relevance
from training.mining.subject import to_dense
from training.mining.tokens import TokenClasses

# place      0     1   2     3     4
SHORT = read("the the")
# tokens     [CLS] the the [SEP]
MAP = torch.tensor(
    [
        [0.1, 0.2, 0.3, 0.4],
        [0.5, 0.1, 0.2, 0.2],
        [0.0, 0.7, 0.2, 0.1],
        [0.25, 0.25, 0.25, 0.25],
    ]
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("same_token", (0.2 + 0.7) / 2),  # of "the" alone, which occurs twice
        ("same_sentence", 1.0),
        ("previous", (0.5 + 0.7 + 0.25) / 3),  # [CLS] has none before it
        ("next", (0.2 + 0.2 + 0.1) / 3),
        ("cls", (0.1 + 0.5 + 0.0 + 0.25) / 4),
        ("same_token and previous", 0.7),
        ("not same_sentence", float("nan")),
    ],
)
def test_global_relevance_is_the_value_worked_out_by_hand(text, expected):
    heads = torch.stack([MAP, torch.full((4, 4), 0.25)])
    found = global_relevance(heads, parse(text).mask(SHORT))
    assert found.shape == (2,)
    assert float(found[0]) == pytest.approx(expected, nan_ok=True, abs=1e-6)


@given(predicates)
@settings(max_examples=50)
def test_head_masked_to_a_predicate_has_a_relevance_of_1(predicate):
    mask = predicate.mask(TOKENS)
    scores = torch.randn(3, 10, 10, generator=torch.Generator().manual_seed(1))
    allowed = allow_self_where_empty(mask)
    attention = torch.softmax(scores.masked_fill(~allowed, float("-inf")), dim=-1)
    found = global_relevance(attention, mask)
    if mask.any():
        torch.testing.assert_close(found, torch.ones(3, dtype=torch.float64), rtol=0, atol=1e-6)
    else:
        assert found.isnan().all()


@pytest.fixture(scope="module")
def classes():
    return TokenClasses(tiny_tokenizer())


@pytest.fixture(scope="module", params=[True, False], ids=["structured", "dense"])
def model(request):
    return to_dense(tiny_model(2, is_structured=request.param).eval())


def measure(model, classes, store, texts, accepted=PAPER, n=6):
    predicates = [parse(text) for text in texts]
    patterns = [parse(text) for text in accepted]
    return [
        measure_relevance(model, classes, predicates, patterns, make_batch(store, np.array([n])))
        for n in range(n)
    ]


def test_heads_of_a_model_have_a_relevance_of_1_for_their_own_pattern(
    model, classes, tiny_examples
):
    measured = measure(model, classes, tiny_examples[1], PAPER)
    names = dict(zip((MATCHING, INTRA, PREVIOUS, NEXT), range(4), strict=True))
    for layer, row in enumerate(model.config.plan):
        for head, pattern in enumerate(row):
            if pattern is not None:
                place = names[pattern]
                one = summarize_predicate(
                    parse(PAPER[place]), place, measured, Thresholds(), 100, 0
                )
                assert one.gr.mean[layer, head] == pytest.approx(1.0, abs=1e-6)
                assert one.gr.low[layer, head] == pytest.approx(1.0, abs=1e-6)


def test_streamed_figures_are_those_of_whole_maps(model, classes, tiny_examples):
    store, texts = tiny_examples[1], ["same_class and not self", "lead(2)", "cls"]
    measured = measure(model, classes, store, texts)
    for number, one in enumerate(measured):
        example = store[number]
        ids, sentences = torch.tensor(example.token_ids), torch.tensor(example.sentence_ids)
        tokens = classes.read(ids, sentences)
        maps = torch.stack(list(attention_maps(model, ids, sentences)))  # L H T T
        torch.testing.assert_close(maps.sum(dim=-1), torch.ones(maps.shape[:3]))
        for place, text in enumerate(texts):
            mask = parse(text).mask(tokens)
            expected = (maps * mask).sum(dim=(2, 3)).double().numpy()
            np.testing.assert_allclose(one.inside[place], expected, rtol=1e-5)
            assert one.n_pairs[place] == mask.sum()


def test_maps_are_in_the_order_of_the_head_numbers(model, tiny_examples):
    example = tiny_examples[1][0]
    ids, sentences = torch.tensor(example.token_ids), torch.tensor(example.sentence_ids)
    first, second = attention_maps(model, ids, sentences)
    assert torch.equal(first[2].argmax(dim=-1)[1:], torch.arange(len(ids) - 1))  # previous
    assert torch.equal(second[1].argmax(dim=-1)[:-1], torch.arange(1, len(ids)))  # next


def test_uniform_attention_has_a_lift_of_1_and_nobody_carries_it(classes, tiny_examples):
    model = to_dense(tiny_model(2, plan=((None,) * 4,) * 2))
    for layer in model.encoder.layers:
        layer.attention.query.weight.data.zero_()
        layer.attention.query.bias.data.zero_()
    measured = measure(model, classes, tiny_examples[1], ["same_token", "punctuation"])
    for place, text in enumerate(["same_token", "punctuation"]):
        one = summarize_predicate(parse(text), place, measured, Thresholds(), 100, 0)
        np.testing.assert_allclose(one.lift, 1.0, rtol=1e-5)
        np.testing.assert_allclose(one.per_token, one.uniform_per_token, rtol=1e-5)
        assert not one.carriers
    unexplained, uniform = summarize_unexplained(measured, 100, 0)
    np.testing.assert_allclose(unexplained.mean, uniform, rtol=1e-5)


def test_accepting_everything_leaves_nothing_and_accepting_nothing_leaves_all(
    model, classes, tiny_examples
):
    store = tiny_examples[1]
    for accepted, left in ((["self or not self"], 0.0), (["self and not self"], 1.0)):
        measured = measure(model, classes, store, ["cls"], accepted, n=2)
        np.testing.assert_allclose(
            summarize_unexplained(measured, 100, 0)[0].mean, left, rtol=0, atol=1e-6
        )


def test_predicate_counts_only_documents_that_have_a_pair_for_it(model, classes, tiny_examples):
    measured = measure(model, classes, tiny_examples[1], ["self and not self", "lead(7)"])
    assert summarize_predicate(parse("cls"), 0, measured, Thresholds(), 100, 0) is None
    assert summarize_predicate(parse("lead(7)"), 1, measured, Thresholds(), 100, 0).n == 6


@pytest.mark.parametrize("thresholds", [Thresholds(gr=1.01), Thresholds(lift=1e9)])
def test_each_threshold_keeps_a_head_from_carrying(model, classes, tiny_examples, thresholds):
    measured = measure(model, classes, tiny_examples[1], ["previous"])
    previous = parse("previous")
    assert summarize_predicate(previous, 0, measured, Thresholds(), 100, 0).carriers == [(0, 2)]
    found = summarize_predicate(previous, 0, measured, thresholds, 100, 0)
    assert found.carriers == found.short_of_z == []


def test_z_keeps_a_head_from_carrying_unless_it_looks_nowhere_else(model, classes, tiny_examples):
    measured = measure(model, classes, tiny_examples[1], ["previous", "same_sentence"])
    whole, part = (
        summarize_predicate(parse(text), i, measured, Thresholds(0.01, 0.5, z=1e9), 100, 0)
        for i, text in enumerate(("previous", "same_sentence"))
    )
    assert (0, 2) in whole.carriers
    assert part.short_of_z
    assert all(part.gr.low[at] < 0.99 for at in part.short_of_z)
    assert all(part.gr.low[at] >= 0.99 for at in part.carriers)


def test_heads_that_a_layer_has_not_have_no_relevance_and_change_no_z(classes, tiny_examples):
    uneven = tiny_model(2, **UNEVEN).eval()
    measured = (
        measure(to_dense(model), classes, tiny_examples[1], PAPER, ["next"])
        for model in (uneven, widen(uneven))
    )
    patterns = [parse(text) for text in PAPER]
    found, wide = (
        report_relevance(patterns, [parse("next")], one, Thresholds(z=1.0), {"n": 6}, 100, 0)
        for one in measured
    )
    there = np.array([[True, True, False, False], [True] * 4])
    for one, of_wide in zip(found.predicates, wide.predicates, strict=True):
        for values in ("mean", "low", "high"):
            expected = np.where(there, getattr(of_wide.gr, values), np.nan)
            np.testing.assert_allclose(getattr(one.gr, values), expected, atol=1e-6)
        np.testing.assert_allclose(one.lift, np.where(there, of_wide.lift, np.nan), rtol=1e-4)
        means = one.gr.mean[there]
        z = (means - means.mean()) / means.std()
        np.testing.assert_allclose(one.z[there], z, rtol=1e-9)
        assert np.isnan(one.z[~there]).all()
    rest = np.where(there, wide.unexplained.mean, np.nan)
    np.testing.assert_allclose(found.unexplained.mean, rest, atol=1e-6)
    carriers = {str(one.predicate): set(one.carriers) for one in found.predicates}
    assert carriers["next"] == {(0, 1)}
    assert carriers["previous"] == {(1, 3)}
    assert carriers["same_token"] == {(0, 0), (1, 2)}


def test_z_of_heads_that_are_all_alike_is_0_where_there_is_a_head():
    inside = np.array([[2.0, np.nan], [2.0, 2.0]])
    pairs, rows = np.array([8.0]), np.array([4.0])
    measured = [DocumentRelevance(inside[None], inside / 4, pairs, rows, 8, 4)] * 2
    one = summarize_predicate(parse("cls"), 0, measured, Thresholds(), 100, 0)
    np.testing.assert_array_equal(one.gr.mean, [[0.5, np.nan], [0.5, 0.5]])
    np.testing.assert_array_equal(one.z, [[0.0, np.nan], [0.0, 0.0]])


def test_library_parses_holds_each_predicate_once_and_takes_more():
    found = candidate_predicates(("cls and sep", "self"))
    assert len(found) == len(set(found)) == len(LIBRARY) + 1
    assert [str(one) for one in found[:4]] == list(PAPER)
    assert candidate_predicates(("cls",), has_library=False) == [parse("cls")]
