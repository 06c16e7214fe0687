"""Where the sentences of a batch lie: all that the model derives from sentence ids, once a batch.

Documents of one batch are padded to one length T; a padding token has sentence id -1. The G
sentences of the whole batch are numbered through, documents one after the other; L is the longest
one's length in tokens.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from training.model.blocks import Block, Blocks, cut_blocks
from training.model.shapes import flatten_places

# Above every vocabulary; the keys of a batch stay far below 2^63.
_MOST_IDS = 1 << 32


@dataclass(frozen=True)
class Layout:
    """Index arrays over one batch, made by `lay_out` or `lay_out_alone`.

    Attributes:
        token_ids: (documents, tokens) int64.
        sentence_ids: (documents, tokens) int64, -1 for padding.
        starts: (all sentences,) int64 place of each [CLS] among the documents * tokens places.
        lengths: (all sentences,) int64 tokens of each, at least 1.
        is_start: (documents * tokens,) bool, True for each [CLS].
        group_ids: (documents * tokens,) int64 the sentence of each place; padding belongs to the
            one before.
        places: (documents * tokens,) int64 place within the sentence, 0 for [CLS].
        blocks: sentences of like length side by side.
        previous_index: (documents * tokens,) int64 place of the token before each, its own for the
            first.
        next_index: (documents * tokens,) int64 place of the token after each, its own for the last,
            and where padding follows.
        table_index: (documents, sentences) int64 the sentences of each document, filled up with
            valid ones.
        table_mask: (documents, sentences) bool, True where table_index is a sentence of that
            document.
        table_rows: (all sentences,) int64 place of each sentence among the documents * sentences
            places of the table.
        cls_mask: (documents, sentences, sentences) bool; [b, i, j] is True where the [CLS] of i is
            the same token as that of j, another sentence of the document.
        is_learned: (all sentences,) bool, whether there is such another.
        row_index: (documents * tokens,) int64 where each place reads in its tokens' rows followed
            by one row a sentence: itself, or documents * tokens + its sentence for a [CLS] with
            such another.
        copy_ids: (documents * tokens,) int64 number of the distinct token of its document that
            each place holds; padding is distinct everywhere.
        n_copies: (distinct tokens,) int64 how many places hold each.
        by_token: (documents * tokens,) int64 all places, those that hold the same token side by
            side, in the order of `n_copies`.
        is_alone: made by `lay_out_alone`, of one document without padding whose sentences begin
            with the same token: `table_index` and `table_rows` count from 0, and `table_mask` is
            True everywhere.
    """

    token_ids: Tensor
    sentence_ids: Tensor
    starts: Tensor
    lengths: Tensor
    is_start: Tensor
    group_ids: Tensor
    places: Tensor
    blocks: Blocks
    previous_index: Tensor
    next_index: Tensor
    table_index: Tensor
    table_mask: Tensor
    table_rows: Tensor
    cls_mask: Tensor
    is_learned: Tensor
    row_index: Tensor
    copy_ids: Tensor
    n_copies: Tensor
    by_token: Tensor
    is_alone: bool


def lay_out(token_ids: Tensor, sentence_ids: Tensor) -> Layout:
    """Derive the layout of a batch.

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
    places = torch.minimum(all_places - starts[group_ids], lengths.max() - 1)
    has_previous = (before != -2).reshape(-1).to(torch.int64)
    has_next = (after >= 0).reshape(-1).to(torch.int64)
    counts = is_start.reshape(n_documents, n_tokens).sum(dim=1)
    rows = torch.arange(int(counts.max()), device=token_ids.device)
    first = torch.cumsum(counts, dim=0) - counts
    table_mask = rows[None, :] < counts[:, None]
    table_index = first[:, None] + torch.minimum(rows[None, :], counts[:, None] - 1)
    documents = torch.arange(n_documents, device=token_ids.device)[:, None].expand(-1, n_tokens)
    document_of_group = documents.reshape(-1).index_select(0, starts)
    in_document = torch.arange(starts.shape[0], device=token_ids.device)
    in_document = in_document - first.index_select(0, document_of_group)
    table_rows = document_of_group * counts.max() + in_document
    cls_ids = token_ids.reshape(-1).index_select(0, starts)[table_index]  # B S
    cls_mask = (cls_ids[:, :, None] == cls_ids[:, None, :]) & (rows[:, None] != rows[None, :])
    cls_mask = cls_mask & table_mask[:, None, :] & table_mask[:, :, None]
    has_match = cls_mask.any(dim=-1).reshape(-1)
    is_learned = has_match.index_select(0, table_rows)
    _, copy_ids, n_copies = torch.unique(
        _copy_keys(token_ids, is_real, documents, all_places),
        return_inverse=True,
        return_counts=True,
    )
    return Layout(
        token_ids=token_ids,
        sentence_ids=sentence_ids,
        starts=starts,
        lengths=lengths,
        is_start=is_start,
        group_ids=group_ids,
        places=places,
        blocks=cut_blocks(starts, lengths, group_ids, places),
        previous_index=all_places - has_previous,
        next_index=all_places + has_next,
        table_index=table_index,
        table_mask=table_mask,
        table_rows=table_rows,
        cls_mask=cls_mask,
        is_learned=is_learned,
        row_index=_row_index(
            all_places, is_start & is_learned.index_select(0, group_ids), group_ids
        ),
        copy_ids=copy_ids,
        n_copies=n_copies,
        by_token=torch.argsort(copy_ids),
        is_alone=False,
    )


