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
        parts: all with the same number of sentences; to fill the last ones up, the longest sentence
            may stand several times.
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
    # Rows of equal size, the last of them filled up with the longest sentence: no part is empty.
    size = (n + _PARTS - 1) // _PARTS
    filled = torch.arange(size * _PARTS, device=lengths.device).clamp(max=n - 1)
    in_parts = by_length[filled].reshape(_PARTS, -1)
    inside = torch.arange(size, device=lengths.device)
    zero, lowest = (torch.tensor(x, device=lengths.device) for x in (0.0, float("-inf")))
    n_rows = lengths.new_zeros(())
    parts, bases = [], []
    for k in range(_PARTS):
        sentences = in_parts[k]
        n_tokens = lengths[sentences]
        longest = n_tokens.max()
        # arange of a 0-d tensor keeps the size free in ONNX.
        steps = torch.arange(longest, device=lengths.device)  # type: ignore[call-overload]
        n_steps = n_tokens[:, None]
        mask = steps < n_steps
        index = starts[sentences][:, None] + torch.minimum(steps, n_steps - 1)
        parts.append(Block(sentences, index, mask, torch.where(mask, zero, lowest)))
        bases.append(n_rows + inside * longest)
        n_rows = n_rows + size * longest
    # A sentence is read from where it stands first, at its rank.
    order = torch.zeros_like(lengths).scatter(0, by_length, ranks)
    rows = torch.minimum(torch.cat(bases)[order][group_ids] + places, n_rows - 1)
    return Blocks(tuple(parts), order, rows)
