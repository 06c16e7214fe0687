"""Sentences of like length side by side, so that little of what is computed is padding.

One block of all sentences would be as long as the longest, some twice the mean in an article and
four times in a batch. Sorted by length and cut into thirds, three blocks hold little more than the
tokens themselves.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

_PARTS = 3


@dataclass(frozen=True)
class Block:
    """Some sentences of a batch, filled up to the longest of them.

    Attributes:
        sentences: (n,) int64 which ones, among all sentences of the batch.
        index: (n, longest) int64 place of each token among the documents * tokens places, filled up
            with valid places.
        mask: (n, longest) bool, True where index is a token of that sentence.
        bias: (n, longest) float32, 0 where mask is True, else minus infinity.
    """

    sentences: Tensor
    index: Tensor
    mask: Tensor
    bias: Tensor

    def first(self) -> "Block":
        """Its first sentence alone, still filled up to the longest of all."""
        return Block(self.sentences[:1], self.index[:1], self.mask[:1], self.bias[:1])


@dataclass(frozen=True)
class Blocks:
    """All sentences of a batch in blocks.

    Attributes:
        parts: none is empty; a sentence may stand in two, or in all where there is but one.
        order: (all sentences,) int64 place of each among those of all parts, one part after the
            other.
        rows: (documents * tokens,) int64 row of each token among those of all parts, flattened
            likewise; any valid one for padding.
    """

    parts: tuple[Block, ...]
    order: Tensor
    rows: Tensor


def cut_blocks(starts: Tensor, lengths: Tensor, group_ids: Tensor, places: Tensor) -> Blocks:
    """Put the sentences of a batch into blocks.

    Args:
        starts: (all sentences,) int64 place of each first token.
        lengths: (all sentences,) int64, at least 1.
        group_ids: (documents * tokens,) int64 the sentence of each place.
        places: (documents * tokens,) int64 place within the sentence, at least 0.

    Returns:
        The blocks.
    """
    n = lengths.shape[0]
    ranks = torch.arange(n, device=lengths.device)
    # Of one length, the earlier first. Not argsort: its ONNX form knows no order of equals.
    by_length = torch.topk(lengths * n + ranks, n, largest=False).indices
    ends = starts + lengths - 1
    n_rows = lengths.new_zeros(())
    n_before = 0
    parts, bases, own = [], [], []
    for k in range(_PARTS):
        # From the floor to the ceiling: no part is empty, and some sentences stand in two. Each is
        # read from the last of them: a place that is written twice has no defined value.
        begin, next_begin = n * k // _PARTS, n * (k + 1) // _PARTS
        end = (n * (k + 1) + _PARTS - 1) // _PARTS
        sentences = by_length[begin:end]
        own.append(n_before + torch.arange(next_begin - begin, device=lengths.device))
        n_before = n_before + end - begin
        longest = lengths[sentences].max()
        # arange of a 0-d tensor keeps the size free in ONNX.
        steps = torch.arange(longest, device=lengths.device)  # type: ignore[call-overload]
        mask = steps[None, :] < lengths[sentences][:, None]
        bias = torch.zeros_like(mask, dtype=torch.float32).masked_fill(~mask, float("-inf"))
        index = torch.minimum(starts[sentences][:, None] + steps, ends[sentences][:, None])
        parts.append(Block(sentences, index, mask, bias))
        bases.append(n_rows + torch.arange(sentences.shape[0], device=lengths.device) * longest)
        n_rows = n_rows + sentences.shape[0] * longest
    order = torch.zeros_like(lengths).scatter(0, by_length, torch.cat(own))
    first_rows = torch.cat(bases)[order]
    rows = torch.minimum(first_rows[group_ids] + places, n_rows - 1)
    return Blocks(tuple(parts), order, rows)
