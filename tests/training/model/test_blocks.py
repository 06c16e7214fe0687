"""Blocks hold every sentence whole, and each place is read from one of them."""

import pytest
import torch

from tests.padded_batch import padded_batch
from training.model.layout import lay_out, lay_out_alone


def check_blocks(layout, lengths):
    blocks = layout.blocks
    everywhere = torch.cat([part.sentences for part in blocks.parts])
    places = torch.cat([part.index.reshape(-1) for part in blocks.parts])
    assert torch.equal(everywhere[blocks.order], torch.arange(len(lengths)))
    assert len(set(blocks.order.tolist())) == len(lengths)
    is_real = layout.sentence_ids.reshape(-1) >= 0
    all_places = torch.arange(len(is_real))
    assert torch.equal(places[blocks.rows][is_real], all_places[is_real])
    for part in blocks.parts:
        assert part.mask.sum(dim=1).tolist() == [lengths[i] for i in part.sentences]
        assert torch.equal(part.bias == 0, part.mask)


@pytest.mark.parametrize("n", range(1, 20))
def test_a_sentence_stands_whole_in_a_block_whatever_their_number(n):
    lengths = [1 + (7 * i) % 5 for i in range(n)]
    check_blocks(lay_out_alone(*padded_batch([[3] * length for length in lengths])), lengths)


def test_padding_belongs_to_no_block():
    batch = padded_batch([[1, 2, 3], [1]], [[1]], [[1, 2], [1, 3], [1] * 6])
    check_blocks(lay_out(*batch), [3, 1, 1, 2, 2, 6])


def test_sentences_of_like_length_share_a_block():
    lengths = [9, 1, 5, 2, 8, 4]
    layout = lay_out_alone(*padded_batch([[3] * length for length in lengths]))
    assert [part.mask.shape[1] for part in layout.blocks.parts] == [2, 5, 9]
