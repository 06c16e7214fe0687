"""Self-attention whose heads carry a pattern each, or none.

Two forms compute the same numbers:

    dense       every head as the paper has it: all token pairs, masked to the pattern
    structured  intra_sentence heads sentence by sentence, previous/next heads as a shift of V
                (no Q, no K); matching and free heads stay dense

`structured` is what trains and what is exported; `dense` is its reference, and what a teacher
without patterns uses.

Source:
    Li et al., arXiv:2112.05364: masked (weights inside the pattern are learned) for matching and
    intra-sentence, fixed (no Q, no K) for the positional heads.
"""

from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from training.model.layout import Layout
from training.model.patterns import Pattern, Unmatched, pattern_mask

_SHIFTS = {Pattern.PREVIOUS_TOKEN: -1, Pattern.NEXT_TOKEN: 1}


@dataclass
class AttentionRecord:
    """What one layer's heads did, kept for mining and explanations.

    Attributes:
        x: (documents, tokens, width) what the layer was given.
        gathered: (documents, tokens, width) what the heads read, heads in the order of
            `PatternedAttention.head_order`: the very array that the output projection takes.
        weights: by pattern (None: free heads), (documents, heads, tokens, tokens) attention of
            the heads that are computed densely.
    """

    x: Tensor | None = None
    gathered: Tensor | None = None
    weights: dict[Pattern | None, Tensor] = field(default_factory=dict)


@dataclass(frozen=True)
class _HeadGroup:
    """Heads of one layer that are computed together."""

    pattern: Pattern | None
    is_fixed: bool
    heads: tuple[int, ...]


class PatternedAttention(nn.Module):
    """Multi-head self-attention with one pattern, or none, for each head.

    Args:
        width: size of a token vector; a multiple of the number of heads.
        plan: the pattern of each head, None for a free head.
        fixed: patterns whose heads weigh their places alike, without Q and K.
        unmatched: where a token without a second copy looks, in matching_token heads.
        is_structured: compute in the structured form; else dense.

    Attributes:
        head_order: head numbers in the order in which the heads are computed, those of one
            pattern together.
    """

    def __init__(
        self,
        width: int,
        plan: tuple[Pattern | None, ...],
        *,
        fixed: frozenset[Pattern] = frozenset(_SHIFTS),
        unmatched: Unmatched = Unmatched.SELF,
        is_structured: bool = True,
    ) -> None:
        super().__init__()
        self.n_heads = len(plan)
        self.head_width = width // len(plan)
        self.unmatched = unmatched
        self.is_structured = is_structured
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, width)
        self.value = nn.Linear(width, width)
        self.output = nn.Linear(width, width)
        self.groups = _group_heads(plan, fixed)
        in_order = [head for group in self.groups for head in group.heads]
        learned = [head for group in self.groups if not group.is_fixed for head in group.heads]
        self._value_rows = self._rows(in_order)
        self._query_rows = self._rows(learned)
        self.head_order = tuple(in_order)

    def forward(self, x: Tensor, layout: Layout, record: AttentionRecord | None = None) -> Tensor:
        """Let every token gather from where its heads may look.

        Args:
            x: (documents, tokens, width) float.
            layout: of the same batch.
            record: filled in when given.

        Returns:
            (documents, tokens, width) float.
        """
        values = _project(x, self.value, self._value_rows)
        queries = _project(x, self.query, self._query_rows)
        keys = _project(x, self.key, self._query_rows)
        parts: list[Tensor] = []
        at = at_learned = 0
        for group in self.groups:
            size = len(group.heads) * self.head_width
            value = values[..., at : at + size]
            at += size
            if group.is_fixed:
                parts.append(self._attend_fixed(group, value, layout, record))
                continue
            query = queries[..., at_learned : at_learned + size]
            key = keys[..., at_learned : at_learned + size]
            at_learned += size
            if self.is_structured and group.pattern is Pattern.INTRA_SENTENCE:
                parts.append(self._attend_within_sentences(query, key, value, layout))
            else:
                parts.append(self._attend_densely(group, query, key, value, layout, record))
        heads = torch.cat(parts, dim=-1) if len(parts) > 1 else parts[0]
        if record is not None:
            record.x, record.gathered = x, heads
        return F.linear(heads, self.output.weight[:, self._value_rows], self.output.bias)

    def heads_of(self, record: AttentionRecord) -> Tensor:
        """What each head read, in the order of the head numbers.

        Args:
            record: filled in by this layer.

        Returns:
            (documents, tokens, heads, head width) float.
        """
        assert record.gathered is not None
        back = [self.head_order.index(head) for head in range(self.n_heads)]
        heads: Tensor = record.gathered.unflatten(-1, (self.n_heads, self.head_width))
        return heads[:, :, back]

    def _attend_fixed(
        self,
        group: _HeadGroup,
        value: Tensor,
        layout: Layout,
        record: AttentionRecord | None,
    ) -> Tensor:
        """Average the values over the places of the pattern."""
        if self.is_structured and group.pattern in _SHIFTS:
            return _shift(value, layout.sentence_ids, _SHIFTS[group.pattern])
        mask = pattern_mask(group.pattern, layout.token_ids, layout.sentence_ids, self.unmatched)
        weights = mask.to(value.dtype)
        weights = weights / weights.sum(dim=-1, keepdim=True)
        if record is not None:
            record.weights[group.pattern] = weights[:, None].expand(-1, len(group.heads), -1, -1)
        return weights @ value

    def _attend_within_sentences(
        self, query: Tensor, key: Tensor, value: Tensor, layout: Layout
    ) -> Tensor:
        """Attend inside each sentence alone, as one small block a sentence."""
        q, k, v = (_to_blocks(array, layout, self.head_width) for array in (query, key, value))
        mask = layout.block_mask[:, None, None, :]  # G 1 1 L
        read = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)  # G H L d
        rows = read.transpose(1, 2).flatten(2)  # G L H*d
        n_longest = layout.block_index.shape[1]
        flat = rows.flatten(0, 1).index_select(0, layout.group_ids * n_longest + layout.places)
        return flat.view(value.shape)

    def _attend_densely(
        self,
        group: _HeadGroup,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        layout: Layout,
        record: AttentionRecord | None,
    ) -> Tensor:
        """Attend over all pairs of tokens, masked to the pattern."""
        q, k, v = (self._split_heads(array) for array in (query, key, value))  # B H T d
        mask = self._dense_mask(group.pattern, layout)
        if record is None:
            read = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        else:
            scores = (q @ k.transpose(-1, -2)) / self.head_width**0.5
            weights = torch.softmax(scores.masked_fill(~mask, float("-inf")), dim=-1)
            record.weights[group.pattern] = weights
            read = weights @ v
        return read.transpose(1, 2).flatten(2)

    def _dense_mask(self, pattern: Pattern | None, layout: Layout) -> Tensor:
        """(documents, 1, tokens or 1, tokens) bool; padding rows of a free head are never read."""
        if pattern is None:
            return (layout.sentence_ids >= 0)[:, None, None, :]
        return pattern_mask(pattern, layout.token_ids, layout.sentence_ids, self.unmatched)[:, None]

    def _split_heads(self, array: Tensor) -> Tensor:
        heads: Tensor = array.unflatten(-1, (-1, self.head_width))
        return heads.transpose(1, 2)

    def _rows(self, heads: list[int]) -> slice | Tensor:
        """Rows of Q, K, V (columns of the output) that belong to these heads, in this order."""
        width = self.head_width
        if heads == list(range(len(heads))):
            return slice(0, len(heads) * width)
        return torch.tensor([head * width + i for head in heads for i in range(width)])


