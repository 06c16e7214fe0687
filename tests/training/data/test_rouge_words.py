"""Our ROUGE words are rouge-score's ROUGE words."""

from hypothesis import given
from hypothesis import strategies as st
from rouge_score.tokenizers import DefaultTokenizer

from training.data.rouge_words import rouge_words

ORACLE = DefaultTokenizer(use_stemmer=True)


@given(st.text())
def test_any_unicode_text_gives_the_words_of_rouge_score(text: str) -> None:
    assert rouge_words(text) == ORACLE.tokenize(text)


@given(st.text(alphabet="aeioulsyngdt ", min_size=1))
def test_word_like_texts_give_the_stems_of_rouge_score(text: str) -> None:
    assert rouge_words(text) == ORACLE.tokenize(text)


def test_worked_example() -> None:
    assert rouge_words("The U.S. sailors' 3 boats\nwere GONE") == [
        "the", "u", "s", "sailor", "3", "boat", "were", "gone",
    ]  # fmt: skip
