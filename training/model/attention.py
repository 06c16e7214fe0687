"""Self-attention whose heads carry a pattern each, or none.

Two forms compute the same numbers:

    dense       every head as the paper has it: all token pairs, masked to the pattern
    structured  intra_sentence heads sentence by sentence; previous/next heads as a shift of V;
                fixed matching heads as a mean over equal tokens, attention among the [CLS] alone

`structured` is what trains and what is exported; `dense` is its reference, and what a teacher
without patterns uses. Free heads, matching heads that are not fixed and intra-sentence heads that
are, are dense in both: where every head is of another kind, the arrays of the structured form grow
with the tokens times the longest sentence, and with the square of the sentences.

A fixed head has no Q and K, and weighs the places of its pattern alike. One exception: among each
other, the [CLS] of a fixed matching head keep learned weights. They all match, and with a pattern
in every head they are the only direct way from sentence to sentence.

Source:
    Li et al., arXiv:2112.05364: masked (weights inside the pattern are learned) for matching and
    intra-sentence, fixed (no Q, no K) for the positional heads. Fixed matching heads are ours.
"""

from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from training.model.controls import Control, control_mask
from training.model.copies import mean_of_copies
from training.model.layout import Layout, from_table, take_rows, to_table
from training.model.patterns import Pattern, Unmatched, matching_token_mask, pattern_mask
from training.model.projection import project_together
from training.model.shapes import flatten_places, join_heads, put_back, split_heads

_POSITIONAL = frozenset({Pattern.PREVIOUS_TOKEN, Pattern.NEXT_TOKEN})

# In place of minus infinity, so that a row that allows nothing is uniform and not NaN; such rows
# are never read.
_LOWEST = -1e9


@dataclass
class AttentionRecord:
    """What one layer's heads did, kept for mining and explanations.

    Attributes:
        x: (documents, tokens, width) what the layer was given.
        gathered: (documents, tokens, heads * head width) what the heads read, heads in the order of
            `PatternedAttention.head_order`: the very array that the output projection takes;
            (1, all sentences, heads * head width) where is_for_cls.
        weights: by pattern (None: free heads), (documents, heads, tokens, tokens) attention of
            the heads that are computed densely.
        cls_weights: (documents, heads, sentences, sentences) attention among the [CLS] in fixed
            matching heads in the structured form; None where there are none.
        is_for_cls: the layer was computed for the [CLS] alone.
        readings: where is_for_cls, all that is read from x but for copies: arrays of a row a
            sentence, each row from its own sentence and the token on either side.
        copies: where is_for_cls and heads match, what a [CLS] reads that is the only one of its
            document, (all sentences, width); of a document alone (1, width), which is right where
            it has a single sentence.
        pal: of the layer's Projected Attention Layer; None where it has none.
    """

    x: Tensor | None = None
    gathered: Tensor | None = None
    weights: dict[Pattern | None, Tensor] = field(default_factory=dict)
    cls_weights: Tensor | None = None
    is_for_cls: bool = False
    readings: tuple[Tensor, ...] = ()
    copies: Tensor | None = None
    pal: "AttentionRecord | None" = None


@dataclass(frozen=True)
class HeadGroup:
    """Heads of one layer that are computed together."""

    pattern: Pattern | None
    is_fixed: bool
    heads: tuple[int, ...]