def _group_heads(
    plan: tuple[Pattern | None, ...], fixed: frozenset[Pattern]
) -> tuple[_HeadGroup, ...]:
    groups = []
    for pattern in [*Pattern, None]:
        heads = tuple(head for head, carried in enumerate(plan) if carried == pattern)
        if heads:
            groups.append(_HeadGroup(pattern, pattern in fixed, heads))
    # Learned groups first: their Q and K are then the first rows of the matrices.
    return tuple(sorted(groups, key=lambda group: group.is_fixed))


def _project(x: Tensor, layer: nn.Linear, rows: slice | Tensor) -> Tensor:
    return F.linear(x, layer.weight[rows], layer.bias[rows])


def _shift(value: Tensor, sentence_ids: Tensor, offset: int) -> Tensor:
    """Give each token the value of its neighbour, and its own where it has none."""
    if offset < 0:
        return torch.cat([value[:, :1], value[:, :-1]], dim=1)
    shifted = torch.cat([value[:, 1:], value[:, -1:]], dim=1)
    next_ids = torch.cat([sentence_ids[:, 1:], torch.full_like(sentence_ids[:, :1], -1)], dim=1)
    return torch.where((next_ids >= 0)[..., None], shifted, value)


def _to_blocks(array: Tensor, layout: Layout, head_width: int) -> Tensor:
    """(documents, tokens, heads * head width) -> (all sentences, heads, longest, head width)."""
    n_groups, n_longest = layout.block_index.shape
    rows = array.flatten(0, 1).index_select(0, layout.block_index.reshape(-1))
    return rows.view(n_groups, n_longest, -1, head_width).transpose(1, 2)
