"""What the greedy oracle and the soft labels promise."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rouge_score.rouge_scorer import RougeScorer
from rouge_score.tokenizers import DefaultTokenizer

from training.data.oracle import greedy_oracle, soft_labels

WORDS = ("storms", "storm", "hit", "coast", "the", "power", "failing", "homes", "7", "rescue")
sentence_texts = st.lists(st.sampled_from(WORDS), min_size=0, max_size=5).map(" ".join)
documents = st.lists(sentence_texts, min_size=0, max_size=6)


def score_by_definition(sentences: list[str], summary: str) -> float:
    """R-1 F + R-2 F on sets of n-grams, written naively over rouge-score's own tokenizer."""
    tokenizer = DefaultTokenizer(use_stemmer=True)

    def grams(lines: list[str], n: int) -> set[tuple[str, ...]]:
        found = set()
        for line in lines:
            words = tokenizer.tokenize(line)
            found |= {tuple(words[i : i + n]) for i in range(len(words) - n + 1)}
        return found

    total = 0.0
    for n in (1, 2):
        candidate, wanted = grams(sentences, n), grams(summary.split("\n"), n)
        hits = len(candidate & wanted)
        total += 2 * hits / (len(candidate) + len(wanted)) if hits else 0.0
    return total


def greedy_by_definition(sentences: list[str], summary: str, max_sentences: int) -> list[int]:
    """The greedy search as the paper states it, every union scored from scratch."""
    chosen: list[int] = []
    while len(chosen) < max_sentences:
        now = score_by_definition([sentences[i] for i in chosen], summary)
        gains = [
            (score_by_definition([sentences[j] for j in [*chosen, i]], summary) - now, -i)
            for i in range(len(sentences))
            if i not in chosen
        ]
        if not gains or max(gains)[0] <= 0:
            break
        chosen.append(-max(gains)[1])
    return chosen


def test_worked_example_of_the_module() -> None:
    sentences = ["A dog ran.", "The cat sat down.", "The cat."]
    assert greedy_oracle(sentences, "the cat sat") == [1]
    assert score_by_definition([sentences[1]], "the cat sat") == pytest.approx(6 / 7 + 4 / 5)
    assert score_by_definition([sentences[2]], "the cat sat") == pytest.approx(4 / 5 + 2 / 3)


def test_second_sentence_is_taken_only_when_it_raises_the_sum() -> None:
    sentences = ["Rain fell on Monday.", "Nobody was hurt in the village.", "Rain fell."]
    summary = "Rain fell on Monday.\nNobody was hurt."
    assert greedy_oracle(sentences, summary) == [0, 1]


def test_indexes_come_in_the_order_taken_not_in_document_order() -> None:
    sentences = ["Homes were lost.", "A storm hit the whole coast on Sunday."]
    assert greedy_oracle(sentences, "A storm hit the coast on Sunday.\nHomes were lost.") == [1, 0]


@given(documents, st.lists(sentence_texts, min_size=1, max_size=3), st.integers(0, 4))
def test_greedy_oracle_agrees_with_its_definition(
    sentences: list[str], highlights: list[str], max_sentences: int
) -> None:
    summary = "\n".join(highlights)
    got = greedy_oracle(sentences, summary, max_sentences)
    want = greedy_by_definition(sentences, summary, max_sentences)
    assert got == want


@given(documents, sentence_texts)
def test_first_choice_is_the_best_single_sentence(sentences: list[str], summary: str) -> None:
    scores = [score_by_definition([sentence], summary) for sentence in sentences]
    chosen = greedy_oracle(sentences, summary, max_sentences=1)
    if max(scores, default=0.0) == 0.0:
        assert chosen == []
    else:
        assert chosen == [scores.index(max(scores))]


def test_greedy_reaches_the_best_subset_where_highlights_are_copied() -> None:
    sentences = ["Homes lost power.", "A rescue began.", "The storm hit.", "Seven people spoke."]
    summary = "A rescue began.\nThe storm hit."
    subsets = [c for n in (1, 2, 3) for c in combinations(range(4), n)]
    best = max(subsets, key=lambda c: score_by_definition([sentences[i] for i in c], summary))
    assert sorted(greedy_oracle(sentences, summary)) == list(best) == [1, 2]


def test_score_of_repetition_free_texts_is_that_of_rouge_score() -> None:
    sentence, summary = "Storms hit the coasts and cut power", "A storm cut power along the coast"
    scores = RougeScorer(["rouge1", "rouge2"], use_stemmer=True).score(summary, sentence)
    expected = scores["rouge1"].fmeasure + scores["rouge2"].fmeasure
    assert score_by_definition([sentence], summary) == pytest.approx(expected)


def test_pair_does_not_cross_two_highlights() -> None:
    # "coast homes" stands only where two highlights meet: as a pair it earns nothing.
    sentences = ["coast homes", "homes coast"]
    assert greedy_oracle(sentences, "storm coast\nhomes burn", max_sentences=1) == [0]
    assert greedy_oracle(sentences[::-1], "storm coast\nhomes burn", max_sentences=1) == [0]


def test_inflected_words_match_and_short_words_are_not_stemmed() -> None:
    assert greedy_oracle(["Rescuing villagers"], "rescued villager") == [0]
    assert greedy_oracle(["gas"], "ga") == []


def test_excluded_sentences_are_never_taken() -> None:
    sentences = ["The cat sat.", "The cat sat down."]
    assert greedy_oracle(sentences, "the cat sat", excluded=frozenset({0})) == [1]
    assert greedy_oracle(sentences, "the cat sat", excluded=frozenset({0, 1})) == []


@pytest.mark.parametrize(
    ("sentences", "summary"), [([], "a storm"), (["", "..."], "a storm"), (["A storm."], "")]
)
def test_nothing_to_match_takes_nothing(sentences: list[str], summary: str) -> None:
    assert greedy_oracle(sentences, summary) == []
    np.testing.assert_array_equal(
        soft_labels(sentences, summary), np.zeros(len(sentences), dtype=np.float32)
    )


def test_soft_labels_fall_with_the_round_of_the_choice() -> None:
    sentences = ["The cat.", "The cat sat down.", "A dog ran.", "The cat sat."]
    labels = soft_labels(sentences, "the cat sat", rounds=4, max_sentences=1)
    np.testing.assert_array_equal(labels, np.array([0.5, 0.75, 0.0, 1.0], dtype=np.float32))


@given(documents, sentence_texts)
def test_hard_labels_are_the_soft_labels_equal_to_one(sentences: list[str], summary: str) -> None:
    labels = soft_labels(sentences, summary)
    assert labels.dtype == np.float32
    assert labels.shape == (len(sentences),)
    assert np.all((labels >= 0) & (labels <= 1))
    assert np.flatnonzero(labels == 1.0).tolist() == sorted(greedy_oracle(sentences, summary))
