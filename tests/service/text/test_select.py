"""Facts about choosing sentences."""

import itertools
import math
import re
from fractions import Fraction

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.errors import InputError, ShapeError
from service.text.select import LengthRule, Order, Redundancy, in_order, select_sentences

COUNT_3 = LengthRule(sentence_count=3)


def float_scores(*values: float) -> npt.NDArray[np.float32]:
    return np.array(values, dtype=np.float32)


def brute_force(
    scores: list[float], sentences: list[str], rule: LengthRule, redundancy: Redundancy
) -> list[int]:
    """The oracle: take the best remaining admissible sentence until none is admissible."""

    def repeats(one: str, other: str) -> bool:
        a, b = (re.findall(r"\w+", text.lower()) for text in (one, other))
        return any(
            a[i : i + 3] == b[j : j + 3]
            for i, j in itertools.product(range(len(a) - 2), range(len(b) - 2))
        )

    def is_admissible(index: int, taken: list[int]) -> bool:
        if index in taken:
            return False
        if rule.sentence_count is not None and len(taken) >= rule.sentence_count:
            return False
        if rule.ratio is not None and len(taken) >= math.ceil(
            Fraction(str(rule.ratio)) * len(sentences)
        ):
            return False
        if rule.max_characters is not None:
            joined = " ".join(sentences[i] for i in [*taken, index])
            if len(joined) > rule.max_characters:
                return False
        return redundancy is Redundancy.NONE or not any(
            repeats(sentences[index], sentences[i]) for i in taken
        )

    taken: list[int] = []
    while True:
        admissible = [i for i in range(len(scores)) if is_admissible(i, taken)]
        if not admissible:
            return taken
        taken.append(min(admissible, key=lambda i: (-scores[i], i)))


sentence_texts = st.lists(
    st.lists(st.sampled_from(["a", "B", "b", "c", "é", "-"]), min_size=1, max_size=6).map(" ".join),
    max_size=8,
)
rules = st.one_of(
    st.integers(1, 9).map(lambda n: LengthRule(sentence_count=n)),
    st.integers(1, 100).map(lambda n: LengthRule(ratio=n / 100)),
    st.integers(1, 40).map(lambda n: LengthRule(max_characters=n)),
)


@given(sentence_texts, rules, st.sampled_from(Redundancy), st.data())
def test_selection_agrees_with_brute_force(
    sentences: list[str], rule: LengthRule, redundancy: Redundancy, data: st.DataObject
) -> None:
    n_scored = data.draw(st.integers(0, len(sentences)))
    scores = data.draw(
        st.lists(st.sampled_from([0.0, 0.25, 0.5, 1.0]), min_size=n_scored, max_size=n_scored)
    )
    chosen = select_sentences(float_scores(*scores), sentences, rule, redundancy)
    assert chosen == brute_force(scores, sentences, rule, redundancy)


def test_best_sentences_come_first() -> None:
    chosen = select_sentences(
        float_scores(0.1, 0.9, 0.5, 0.7), ["a", "b", "c", "d"], COUNT_3, Redundancy.NONE
    )
    assert chosen == [1, 3, 2]


def test_of_equal_scores_the_earlier_sentence_comes_first() -> None:
    sentences = [f"s{i}" for i in range(50)]
    chosen = select_sentences(
        np.full(50, 0.5, dtype=np.float32), sentences, COUNT_3, Redundancy.TRIGRAM
    )
    assert chosen == [0, 1, 2]


def test_shared_trigram_is_skipped_whatever_its_case_and_punctuation() -> None:
    sentences = ["The cat sat down.", "Then THE CAT, sat up!", "A dog ran."]
    chosen = select_sentences(
        float_scores(0.9, 0.8, 0.1), sentences, LengthRule(sentence_count=2), Redundancy.TRIGRAM
    )
    assert chosen == [0, 2]


