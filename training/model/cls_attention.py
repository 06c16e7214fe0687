"""Patterned attention for the [CLS] alone: what a last layer needs, if nothing else is read of it.

A [CLS] looks at a sentence, at two neighbours and at its like, so there is no need to project every
token. Keys and values are linear in the token vectors, and weights sum to 1:

    q . (K x + k) = (K^T q) . x + a constant of the row, which softmax does not see
    sum of w (V x + v) = V (sum of w x) + v

so each head weighs the vectors themselves, and projects once a sentence.
"""

import torch
from torch import Tensor

from training.model.attention import AttentionRecord, HeadGroup, PatternedAttention
from training.model.blocks import Block
from training.model.layout import Layout, mean_of_block, take_rows
from training.model.patterns import Pattern, Unmatched
from training.model.shapes import flatten_places

_LEARNED = frozenset({Pattern.INTRA_SENTENCE})
_FIXED = frozenset({Pattern.MATCHING_TOKEN, Pattern.PREVIOUS_TOKEN, Pattern.NEXT_TOKEN})


def can_attend_from_cls(attention: PatternedAttention) -> bool:
    """Whether every head has a form that computes the [CLS] alone."""
    return attention.is_structured and all(
        group.pattern in (_FIXED if group.is_fixed else _LEARNED) for group in attention.groups
    )


def attend_from_cls(
    attention: PatternedAttention, x: Tensor, layout: Layout, record: AttentionRecord | None = None
) -> Tensor:
    """Let every [CLS] gather from where its heads may look.

    Args:
        attention: one that `can_attend_from_cls`.
        x: (documents, tokens, width) float.
        layout: of the same batch; every sentence begins with the same token.
        record: filled in when given.

    Returns:
        (all sentences, output width) float: up to rounding, what `attention` gives at these places.
    """
    flat = flatten_places(x)
    cls = take_rows(flat, layout.starts)  # G D
    parts = []
    for group in attention.groups:
        if group.pattern is Pattern.INTRA_SENTENCE:
            parts.append(_read_sentence(attention, group, flat, cls, layout))
        elif group.pattern is Pattern.MATCHING_TOKEN:
            parts.append(_read_copies(attention, group, flat, cls, layout, record))
        else:
            is_next = group.pattern is Pattern.NEXT_TOKEN
            places = (layout.next_index if is_next else layout.previous_index)[layout.starts]
            parts.append(attention.project_values(take_rows(flat, places), group))
    heads = torch.cat(parts, dim=-1)
    if record is not None:
        record.x, record.gathered, record.is_for_cls = x, heads[None], True
    out: Tensor = attention.project_output(heads)
    return out


def _read_sentence(
    attention: PatternedAttention, group: HeadGroup, flat: Tensor, cls: Tensor, layout: Layout
) -> Tensor:
    """Attend over each sentence's tokens, with learned weights; (all sentences, heads * width)."""
    rows, width = attention.rows_of(group.heads), attention.head_width
    q = (
        attention.project_queries(cls, group).reshape(-1, len(group.heads), width).transpose(0, 1)
    )  # H G d
    key, value = (
        layer.weight[rows].unflatten(0, (-1, width)) for layer in (attention.key, attention.value)
    )  # H d D
    asked = (q @ key).transpose(0, 1) / width**0.5  # G H D
    parts = []
    for block in layout.blocks.parts:
        vectors = take_rows(flat, block.index)  # n L D
        scores = asked[block.sentences] @ vectors.transpose(1, 2) + block.bias[:, None]  # n H L
        parts.append(torch.softmax(scores, dim=-1) @ vectors)  # n H D
    read = torch.cat(parts)[layout.blocks.order]  # G H D
    heads = read.transpose(0, 1) @ value.transpose(1, 2)  # H G d
    joined = heads.transpose(0, 1).reshape(-1, len(group.heads) * width)
    read_by_all: Tensor = joined + attention.value.bias[rows]
    return read_by_all


def _read_copies(
    attention: PatternedAttention,
    group: HeadGroup,
    flat: Tensor,
    cls: Tensor,
    layout: Layout,
    record: AttentionRecord | None,
) -> Tensor:
    """Attend among the [CLS]; the only one of a document looks at its copies in the text, if any.

    Returns:
        (all sentences, heads * head width).
    """
    values = attention.project_values(cls, group)
    of_cls = attention.attend_among_cls(group, cls, values, layout, record)
    if layout.is_alone:
        # All begin with one token: of two sentences each has another, and only a sole one reads it.
        first = layout.blocks.parts[0].first()
        means = _mean_of_copies(flat, first, layout.token_ids, attention.unmatched)
    else:
        of_blocks = [
            _mean_of_copies(flat, block, layout.token_ids, attention.unmatched)
            for block in layout.blocks.parts
        ]
        means = take_rows(torch.cat(of_blocks), layout.blocks.order)
    alone = attention.project_values(means, group)
    return torch.where(layout.is_learned[:, None], of_cls.to(alone.dtype), alone)


def _mean_of_copies(flat: Tensor, block: Block, token_ids: Tensor, unmatched: Unmatched) -> Tensor:
    """Average over the copies of each first token in its own sentence; (n, width).

    Where there is none, it is its own vector, or the mean of the sentence.
    """
    ids = token_ids.reshape(-1)[block.index]  # n L
    is_itself = block.mask & (block.index == block.index[:, :1])
    is_copy = block.mask & (ids == ids[:, :1]) & ~is_itself
    otherwise = block.mask if unmatched is Unmatched.ALL else is_itself
    return mean_of_block(flat, block, is_copy | (otherwise & ~is_copy.any(dim=1, keepdim=True)))
