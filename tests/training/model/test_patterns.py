"""Who may look where, against a definition that is written out token by token."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.padded_batch import documents, padded_batch
from training.model.patterns import Pattern, Unmatched, pattern_mask

PATTERNS = (*Pattern, None)


def brute_force(pattern, token_ids, sentence_ids, unmatched):
    """The oracle: (documents, tokens, tokens), pair by pair."""
    mask = torch.zeros(*token_ids.shape, token_ids.shape[1], dtype=torch.bool)
    for b in range(token_ids.shape[0]):
        tokens, sentences = token_ids[b].tolist(), sentence_ids[b].tolist()
        real = [i for i, sentence in enumerate(sentences) if sentence >= 0]
        for i in range(len(tokens)):
            seen = {
                j for j in real if i in real and is_in_pattern(pattern, tokens, sentences, i, j)
            }
            is_to_see_all = pattern is Pattern.MATCHING_TOKEN and unmatched is Unmatched.ALL
            if not seen and i in real and is_to_see_all:
                seen = set(real)
            for j in seen or {i}:
                mask[b, i, j] = True
    return mask


def is_in_pattern(pattern, tokens, sentences, i, j):
    match pattern:
        case Pattern.MATCHING_TOKEN:
            return tokens[i] == tokens[j] and i != j
        case Pattern.INTRA_SENTENCE:
            return sentences[i] == sentences[j]
        case Pattern.PREVIOUS_TOKEN:
            return j == i - 1
        case Pattern.NEXT_TOKEN:
            return j == i + 1
        case None:
            return True


def seen_by_token(pattern, token_ids, sentence_ids):
    mask = pattern_mask(pattern, torch.tensor([token_ids]), torch.tensor([sentence_ids]))
    return [row.nonzero()[:, 0].tolist() for row in mask[0]]


@pytest.mark.parametrize("pattern", PATTERNS)
@settings(max_examples=40)
@given(batch=st.lists(documents, min_size=1, max_size=3), unmatched=st.sampled_from(Unmatched))
def test_mask_is_what_the_definition_says_pair_by_pair(pattern, batch, unmatched):
    arrays = padded_batch(*batch)
    expected = brute_force(pattern, *arrays, unmatched)
    assert torch.equal(pattern_mask(pattern, *arrays, unmatched).expand_as(expected), expected)


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        (Pattern.MATCHING_TOKEN, [[2], [3], [0], [1], [4]]),
        (Pattern.INTRA_SENTENCE, [[0, 1, 2], [0, 1, 2], [0, 1, 2], [3, 4], [3, 4]]),
        (Pattern.PREVIOUS_TOKEN, [[0], [0], [1], [2], [3]]),
        (Pattern.NEXT_TOKEN, [[1], [2], [3], [4], [4]]),
    ],
)
def test_worked_example_of_the_docstring(pattern, expected):
    assert seen_by_token(pattern, [7, 5, 7, 5, 9], [0, 0, 0, 1, 1]) == expected


@pytest.mark.parametrize("unmatched", Unmatched)
@pytest.mark.parametrize("pattern", PATTERNS)
@settings(max_examples=40)
@given(batch=st.lists(documents, min_size=2, max_size=3))
def test_padding_is_never_looked_at_and_no_row_is_empty(pattern, unmatched, batch):
    token_ids, sentence_ids = padded_batch(*batch)
    mask = pattern_mask(pattern, token_ids, sentence_ids, unmatched)
    is_real = sentence_ids >= 0
    assert not (mask & is_real[:, :, None] & ~is_real[:, None, :]).any()
    assert mask.any(dim=-1).all()