def test_repetition_is_kept_when_asked_for() -> None:
    sentences = ["The cat sat down.", "The cat sat down.", "A dog ran."]
    chosen = select_sentences(
        float_scores(0.9, 0.8, 0.1), sentences, LengthRule(sentence_count=2), Redundancy.NONE
    )
    assert chosen == [0, 1]


def test_blocking_does_not_fill_up_with_repetition() -> None:
    sentences = ["One two three four."] * 5
    chosen = select_sentences(
        np.full(5, 0.5, dtype=np.float32), sentences, COUNT_3, Redundancy.TRIGRAM
    )
    assert chosen == [0]


def test_two_words_never_block() -> None:
    chosen = select_sentences(
        float_scores(0.5, 0.5), ["Read on.", "Read on."], COUNT_3, Redundancy.TRIGRAM
    )
    assert chosen == [0, 1]


def test_sentences_without_a_score_are_never_chosen() -> None:
    chosen = select_sentences(
        float_scores(0.1, 0.2), ["a", "b", "c", "d"], COUNT_3, Redundancy.NONE
    )
    assert chosen == [1, 0]


@pytest.mark.parametrize(
    ("ratio", "n_sentences", "n_chosen"),
    [(0.001, 10, 1), (0.5, 5, 3), (0.07, 100, 7), (1.0, 4, 4), (0.1, 30, 3)],
)
def test_ratio_rounds_up_without_binary_error(
    ratio: float, n_sentences: int, n_chosen: int
) -> None:
    scores = np.zeros(n_sentences, dtype=np.float32)
    sentences = [str(i) for i in range(n_sentences)]
    chosen = select_sentences(scores, sentences, LengthRule(ratio=ratio), Redundancy.TRIGRAM)
    assert len(chosen) == n_chosen


def test_character_budget_counts_the_joining_spaces() -> None:
    sentences = ["aaaa", "bbbb", "cc"]
    scores = float_scores(0.9, 0.8, 0.1)
    assert select_sentences(scores, sentences, LengthRule(max_characters=9), Redundancy.NONE) == [
        0,
        1,
    ]
    assert select_sentences(scores, sentences, LengthRule(max_characters=8), Redundancy.NONE) == [
        0,
        2,
    ]


def test_budget_below_every_sentence_chooses_nothing() -> None:
    chosen = select_sentences(
        float_scores(0.9), ["aaaa"], LengthRule(max_characters=3), Redundancy.TRIGRAM
    )
    assert chosen == []


def test_no_sentence_no_choice() -> None:
    assert select_sentences(float_scores(), [], COUNT_3, Redundancy.TRIGRAM) == []


def test_more_scores_than_sentences_are_refused() -> None:
    with pytest.raises(ShapeError, match=r"expected \(<= 1 sentences,\), got \(2,\)"):
        select_sentences(float_scores(0.1, 0.2), ["a"], COUNT_3, Redundancy.NONE)


def test_order_is_by_offset_or_by_rank() -> None:
    assert in_order([4, 0, 2], Order.OFFSET) == [0, 2, 4]
    assert in_order([4, 0, 2], Order.RANK) == [4, 0, 2]


@pytest.mark.parametrize(
    ("values", "message", "pointer"),
    [
        ({}, "got none of them", ""),
        ({"sentence_count": 3, "ratio": 0.1}, "got sentence_count, ratio", ""),
        ({"sentence_count": 0}, "expected sentence_count >= 1, got 0", "/sentenceCount"),
        ({"ratio": 0.0}, "expected 0 < ratio <= 1, got 0.0", "/ratio"),
        ({"ratio": 1.5}, "expected 0 < ratio <= 1, got 1.5", "/ratio"),
        ({"ratio": math.nan}, "expected 0 < ratio <= 1, got nan", "/ratio"),
        ({"max_characters": 0}, "expected max_characters >= 1, got 0", "/maxCharacters"),
    ],
)
def test_unusable_length_rule_is_refused(
    values: dict[str, float], message: str, pointer: str
) -> None:
    with pytest.raises(InputError, match=re.escape(message)) as caught:
        LengthRule(**values)
    assert caught.value.pointer == pointer