class PatternedAttention(nn.Module):
    """Multi-head self-attention with one pattern, or none, for each head.

    Args:
        width: size of a token vector.
        plan: the pattern of each head, None for a free head.
        head_width: size of a head's Q, K and V; width / heads when not given, and then the width
            is a multiple of the number of heads.
        fixed: patterns whose heads weigh their places alike, without Q and K.
        unmatched: where a token without a second copy looks, in matching_token heads.
        output_width: size of the vectors that come out; `width` when not given.
        is_structured: compute in the structured form; else dense.
        control: what is taken away from the patterns, to compare with; dense whatever
            is_structured says.

    Attributes:
        head_order: head numbers in the order in which the heads are computed, those of one
            pattern together.
    """

    def __init__(
        self,
        width: int,
        plan: tuple[Pattern | None, ...],
        *,
        head_width: int | None = None,
        fixed: frozenset[Pattern] = _POSITIONAL,
        unmatched: Unmatched = Unmatched.SELF,
        output_width: int | None = None,
        is_structured: bool = True,
        control: Control | None = None,
    ) -> None:
        super().__init__()
        self.n_heads = len(plan)
        self.head_width = head_width or width // len(plan)
        self.unmatched = unmatched
        self.is_structured = is_structured and control is None
        self.control = control
        inner = self.n_heads * self.head_width
        self.query = nn.Linear(width, inner)
        self.key = nn.Linear(width, inner)
        self.value = nn.Linear(width, inner)
        self.output = nn.Linear(inner, output_width or width)
        self.groups = _group_heads(plan, fixed)
        in_order = tuple(head for group in self.groups for head in group.heads)
        learned = tuple(head for group in self.groups if not group.is_fixed for head in group.heads)
        self._value_rows = self.rows_of(in_order)
        self._query_rows = self.rows_of(learned)
        self._n_learned = len(learned)
        self.head_order = in_order

    def forward(self, x: Tensor, layout: Layout, record: AttentionRecord | None = None) -> Tensor:
        """Let every token gather from where its heads may look.

        Args:
            x: (documents, tokens, width) float.
            layout: of the same batch.
            record: filled in when given.

        Returns:
            (documents, tokens, output width) float.
        """
        projected = self._project_all(x)
        parts: list[Tensor] = []
        at = 0
        for group in self.groups:
            n = len(group.heads)
            of_values = at + 2 * self._n_learned
            firsts = (at, at + self._n_learned, of_values)  # of Q, K and V, if it has them all
            at += n
            if group.is_fixed:
                value = self._take_columns(projected, of_values, n)
                parts.append(self._attend_fixed(group, x, value, layout, record))
            elif self.is_structured and group.pattern is Pattern.INTRA_SENTENCE:
                parts.append(self._attend_within_sentences(projected, firsts, n, layout))
            else:
                query, key, value = (self._take_columns(projected, first, n) for first in firsts)
                parts.append(self._attend_densely(group, query, key, value, layout, record))
        heads = torch.cat(parts, dim=-1) if len(parts) > 1 else parts[0]
        if record is not None:
            record.x, record.gathered = x, heads
        return self.project_output(heads)

    def _project_all(self, x: Tensor) -> Tensor:
        """Give Q and K of the learned heads, then V of all, in the order of their computation.

        One product in place of three; (documents, tokens, columns * head width).
        """
        learned = (self.query, self.key) if self._n_learned else ()
        return project_together(
            x,
            *((layer, self._query_rows) for layer in learned),
            (self.value, self._value_rows),
        )

    def _take_columns(self, projected: Tensor, first: int, n: int) -> Tensor:
        """Some columns of `_project_all`, (documents, tokens, n * head width)."""
        return projected[..., first * self.head_width : (first + n) * self.head_width]

    def project_output(self, heads: Tensor) -> Tensor:
        """Put together what the heads read.

        Args:
            heads: (..., heads * head width) float, in the order in which they are computed.

        Returns:
            (..., output width) float.
        """
        return F.linear(heads, self.output.weight[:, self._value_rows], self.output.bias)

    def project_values(self, x: Tensor, group: HeadGroup) -> Tensor:
        """Give the values of one group's heads; (..., width) to (..., its heads * head width)."""
        return project_together(x, (self.value, self.rows_of(group.heads)))

    def project_queries(self, x: Tensor, group: HeadGroup) -> Tensor:
        """Give the queries of one group's heads; (..., width) to (..., its heads * head width)."""
        return project_together(x, (self.query, self.rows_of(group.heads)))

    def heads_of(self, record: AttentionRecord) -> Tensor:
        """What each head read, in the order of the head numbers.

        Args:
            record: filled in by this layer; where it was computed for the [CLS] alone, read
                (1, all sentences) for (documents, tokens).

        Returns:
            (documents, tokens, heads, head width) float.
        """
        assert record.gathered is not None
        back = [self.head_order.index(head) for head in range(self.n_heads)]
        heads: Tensor = record.gathered.unflatten(-1, (self.n_heads, self.head_width))
        return heads[:, :, back]

    def _attend_fixed(
        self,
        group: HeadGroup,
        x: Tensor,
        value: Tensor,
        layout: Layout,
        record: AttentionRecord | None,
    ) -> Tensor:
        """Average the values over the places of the pattern."""
        if self.is_structured and group.pattern in _POSITIONAL:
            is_next = group.pattern is Pattern.NEXT_TOKEN
            places = layout.next_index if is_next else layout.previous_index
            return put_back(take_rows(flatten_places(value), places), value)
        if self.is_structured and group.pattern is Pattern.MATCHING_TOKEN:
            means = mean_of_copies(value, layout, self.unmatched)
            cls, values = (take_rows(flatten_places(array), layout.starts) for array in (x, value))
            of_cls = self.attend_among_cls(group, cls, values, layout, record)
            return _put_cls(means, of_cls, layout)
        weights = self._mask(group.pattern, layout).to(value.dtype)
        weights = weights / weights.sum(dim=-1, keepdim=True)
        by_head = weights[:, None].expand(-1, len(group.heads), -1, -1)
        if group.pattern is Pattern.MATCHING_TOKEN and self.control is None:
            by_head = self._learn_cls_rows(group, by_head, x, layout)
        if record is not None:
            record.weights[group.pattern] = by_head
        return join_heads(by_head @ split_heads(value, self.head_width))

    def _learn_cls_rows(
        self, group: HeadGroup, weights: Tensor, x: Tensor, layout: Layout
    ) -> Tensor:
        """Give each [CLS] with others learned weights; (documents, heads, tokens, tokens).

        The dense reference of `attend_among_cls`.
        """
        rows = self.rows_of(group.heads)
        q, k = (
            split_heads(project_together(x, (p, rows)), self.head_width)
            for p in (self.query, self.key)
        )
        is_cls = layout.is_start.view(layout.token_ids.shape)  # B T
        copies = matching_token_mask(layout.token_ids, layout.sentence_ids)
        places = torch.arange(is_cls.shape[1], device=x.device)
        is_other = places[:, None] != places[None, :]
        mask = is_cls[:, :, None] & is_cls[:, None, :] & copies & is_other  # B T T
        scores = (q @ k.transpose(-1, -2)) / self.head_width**0.5
        learned = torch.softmax(scores.masked_fill(~mask[:, None], _LOWEST), dim=-1)
        return torch.where(mask.any(dim=-1)[:, None, :, None], learned, weights)

    def attend_among_cls(
        self,
        group: HeadGroup,
        cls: Tensor,
        values: Tensor,
        layout: Layout,
        record: AttentionRecord | None,
    ) -> Tensor:
        """Let each [CLS] look at the others of its document, in fixed matching heads.

        Args:
            group: those heads.
            cls: (all sentences, width) float.
            values: (all sentences, its heads * head width) float, theirs.
            layout: of the batch.
            record: gets the weights when given.

        Returns:
            (all sentences, its heads * head width) float; rows of a [CLS] without another mean
            nothing.
        """
        rows = self.rows_of(group.heads)
        asked = project_together(cls, (self.query, rows), (self.key, rows))
        both, v = (
            split_heads(to_table(array, layout), self.head_width)  # B H S d
            for array in (asked, values)
        )
        q, k = both.split(len(group.heads), dim=1)
        scores = (q @ k.transpose(-1, -2)) / self.head_width**0.5
        weights = torch.softmax(scores.masked_fill(~layout.cls_mask[:, None], _LOWEST), dim=-1)
        if record is not None:
            record.cls_weights = weights
        return from_table(join_heads(weights @ v), layout)

    def _attend_within_sentences(
        self, projected: Tensor, firsts: tuple[int, int, int], n: int, layout: Layout
    ) -> Tensor:
        """Attend inside each sentence alone, as one small block a sentence.

        Args:
            projected: as `_project_all` gives it.
            firsts: the columns of the first head's Q, K and V in it.
            n: how many heads follow there.
            layout: of the batch.

        Returns:
            (documents, tokens, n * head width) float.
        """
        width = self.head_width
        cells = projected.reshape(-1, width)  # of all tokens, one column after the other
        n_columns = 2 * self._n_learned + self.n_heads
        columns = torch.tensor(firsts, device=projected.device)[:, None] + torch.arange(
            n, device=projected.device
        )  # 3 H
        read = []
        for block in layout.blocks.parts:
            places = block.index * n_columns + columns[..., None, None]  # 3 H n L
            q, k, v = take_rows(cells, places)  # H n L d
            # Written out: torch's fused kernel is slower on blocks as small as a sentence.
            scores = (q @ k.transpose(-1, -2)) / width**0.5  # H n L L
            found = torch.softmax(scores + block.bias[:, None], dim=-1) @ v  # H n L d
            read.append(found.permute(1, 2, 0, 3).reshape(-1, n * width))  # n*L H*d
        return put_back(take_rows(torch.cat(read), layout.blocks.rows), projected)

    def _attend_densely(
        self,
        group: HeadGroup,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        layout: Layout,
        record: AttentionRecord | None,
    ) -> Tensor:
        """Attend over all pairs of tokens, masked to the pattern."""
        q, k, v = (split_heads(array, self.head_width) for array in (query, key, value))  # B H T d
        mask = self._dense_mask(group.pattern, layout)
        if record is None:
            read = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        else:
            scores = (q @ k.transpose(-1, -2)) / self.head_width**0.5
            weights = torch.softmax(scores.masked_fill(~mask, float("-inf")), dim=-1)
            record.weights[group.pattern] = weights
            read = weights @ v
        return join_heads(read)

    def _dense_mask(self, pattern: Pattern | None, layout: Layout) -> Tensor:
        """(documents, 1, tokens or 1, tokens) bool; padding rows of a free head are never read."""
        if pattern is None:
            return (layout.sentence_ids >= 0)[:, None, None, :]
        return self._mask(pattern, layout)[:, None]

    def _mask(self, pattern: Pattern | None, layout: Layout) -> Tensor:
        """(documents, tokens, tokens) bool, what the control has left of a pattern."""
        mask = pattern_mask(pattern, layout.token_ids, layout.sentence_ids, self.unmatched)
        if self.control is None or pattern is None:
            return mask
        is_cls = layout.is_start.view(layout.token_ids.shape)
        return control_mask(self.control, pattern, mask, layout.sentence_ids, is_cls)

    def rows_of(self, heads: tuple[int, ...]) -> slice | Tensor:
        """Rows of Q, K, V (columns of the output) that belong to these heads, in this order."""
        width = self.head_width
        if heads == tuple(range(len(heads))):
            return slice(0, len(heads) * width)
        return torch.tensor([head * width + i for head in heads for i in range(width)])


def _group_heads(
    plan: tuple[Pattern | None, ...], fixed: frozenset[Pattern]
) -> tuple[HeadGroup, ...]:
    groups = []
    for pattern in [*Pattern, None]:
        heads = tuple(head for head, carried in enumerate(plan) if carried == pattern)
        if heads:
            groups.append(HeadGroup(pattern, pattern in fixed, heads))
    # Learned groups first: each then begins at the same head among the Q, the K and the V.
    return tuple(sorted(groups, key=lambda group: group.is_fixed))


def _put_cls(means: Tensor, of_cls: Tensor, layout: Layout) -> Tensor:
    """Put what each [CLS] with others read in place of its mean."""
    flat = flatten_places(means)
    both = torch.cat([flat, of_cls.to(flat.dtype)])
    return put_back(take_rows(both, layout.row_index), means)
