"""Facts about the choice between two, three and four sentences."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.errors import ShapeError
from service.text.adaptive_length import (
    COUNTS,
    FEATURES,
    AdaptiveLength,
    measure_candidates,
    rank_sentences,
)
from service.text.select import LengthRule, Redundancy, select_sentences

NO_WEIGHTS = dict.fromkeys(FEATURES, 0.0)
TEN = "One two three four five six seven eight nine ten."
OTHER_TEN = "Ants bees cats dogs eels foxes goats hares ibises jays."
SIXTY = " ".join(f"w{n}" for n in range(60)) + "."


def float_scores(*scores):
    return np.array(scores, dtype=np.float32)


def choose(scores, sentences, redundancy=Redundancy.TRIGRAM, **weights):
    length = AdaptiveLength(NO_WEIGHTS | weights)
    return length.choose(float_scores(*scores), sentences, redundancy)


def test_long_weak_third_sentence_is_left_out_as_in_the_worked_example():
    sentences = [TEN, OTHER_TEN, SIXTY, *["So."] * 7]
    scores = float_scores(0.8, 0.6, 0.1, *[0.0] * 7)
    candidates = measure_candidates(scores, sentences, [0, 1, 2])
    expected_f1 = {n: row[FEATURES.index("expected_f1")] for n, row in candidates.items()}
    assert expected_f1 == pytest.approx({2: 28 / 40, 3: 40 / 100}, abs=1e-6)
    assert choose(scores, sentences, expected_f1=100.0) == [0, 1]


def test_every_feature_by_hand():
    sentences = ["Red red cat.", "A cat sat.", "Dogs ran.", "It rained."]
    scores = float_scores(0.5, 0.25, 0.125, 0.0625)
    candidates = measure_candidates(scores, sentences, [0, 1, 2, 3])
    log_4 = np.log(4)
    # Distinct words of each: {red, cat}, {a, cat, sat}, {dogs, ran}, {it, rained}.
    assert candidates[2] == pytest.approx((1, 0, 2 * (1.5 + 0.75) / 26, -log_4, 1 - 4 / 5))
    assert candidates[3] == pytest.approx((0, 0, 2 * 2.5 / 28, 0, 1 - 6 / 7))
    assert candidates[4] == pytest.approx((0, 1, 2 * 2.625 / 30, log_4, 1 - 8 / 9))


def test_of_equal_worth_the_shorter_summary_is_chosen():
    assert choose([0.1, 0.4, 0.3, 0.2], ["Aa.", "Bb.", "Cc.", "Dd."]) == [1, 2]


@pytest.mark.parametrize(("weights", "n"), [({"is_two": -1.0}, 3), ({"is_four": 1.0}, 4)])
def test_a_weight_moves_the_choice(weights, n):
    assert choose([0.1, 0.4, 0.3, 0.2], ["Aa.", "Bb.", "Cc.", "Dd."], **weights) == [1, 2, 3, 0][:n]


@pytest.mark.parametrize("n", [0, 1, 2])
def test_up_to_two_sentences_are_all_chosen(n):
    assert choose([0.5] * n, ["Aa.", "Bb."][:n], is_four=1.0) == list(range(n))


def test_a_sentence_that_repeats_does_not_count_as_the_third():
    sentences = [TEN, TEN, OTHER_TEN]
    assert choose([0.9, 0.8, 0.7], sentences, is_two=-1.0) == [0, 2]
    assert choose([0.9, 0.8, 0.7], sentences, Redundancy.NONE, is_two=-1.0) == [0, 1, 2]


def test_sentences_that_were_not_read_are_never_chosen():
    assert choose([0.2, 0.9], ["Aa.", "Bb.", "Cc.", "Dd."], is_four=1.0) == [1, 0]


@given(
    st.lists(st.tuples(st.floats(0, 1, width=32), st.text(max_size=30)), max_size=8),
    st.lists(st.floats(-100, 100), min_size=len(FEATURES), max_size=len(FEATURES)),
    st.sampled_from(Redundancy),
)
def test_choice_is_what_the_rule_of_so_many_sentences_chooses(document, weights, redundancy):
    scores = float_scores(*[score for score, _ in document])
    sentences = [text for _, text in document]
    length = AdaptiveLength(dict(zip(FEATURES, weights, strict=True)))
    chosen = length.choose(scores, sentences, redundancy)
    n_ranked = len(rank_sentences(scores, sentences, redundancy))
    assert len(chosen) in [n for n in COUNTS if n <= n_ranked] or len(chosen) == n_ranked < 2
    rule = LengthRule(sentence_count=max(1, len(chosen)))
    assert chosen == select_sentences(scores, sentences, rule, redundancy)


@pytest.mark.parametrize("weights", [{}, NO_WEIGHTS | {"is_five": 1.0}])
def test_other_features_are_refused(weights):
    with pytest.raises(ShapeError, match=r"expected weights of \['document_length'"):
        AdaptiveLength(weights)
