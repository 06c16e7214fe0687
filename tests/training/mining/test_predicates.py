"""Predicates parse, print and match as their description says; errors point at the place."""

import pytest
import torch
from hypothesis import given

from service.errors import PredicateError
from tests.token_pairs import TOKENS, predicates
from training.mining.predicates import And, Not, Or, allow_self_where_empty, parse
from training.mining.tokens import TokenClass, Tokens
from training.model.patterns import intra_sentence_mask, matching_token_mask, neighbour_mask


def pairs(text):
    return [tuple(pair) for pair in parse(text).mask(TOKENS).nonzero().tolist()]


def places_of(text, i):
    return [j for row, j in pairs(text) if row == i]


@given(predicates)
def test_text_of_a_predicate_parses_to_it(predicate):
    assert parse(str(predicate)) == predicate


@given(predicates, predicates)
def test_equal_texts_mean_equal_predicates(first, second):
    assert (str(first) == str(second)) == (first == second)


@given(predicates)
def test_every_predicate_has_a_square_mask_and_a_description(predicate):
    mask = predicate.mask(TOKENS)
    assert mask.shape == (10, 10)
    assert mask.dtype == torch.bool
    assert predicate.describe()


@given(predicates, predicates)
def test_and_or_and_not_are_those_of_sets(first, second):
    a, b = first.mask(TOKENS), second.mask(TOKENS)
    assert torch.equal(And((first, second)).mask(TOKENS), a & b)
    assert torch.equal(Or((first, second)).mask(TOKENS), a | b)
    assert torch.equal(Not(first).mask(TOKENS), ~a)


@given(predicates)
def test_nobody_looks_at_padding_or_from_it(predicate):
    padded = Tokens(
        TOKENS.token_ids,
        torch.where(torch.arange(10) < 7, TOKENS.sentence_ids, -1),
        TOKENS.classes,
    )
    mask = predicate.mask(padded)
    assert not mask[7:].any()
    assert not mask[:, 7:].any()


def test_classes_come_from_the_vocabulary():
    names = " ".join(list(TokenClass)[number] for number in TOKENS.classes.tolist())
    assert names == "cls stopword word punctuation sep cls stopword number word sep"


def test_each_name_matches_what_it_says():
    assert pairs("same_token") == [
        (0, 5), (1, 6), (2, 8), (4, 9), (5, 0), (6, 1), (8, 2), (9, 4)
    ]  # fmt: skip
    assert places_of("same_sentence", 2) == [0, 1, 2, 3, 4]
    assert places_of("same_class", 1) == [1, 6]
    assert places_of("cls", 2) == [0, 5]
    assert places_of("sep", 2) == [4, 9]
    assert places_of("punctuation", 8) == [3]
    assert places_of("number", 0) == [7]
    assert places_of("stopword", 0) == [1, 6]
    assert places_of("word", 0) == [2, 8]
    assert pairs("both_cls") == [(0, 0), (0, 5), (5, 0), (5, 5)]
    assert pairs("self") == [(i, i) for i in range(10)]
    assert pairs("previous") == [(i, i - 1) for i in range(1, 10)]
    assert pairs("next") == [(i, i + 1) for i in range(9)]
    assert pairs("offset(-7)") == [(7, 0), (8, 1), (9, 2)]
    assert places_of("lead(1)", 9) == [0, 1, 2, 3, 4]
    assert places_of("lead(2)", 0) == list(range(10))


def test_and_binds_closer_than_or_and_not_closest():
    assert parse("self or cls and not sep") == parse("self or (cls and (not sep))")
    assert parse("(self or cls) and sep") != parse("self or cls and sep")


def test_needless_brackets_spaces_and_names_of_offsets_make_no_difference():
    assert parse(" ( same_token )\nand(offset(+1)) ") == parse("same_token and next")
    assert str(parse("offset(0) or offset(-1)")) == "self or previous"


def test_paper_patterns_are_the_masks_of_the_model():
    ids, sentences = TOKENS.token_ids[None], TOKENS.sentence_ids[None]
    for text, mask in (
        ("same_token", matching_token_mask(ids, sentences)),
        ("same_sentence", intra_sentence_mask(sentences)),
        ("previous", neighbour_mask(sentences, -1)),
        ("next", neighbour_mask(sentences, 1)),
    ):
        assert torch.equal(allow_self_where_empty(parse(text).mask(TOKENS)), mask[0])


def test_description_reads_as_a_sentence():
    predicate = parse("same_token and not (cls or offset(-3)) and lead(1)")
    assert predicate.describe() == (
        "another copy of it and not (a [CLS] or 3 places before it) and in the first sentence"
    )


@pytest.mark.parametrize(
    ("text", "position", "expected"),
    [
        ("", 0, "expected a predicate, 'not' or '(', got the end"),
        ("same_tokn", 0, "expected a predicate (perhaps 'same_token'), got 'same_tokn'"),
        ("zebra", 0, "one of same_token, same_sentence"),
        ("cls sep", 4, "expected 'and', 'or' or the end, got 'sep'"),
        ("cls and", 7, "expected a predicate, 'not' or '(', got the end"),
        ("cls and or sep", 8, "expected a predicate, 'not' or '(', got 'or'"),
        ("(cls or sep", 11, "expected 'and', 'or' or ')', got the end"),
        ("cls)", 3, "expected 'and', 'or' or the end, got ')'"),
        ("offset", 6, "expected '(' and a number after 'offset', got the end"),
        ("offset(x)", 7, "expected a whole number, got 'x'"),
        ("offset(1.5)", 8, "expected ')', got '.'"),
        ("lead(0)", 5, "expected a whole number of at least 1, got '0'"),
        ("offset(99999999)", 7, "expected a whole number, got '99999999'"),
        ("cls & sep", 4, "expected 'and', 'or' or the end, got '&'"),
        ("(" * 2000, 51, "expected at most 50 nested brackets"),
    ],
)
def test_error_names_the_place_and_what_was_expected(text, position, expected):
    with pytest.raises(PredicateError) as caught:
        parse(text)
    assert caught.value.position == position
    assert expected in str(caught.value)
    assert f"column {position + 1}" in str(caught.value)
    assert str(caught.value).endswith(f" in {text!r}")
