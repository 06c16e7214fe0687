"""Attention between tokens, pooled to attention between sentences.

It is the mean over who looks and the sum over what is seen. A map over tokens is pooled as it is.
What fixed matching heads look at follows from the token ids alone, and is counted without a map:

    counts[s, u]    how often sentence s holds the distinct token u
    copies[u]       how often the document holds it
    pooled[s, t]    sum over u of counts[s, u] * counts[t, u] / (copies[u] - 1), for s != t

Of a layer that is there for the [CLS] alone, only what the [CLS] look at counts.
"""

import torch
from torch import Tensor

from training.model.layout import Layout
from training.model.patterns import Unmatched


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
    is_repeated = layout.n_copies > 1  # U
    repeated = torch.nonzero(is_repeated)[:, 0]  # R
    # All tokens without a second copy share one column, the last: many columns would cost memory.
    ranks = torch.cumsum(is_repeated.to(torch.int64), dim=0) - 1
    column_of = torch.where(is_repeated, ranks, repeated.shape[0])  # U
    columns = column_of.index_select(0, layout.copy_ids)  # T
    ones = torch.ones_like(columns, dtype=among_cls.dtype)
    is_moved = layout.is_start & layout.is_learned.index_select(0, layout.group_ids)
    n_columns = repeated.shape[0] + 1
    seen = _count(layout, columns, n_columns, ones)  # S R+1
    looking = _count(layout, columns, n_columns, ones - is_moved.to(ones.dtype))
    n_others = (layout.n_copies - 1).index_select(0, repeated).to(ones.dtype)
    by_copy = looking * torch.cat([1.0 / n_others, ones.new_zeros(1)])  # S R+1
    places = torch.arange(layout.starts.shape[0])
    itself = (places[None, :] == places[:, None]).to(ones.dtype)
    lengths = seen.sum(dim=1, keepdim=True)
    alone = looking[:, -1:]  # S 1
    is_all = unmatched is Unmatched.ALL
    where_alone = lengths.T / lengths.sum() if is_all else itself
    learned = layout.is_learned.to(ones.dtype)  # S
    total = by_copy @ seen.T - itself * by_copy.sum(dim=1, keepdim=True)
    total = total + alone * where_alone + learned[:, None] * among_cls
    return total / lengths


def _count(layout: Layout, columns: Tensor, n_columns: int, weights: Tensor) -> Tensor:
    """(sentences, columns) sums of weights (tokens,) by sentence and the token's column."""
    n_sentences = layout.starts.shape[0]
    cells = layout.group_ids * n_columns + columns
    flat = weights.new_zeros(n_sentences * n_columns).scatter_add(0, cells, weights)
    return flat.view(n_sentences, n_columns)
