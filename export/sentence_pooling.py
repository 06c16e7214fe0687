"""Attention between tokens, pooled to attention between sentences.

It is the mean over who looks and the sum over what is seen. A map over tokens is pooled as it is.
What fixed matching heads look at follows from the token ids alone, and is counted without a map:

    counts[s, u]    how often sentence s holds the distinct token u
    share[u]        1 / (how often the document holds it - 1)
    pooled[s, t]    sum over u of counts[s, u] * share[u] * counts[t, u], for s != t

With the root of the share in each count, that is one array times itself. Tokens that stand a few
times only would make it as wide as the text is long: their pairs are added up one by one.

Of a layer that is there for the [CLS] alone, only what the [CLS] look at counts.
"""

import torch
from torch import Tensor

from training.model.layout import Layout
from training.model.patterns import Unmatched

# Copies of a token up to which it is counted pair by pair.
_RARE = 4


def pool_tokens(weights: Tensor, layout: Layout, *, is_for_cls: bool = False) -> Tensor:
    """Pool a map over the tokens of one document.

    Args:
        weights: (tokens, tokens) float attention, rows sum to 1.
        layout: of the document alone.
        is_for_cls: only what the [CLS] look at counts.

    Returns:
        (sentences, sentences) float, rows sum to 1.
    """
    sentences = torch.arange(layout.starts.shape[0])
    members = (layout.group_ids[None, :] == sentences[:, None]).to(weights.dtype)  # S T
    seen = weights @ members.T  # T S
    if is_for_cls:
        return seen.index_select(0, layout.starts)
    return (members @ seen) / members.sum(dim=1, keepdim=True)


def pool_cls(layout: Layout, among_cls: Tensor) -> Tensor:
    """Pool what the [CLS] alone look at in fixed matching heads.

    Args:
        layout: of one document alone.
        among_cls: as for `pool_copies`.

    Returns:
        (sentences, sentences) float, rows sum to 1; the only sentence of a document looks at
        itself.
    """
    places = torch.arange(layout.starts.shape[0])
    itself = (places[None, :] == places[:, None]).to(among_cls.dtype)
    return torch.where(layout.is_learned[:, None], among_cls, itself)


def pool_copies(layout: Layout, among_cls: Tensor, unmatched: Unmatched) -> Tensor:
    """Pool what fixed matching heads look at.

    Args:
        layout: of one document alone.
        among_cls: (sentences, sentences) float learned attention among the [CLS]; not read for a
            [CLS] without another.
        unmatched: where a token without a second copy looks.

    Returns:
        (sentences, sentences) float, rows sum to 1; equals `pool_tokens` of the dense map.
    """
    n_others = (layout.n_copies - 1).to(among_cls.dtype)  # U
    share_of_copy = torch.where(n_others > 0, 1.0 / n_others.clamp(min=1.0), 0.0)  # U
    share = share_of_copy.index_select(0, layout.copy_ids)  # T
    # A [CLS] with learned weights does not look at its copies, but is looked at by others: simple
    # to take out of the product, so it never counts as rare.
    cls_token = layout.copy_ids[layout.starts[:1]]
    is_rare = (layout.n_copies <= _RARE) & (torch.arange(layout.n_copies.shape[0]) != cls_token)
    total = _sum_rare(layout, share_of_copy * is_rare)
    total = total + _sum_common(layout, share_of_copy, ~is_rare)
    learned = layout.is_learned.to(share.dtype)  # S
    moved = (layout.is_start & layout.is_learned.index_select(0, layout.group_ids)).to(share)
    n_cls = _sum_by_sentence(layout, (layout.copy_ids == cls_token).to(share))
    total = total - (learned * share_of_copy[cls_token])[:, None] * n_cls
    places = torch.arange(layout.starts.shape[0])
    itself = (places[None, :] == places[:, None]).to(share.dtype)
    common = share * (~is_rare).index_select(0, layout.copy_ids)
    total = total - itself * _sum_by_sentence(layout, common * (1.0 - moved))[:, None]
    total = total.clamp(min=0.0)  # a difference of roots squared may miss 0 by rounding
    lengths = layout.lengths.to(share.dtype)  # S
    alone = _sum_by_sentence(layout, (share == 0).to(share))[:, None]
    total = total + alone * (lengths / lengths.sum() if unmatched is Unmatched.ALL else itself)
    return (total + learned[:, None] * among_cls) / lengths[:, None]


def _sum_common(layout: Layout, share_of_copy: Tensor, is_common: Tensor) -> Tensor:
    """Pool copies of common tokens, each with itself as well, by a product of their counts.

    Args:
        layout: of one document alone.
        share_of_copy: (distinct tokens,) float.
        is_common: (distinct tokens,) bool.

    Returns:
        (sentences, sentences) float.
    """
    n_sentences = layout.starts.shape[0]
    n_columns = torch.nonzero(is_common).shape[0] + 1  # the last one for all others
    ranks = torch.cumsum(is_common.to(torch.int64), dim=0) - 1
    column_of = torch.where(is_common, ranks, n_columns - 1)
    cells = layout.group_ids * n_columns + column_of.index_select(0, layout.copy_ids)
    roots = (share_of_copy * is_common).sqrt().index_select(0, layout.copy_ids)  # T
    flat = roots.new_zeros(n_sentences * n_columns).scatter_add(0, cells, roots)
    counts = flat.view(n_sentences, n_columns)
    return counts @ counts.T


def _sum_rare(layout: Layout, share_of_copy: Tensor) -> Tensor:
    """Pool copies of rare tokens, none with itself, pair by pair.

    Args:
        layout: of one document alone.
        share_of_copy: (distinct tokens,) float, 0 for all that are not rare.

    Returns:
        (sentences, sentences) float.
    """
    n_sentences = layout.starts.shape[0]
    tokens = layout.copy_ids.index_select(0, layout.by_token)  # T, copies side by side
    sentences = layout.group_ids.index_select(0, layout.by_token)
    share = share_of_copy.index_select(0, tokens)
    flat = share.new_zeros(n_sentences * n_sentences)
    for distance in range(1, _RARE):
        same = (tokens[distance:] == tokens[:-distance]).to(share)
        cells = sentences[distance:] * n_sentences + sentences[:-distance]
        flat = flat.scatter_add(0, cells, share[distance:] * same)
    one_way = flat.view(n_sentences, n_sentences)
    return one_way + one_way.T


def _sum_by_sentence(layout: Layout, values: Tensor) -> Tensor:
    """Add up values (tokens,) by sentence; (sentences,)."""
    return torch.zeros_like(layout.starts, dtype=values.dtype).scatter_add(
        0, layout.group_ids, values
    )
