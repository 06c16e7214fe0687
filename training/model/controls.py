"""Controls: masks that take something away from the patterns, to see what they owe it.

    random       as many places a row as the pattern has, but drawn; is it sparseness alone?
    without_cls  the [CLS] no longer match each other; is it their way from sentence to sentence?

Both are computed densely, and are for comparisons, not for export.
"""

from enum import StrEnum

import torch
from torch import Tensor

from training.model.patterns import Pattern

_MOST_TOKENS = 1 << 15
_MIXERS = (0x9E3779B1, 0x85EBCA6B)
_MASK_32 = (1 << 32) - 1


class Control(StrEnum):
    """What is taken away from the patterns of a model."""

    RANDOM = "random"
    WITHOUT_CLS = "without_cls"


def control_mask(
    control: Control, pattern: Pattern, mask: Tensor, sentence_ids: Tensor, is_cls: Tensor
) -> Tensor:
    """Take away from a pattern's mask what the control says.

    Args:
        control: what.
        pattern: whose mask it is.
        mask: (documents, tokens, tokens) bool; [b, i, j] is True when i may look at j.
        sentence_ids: (documents, tokens) int64, -1 for padding.
        is_cls: (documents, tokens) bool, True for each [CLS].

    Returns:
        (documents, tokens, tokens) bool; no row is empty.
    """
    if control is Control.RANDOM:
        return draw_places(mask, sentence_ids, list(Pattern).index(pattern))
    if pattern is Pattern.MATCHING_TOKEN:
        return part_cls(mask, is_cls)
    return mask


def draw_places(mask: Tensor, sentence_ids: Tensor, seed: int) -> Tensor:
    """Allow each token as many places as a mask does, drawn at random among the real ones.

    The draw depends on the places alone, and so neither on the document nor on its batch-mates.

    Args:
        mask: (documents, tokens, tokens) bool; no row is empty.
        sentence_ids: (documents, tokens) int64, -1 for padding.
        seed: of the draw, at least 0.

    Returns:
        (documents, tokens, tokens) bool; rows of padding stay.
    """
    is_real = sentence_ids >= 0  # B T
    keys = _draw_keys(mask.shape[-1], seed, mask.device)[None]
    keys = keys.masked_fill(~is_real[:, None, :], _MASK_32 + 1)  # B T T
    # The n lowest keys of a row are its places; no two real ones are equal.
    n_places = mask.sum(dim=-1, keepdim=True)
    highest = torch.sort(keys, dim=-1).values.gather(-1, n_places - 1)
    return torch.where(is_real[:, :, None], keys <= highest, mask)


def part_cls(mask: Tensor, is_cls: Tensor) -> Tensor:
    """Let no [CLS] look at another; one that may look nowhere looks at itself.

    Args:
        mask: (documents, tokens, tokens) bool.
        is_cls: (documents, tokens) bool, True for each [CLS].

    Returns:
        (documents, tokens, tokens) bool.
    """
    parted = mask & ~(is_cls[:, :, None] & is_cls[:, None, :])
    is_self = torch.eye(mask.shape[-1], dtype=torch.bool, device=mask.device)[None]
    return parted | (~parted.any(dim=-1, keepdim=True) & is_self)


def _draw_keys(n_tokens: int, seed: int, device: torch.device) -> Tensor:
    """(tokens, tokens) int64 below 2^32, scattered, no two equal.

    Each step maps the numbers below 2^32 one to one.
    """
    assert n_tokens <= _MOST_TOKENS, "two places of 15 bits"
    assert seed < 4, "and a seed of 2 fit into 32"
    places = torch.arange(n_tokens, device=device)
    keys = (seed << 30) | (places[:, None] * _MOST_TOKENS + places[None, :])
    for mixer in _MIXERS:
        keys = keys ^ (keys >> 16)
        # In two halves: a product of 32 bits by 32 has no room in int64.
        low, high = keys & 0xFFFF, keys >> 16
        keys = (low * mixer + ((high * mixer & 0xFFFF) << 16)) & _MASK_32
    return keys ^ (keys >> 16)
