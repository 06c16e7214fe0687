"""ROUGE figures are those of rouge-score, and of a calculation by hand."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from rouge_score.rouge_scorer import RougeScorer

from training.evaluate.rouge import SIGNATURE, rouge_scores

sentences = st.lists(
    st.lists(st.sampled_from(["rivers", "river", "flooded", "the", "Town", "twice"]), max_size=6)
    .map(" ".join),
    max_size=4,
)  # fmt: skip


@given(sentences, sentences)
def test_scores_are_those_of_rouge_score_with_its_own_tokenizer(
    prediction: list[str], reference: list[str]
) -> None:
    scorer = RougeScorer(["rouge1", "rouge2", "rougeLsum"], use_stemmer=True)
    expected = scorer.score("\n".join(reference), "\n".join(prediction))
    np.testing.assert_allclose(
        rouge_scores(prediction, "\n".join(reference)),
        [100 * expected[name].fmeasure for name in ("rouge1", "rouge2", "rougeLsum")],
        rtol=0,
        atol=1e-12,
    )


def test_worked_example() -> None:
    # 3 of 4 words stand in the 3-word reference, 2 of 3 pairs in its 2, LCS 3.
    got = rouge_scores(["The cat sat down."], "the cat sat")
    np.testing.assert_allclose(got, [100 * 6 / 7, 100 * 4 / 5, 100 * 6 / 7], atol=1e-12)


def test_order_of_the_sentences_does_not_lower_summary_level_rouge_l() -> None:
    reference = "rain fell all night\nthe river rose"
    swapped = rouge_scores(["The river rose.", "Rain fell all night."], reference)
    assert swapped[2] == 100.0


def test_line_break_inside_a_sentence_does_not_cut_it() -> None:
    reference = "rain fell all night"
    np.testing.assert_array_equal(
        rouge_scores(["Rain fell\nall night."], reference),
        rouge_scores(["Rain fell all night."], reference),
    )


def test_empty_summary_scores_zero() -> None:
    np.testing.assert_array_equal(rouge_scores([], "rain fell"), np.zeros(3))


def test_signature_names_the_package_and_its_settings() -> None:
    for part in ("rouge-score 0.", "use_stemmer=True", "rougeLsum"):
        assert part in SIGNATURE