def lay_out_alone(token_ids: Tensor, sentence_ids: Tensor) -> Layout:
    """Derive the layout of one document without padding, in fewer operations than `lay_out`.

    Every operation has an ONNX form with free sizes.

    Args:
        token_ids: (1, tokens) int64; every sentence begins with the same token.
        sentence_ids: (1, tokens) int64: 0, 0, 1, 1, 1, …

    Returns:
        The layout, equal to that of `lay_out` but for `is_alone`, and for the order in which
        `by_token` has the places of one token.
    """
    ids, group_ids = token_ids.reshape(-1), sentence_ids.reshape(-1)
    n_tokens = ids.shape[0]
    all_places = torch.arange(n_tokens, device=ids.device)
    is_start = F.pad(group_ids[:-1], (1, 0), value=-1) != group_ids
    starts = torch.nonzero(is_start)[:, 0]
    lengths = torch.cat([starts[1:], all_places[-1:] + 1]) - starts
    places = all_places - starts[group_ids]
    rows = torch.arange(starts.shape[0], device=ids.device)
    has_others = rows[-1:] > 0  # (1,): all begin with one token, so all or none have others
    # `unique` gives no order, and takes longer than all of this in onnxruntime.
    sorted_ids, by_token = torch.topk(ids, ids.shape[0], largest=False, sorted=True)
    is_first = F.pad(sorted_ids[:-1], (1, 0), value=-1) != sorted_ids
    numbers = torch.cumsum(is_first.to(torch.int64), dim=0) - 1
    firsts = torch.nonzero(is_first)[:, 0]
    return Layout(
        token_ids=token_ids,
        sentence_ids=sentence_ids,
        starts=starts,
        lengths=lengths,
        is_start=is_start,
        group_ids=group_ids,
        places=places,
        blocks=cut_blocks(starts, lengths, group_ids, places),
        previous_index=(all_places - 1).clamp(min=0),
        next_index=torch.minimum(all_places + 1, all_places[-1:]),
        table_index=rows[None],
        table_mask=torch.ones_like(rows, dtype=torch.bool)[None],
        table_rows=rows,
        cls_mask=(rows[:, None] != rows[None, :])[None],
        is_learned=(rows >= 0) & has_others,
        row_index=_row_index(all_places, is_start & has_others, group_ids),
        copy_ids=torch.zeros_like(ids).scatter(0, by_token, numbers),
        n_copies=torch.cat([firsts[1:], all_places[-1:] + 1]) - firsts,
        by_token=by_token,
        is_alone=True,
    )


def _row_index(all_places: Tensor, is_moved: Tensor, group_ids: Tensor) -> Tensor:
    """As `Layout.row_index`; is_moved (documents * tokens,) is True for a [CLS] with another."""
    return torch.where(is_moved, all_places[-1:] + 1 + group_ids, all_places)


def _copy_keys(token_ids: Tensor, is_real: Tensor, documents: Tensor, all_places: Tensor) -> Tensor:
    """(documents * tokens,) int64, equal where a document holds a token again; padding below 0."""
    keys = documents * _MOST_IDS + token_ids
    return torch.where(is_real.reshape(-1), keys.reshape(-1), -1 - all_places)


def take_rows(table: Tensor, rows: Tensor) -> Tensor:
    """Take rows of a matrix, some of them often.

    Args:
        table: (all rows, width) float.
        rows: int64 of any shape.

    Returns:
        (*shape of rows, width) float. Equals `table[rows]`, whose gradient takes several times as
        long on a processor.
    """
    return F.embedding(rows, table)


def to_table(array: Tensor, layout: Layout) -> Tensor:
    """Give each document its sentences: (all sentences, ...) to (documents, sentences, ...)."""
    return array[None] if layout.is_alone else array[layout.table_index]


def from_table(table: Tensor, layout: Layout) -> Tensor:
    """The inverse of `to_table`: (documents, sentences, width) to (all sentences, width)."""
    rows = flatten_places(table)
    return rows if layout.is_alone else take_rows(rows, layout.table_rows)


def mean_of_block(flat: Tensor, block: Block, is_counted: Tensor) -> Tensor:
    """Average some tokens of each sentence of a block.

    Args:
        flat: (documents * tokens, width) float.
        block: of the same batch.
        is_counted: (n, longest) bool, True for those tokens; at least one a row.

    Returns:
        (n, width) float.
    """
    weights = is_counted.to(flat.dtype)
    weights = weights / weights.sum(dim=1, keepdim=True)
    return (weights[:, None] @ take_rows(flat, block.index)).squeeze(1)


def mean_of_sentences(flat: Tensor, layout: Layout) -> Tensor:
    """Average the vectors of each sentence's tokens.

    Args:
        flat: (documents * tokens, width) float.
        layout: of the same batch.

    Returns:
        (all sentences, width) float; padding, which belongs to the sentence before, does not count.
    """
    means = [mean_of_block(flat, block, block.mask) for block in layout.blocks.parts]
    return take_rows(torch.cat(means), layout.blocks.order)
