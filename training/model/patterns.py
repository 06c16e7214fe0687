"""The attention patterns as pure functions: token and sentence ids in, "who may look where" out.

A worked example, five tokens in two sentences:

    token_ids     7 5 7 5 9     matching_token: 0<->2, 1<->3; 4 has no second copy: 4 -> itself
    sentence_ids  0 0 0 1 1     intra_sentence: {0, 1, 2} and {3, 4}
                                previous_token: 1->0, 2->1, 3->2, 4->3; 0 has none: 0 -> itself

Every function takes padding as sentence id -1. Real tokens never look at padding; padding looks at
itself, so that no row is ever empty (an empty row would become uniform over everything, padding
included).

Source: Li et al., arXiv:2112.05364. Unmatched -> self and the rule for the edges are our choice.
"""

from enum import StrEnum

import torch
from torch import Tensor


class Pattern(StrEnum):
    """What a head may look at."""

    MATCHING_TOKEN = "matching_token"
    INTRA_SENTENCE = "intra_sentence"
    PREVIOUS_TOKEN = "previous_token"
    NEXT_TOKEN = "next_token"


class Unmatched(StrEnum):
    """Where a token without a second copy looks, in a matching_token head."""

    SELF = "self"
    ALL = "all"


def matching_token_mask(
    token_ids: Tensor, sentence_ids: Tensor, unmatched: Unmatched = Unmatched.SELF
) -> Tensor:
    """Let each token look only at the other copies of itself.

    Args:
        token_ids: (documents, tokens) int64 vocabulary ids.
        sentence_ids: (documents, tokens) int64, -1 for padding.
        unmatched: where a token without a second copy looks.

    Returns:
        (documents, tokens, tokens) bool; [b, i, j] is True when i may look at j.

    Source:
        Li et al., arXiv:2112.05364, "matching token" (i != j); the released code lets unmatched
        tokens look at all (summarization) or at themselves (segmentation).
    """
    is_real = sentence_ids >= 0  # B T
    self_mask = _self_mask(token_ids)  # 1 T T
    same = token_ids[:, :, None] == token_ids[:, None, :]
    allowed = same & ~self_mask & is_real[:, None, :] & is_real[:, :, None]
    fallback = self_mask
    if unmatched is Unmatched.ALL:
        fallback = self_mask | (is_real[:, None, :] & is_real[:, :, None])
    is_unmatched = ~allowed.any(dim=-1, keepdim=True)
    return allowed | (is_unmatched & fallback)


def intra_sentence_mask(sentence_ids: Tensor) -> Tensor:
    """Let each token look at the tokens of its own sentence, itself, [CLS] and [SEP] included.

    Args:
        sentence_ids: (documents, tokens) int64, -1 for padding.

    Returns:
        (documents, tokens, tokens) bool; [b, i, j] is True when i may look at j.

    Source:
        Li et al., arXiv:2112.05364, "intra-sentence".
    """
    is_real = (sentence_ids >= 0)[:, :, None]
    same = sentence_ids[:, :, None] == sentence_ids[:, None, :]
    return (same & is_real) | _self_mask(sentence_ids)


def neighbour_mask(sentence_ids: Tensor, offset: int) -> Tensor:
    """Let each token look at the token `offset` places further; at itself where there is none.

    Args:
        sentence_ids: (documents, tokens) int64, -1 for padding.
        offset: -1 for the previous token, 1 for the next.

    Returns:
        (documents, tokens, tokens) bool with one True a row.

    Source:
        Li et al., arXiv:2112.05364, "positional"; the rule for the first and last token is ours.
    """
    n_tokens = sentence_ids.shape[1]
    places = torch.arange(n_tokens, device=sentence_ids.device)
    shifted = (places[None, :] == places[:, None] + offset)[None]  # 1 T T
    is_real = sentence_ids >= 0
    allowed = shifted & is_real[:, None, :] & is_real[:, :, None]
    has_none = ~allowed.any(dim=-1, keepdim=True)
    return allowed | (has_none & _self_mask(sentence_ids))


def pattern_mask(
    pattern: Pattern | None,
    token_ids: Tensor,
    sentence_ids: Tensor,
    unmatched: Unmatched = Unmatched.SELF,
) -> Tensor:
    """Build the mask of one pattern; a head without one may look at every real token.

    Args:
        pattern: the pattern, or None for a free head.
        token_ids: (documents, tokens) int64 vocabulary ids.
        sentence_ids: (documents, tokens) int64, -1 for padding.
        unmatched: where a token without a second copy looks, for matching_token.

    Returns:
        (documents, tokens, tokens) bool; [b, i, j] is True when i may look at j.
    """
    match pattern:
        case Pattern.MATCHING_TOKEN:
            return matching_token_mask(token_ids, sentence_ids, unmatched)
        case Pattern.INTRA_SENTENCE:
            return intra_sentence_mask(sentence_ids)
        case Pattern.PREVIOUS_TOKEN:
            return neighbour_mask(sentence_ids, -1)
        case Pattern.NEXT_TOKEN:
            return neighbour_mask(sentence_ids, 1)
        case None:
            is_real = sentence_ids >= 0
            return (is_real[:, None, :] & is_real[:, :, None]) | _self_mask(sentence_ids)


def _self_mask(like: Tensor) -> Tensor:
    """(1, tokens, tokens) bool, the diagonal."""
    places = torch.arange(like.shape[1], device=like.device)
    return (places[None, :] == places[:, None])[None]
