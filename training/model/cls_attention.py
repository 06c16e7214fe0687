"""Patterned attention for the [CLS] alone: what a last layer needs, if nothing else is read of it.

A [CLS] looks at a sentence, at two neighbours and at its like, so there is no need to project every
token. Keys and values are linear in the token vectors, and weights sum to 1:

    q . (K x + k) = (K^T q) . x + a constant of the row, which softmax does not see
    sum of w (V x + v) = V (sum of w x) + v

so each head weighs the vectors themselves, and projects once a sentence. A head that asked nothing
would weigh all alike: the mean of the sentence, which the scorer reads, comes with the others.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from training.model.attention import AttentionRecord, HeadGroup, PatternedAttention
from training.model.blocks import Block
from training.model.layout import Layout, mean_of_block, mean_of_sentences, take_rows
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
    attention: PatternedAttention,
    x: Tensor,
    cls: Tensor,
    layout: Layout,
    record: AttentionRecord | None = None,
) -> tuple[Tensor, Tensor]:
    """Let every [CLS] gather from where its heads may look.

    Args:
        attention: one that `can_attend_from_cls`.
        x: (documents, tokens, width) float.
        cls: (all sentences, width) float, the [CLS] among them.
        layout: of the same batch; every sentence begins with the same token.
        record: filled in when given.

    Returns:
        (all sentences, output width) float: up to rounding, what `attention` gives at these places;
        and (all sentences, width) float, the mean of each sentence's tokens.
    """
    flat = flatten_places(x)
    parts, readings = [], [cls]
    mean = copies = None
    for group in attention.groups:
        if group.pattern is Pattern.MATCHING_TOKEN:
            copies = _read_copies(attention, flat, layout)
            parts.append(_look_at_like(attention, group, cls, copies, layout, record))
            continue
        if group.pattern is Pattern.INTRA_SENTENCE:
            read, mean = _read_sentence(attention, group, flat, cls, layout)
        else:
            is_next = group.pattern is Pattern.NEXT_TOKEN
            places = (layout.next_index if is_next else layout.previous_index)[layout.starts]
            read = attention.project_values(take_rows(flat, places), group)
        parts.append(read)
        readings.append(read)
    heads = torch.cat(parts, dim=-1)
    mean = mean_of_sentences(flat, layout) if mean is None else mean
    if record is not None:
        record.x, record.gathered, record.is_for_cls = x, heads[None], True
        record.readings, record.copies = (*readings, mean), copies
    return attention.project_output(heads), mean


def _read_sentence(
    attention: PatternedAttention, group: HeadGroup, flat: Tensor, cls: Tensor, layout: Layout
) -> tuple[Tensor, Tensor]:
    """Attend over each sentence's tokens, with learned weights.

    Returns:
        (all sentences, heads * head width) what the heads read, and (all sentences, width) the mean
        of the tokens.
    """
    rows, width = attention.rows_of(group.heads), attention.head_width
    q = (
        attention.project_queries(cls, group).reshape(-1, len(group.heads), width).transpose(0, 1)
    )  # H G d
    key, value = (
        layer.weight[rows].unflatten(0, (-1, width)) for layer in (attention.key, attention.value)
    )  # H d D
    asked = (q @ key).transpose(0, 1) / width**0.5  # G H D
    asked = F.pad(asked, (0, 0, 0, 1))  # G H+1 D, of the last head nothing
    parts = []
    for block in layout.blocks.parts:
        vectors = take_rows(flat, block.index)  # n L D
        scores = asked[block.sentences] @ vectors.transpose(1, 2) + block.bias[:, None]  # n H+1 L
        parts.append(torch.softmax(scores, dim=-1) @ vectors)  # n H+1 D
    read = torch.cat(parts)[layout.blocks.order]  # G H+1 D
    heads = read[:, :-1].transpose(0, 1) @ value.transpose(1, 2)  # H G d
    joined = heads.transpose(0, 1).reshape(-1, len(group.heads) * width)
    return joined + attention.value.bias[rows], read[:, -1]


def _look_at_like(
    attention: PatternedAttention,
    group: HeadGroup,
    cls: Tensor,
    copies: Tensor,
    layout: Layout,
    record: AttentionRecord | None,
) -> Tensor:
    """Attend among the [CLS]; the only one of a document looks at its copies in the text, if any.

    Args:
        attention: that these heads belong to.
        group: the heads.
        cls: (all sentences, width) float.
        copies: of `_read_copies`; a single row stands for all.
        layout: of the batch.
        record: gets the weights when given.

    Returns:
        (all sentences, heads * head width).
    """
    values = attention.project_values(cls, group)
    of_cls = attention.attend_among_cls(group, cls, values, layout, record)
    # All begin with one token: of two sentences each has another, and only a sole one reads these.
    alone = attention.project_values(copies, group)
    return torch.where(layout.is_learned[:, None], of_cls.to(alone.dtype), alone)


def _read_copies(attention: PatternedAttention, flat: Tensor, layout: Layout) -> Tensor:
    """Average over each first token's copies in its own sentence; (all sentences, width).

    Of a document alone (1, width), which is right where it has a single sentence.
    """
    parts = layout.blocks.parts
    if layout.is_alone:
        return _mean_of_copies(flat, parts[0].first(), layout.token_ids, attention.unmatched)
    of_blocks = [
        _mean_of_copies(flat, block, layout.token_ids, attention.unmatched) for block in parts
    ]
    return take_rows(torch.cat(of_blocks), layout.blocks.order)


def _mean_of_copies(flat: Tensor, block: Block, token_ids: Tensor, unmatched: Unmatched) -> Tensor:
    """Average over the copies of each first token in its own sentence; (n, width).

    Where there is none, it is its own vector, or the mean of the sentence.
    """
    ids = token_ids.reshape(-1)[block.index]  # n L
    is_itself = block.mask & (block.index == block.index[:, :1])
    is_copy = block.mask & (ids == ids[:, :1]) & ~is_itself
    otherwise = block.mask if unmatched is Unmatched.ALL else is_itself
    return mean_of_block(flat, block, is_copy | (otherwise & ~is_copy.any(dim=1, keepdim=True)))
