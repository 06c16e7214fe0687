"""Where the sentences of a batch lie: all that the model derives from sentence ids, once a batch.

Documents of one batch are padded to one length T; a padding token has sentence id -1. The G
sentences of the whole batch are numbered through, documents one after the other; L is the longest
one's length in tokens.
"""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Layout:
    """Index arrays over one batch, made by `lay_out`.

    Attributes:
        token_ids: (documents, tokens) int64.
        sentence_ids: (documents, tokens) int64, -1 for padding.
        starts: (all sentences,) int64 place of each [CLS] among the documents * tokens places.
        group_ids: (documents * tokens,) int64 the sentence of each place; padding belongs to the
            one before.
        places: (documents * tokens,) int64 place within the sentence, 0 for [CLS].
        block_index: (all sentences, longest) int64 place of each sentence's tokens, filled up with
            valid places.
        block_mask: (all sentences, longest) bool, True where block_index is a token of that
            sentence.
        table_index: (documents, sentences) int64 the sentences of each document, filled up with
            valid ones.
        table_mask: (documents, sentences) bool, True where table_index is a sentence of that
            document.
    """

    token_ids: Tensor
    sentence_ids: Tensor
    starts: Tensor
    group_ids: Tensor
    places: Tensor
    block_index: Tensor
    block_mask: Tensor
    table_index: Tensor
    table_mask: Tensor


def lay_out(token_ids: Tensor, sentence_ids: Tensor) -> Layout:
    """Derive the layout of a batch. Every operation has an ONNX form with free sizes.

    Args:
        token_ids: (documents, tokens) int64.
        sentence_ids: (documents, tokens) int64: 0, 0, 1, 1, 1, …, then -1 for padding; each
            document holds at least one sentence.

    Returns:
        The layout.
    """
    n_documents, n_tokens = token_ids.shape
    outside = torch.full((n_documents, 1), -2, dtype=torch.int64, device=token_ids.device)
    is_real = sentence_ids >= 0
    before = torch.cat([outside, sentence_ids[:, :-1]], dim=1)
    after = torch.cat([sentence_ids[:, 1:], outside], dim=1)
    is_start = (is_real & (sentence_ids != before)).reshape(-1)
    is_end = (is_real & (sentence_ids != after)).reshape(-1)
    starts = torch.nonzero(is_start)[:, 0]
    lengths = torch.nonzero(is_end)[:, 0] - starts + 1
    group_ids = torch.cumsum(is_start.to(torch.int64), dim=0) - 1
    all_places = torch.arange(n_documents * n_tokens, device=token_ids.device)
    # arange of a 0-d tensor keeps the size free in ONNX.
    steps = torch.arange(lengths.max(), device=token_ids.device)  # type: ignore[call-overload]
    places = torch.minimum(all_places - starts[group_ids], lengths.max() - 1)
    block_mask = steps[None, :] < lengths[:, None]
    last = starts + lengths - 1
    block_index = torch.minimum(starts[:, None] + steps[None, :], last[:, None])
    counts = is_start.reshape(n_documents, n_tokens).sum(dim=1)
    rows = torch.arange(counts.max(), device=token_ids.device)  # type: ignore[call-overload]
    first = torch.cumsum(counts, dim=0) - counts
    table_mask = rows[None, :] < counts[:, None]
    table_index = first[:, None] + torch.minimum(rows[None, :], counts[:, None] - 1)
    return Layout(
        token_ids=token_ids,
        sentence_ids=sentence_ids,
        starts=starts,
        group_ids=group_ids,
        places=places,
        block_index=block_index,
        block_mask=block_mask,
        table_index=table_index,
        table_mask=table_mask,
    )
