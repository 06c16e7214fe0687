"""A document alone is laid out as it is in a batch, and a model says the same of it."""

import dataclasses

import torch
from hypothesis import given, settings

from tests.padded_batch import documents, padded_batch
from tests.tiny_model import INTRA, MATCHING, NEXT, PREVIOUS, tiny_model
from training.model.layout import lay_out, lay_out_alone


def arrays_of(layout):
    """Every array of a layout by its name, those of the blocks included."""
    fields = {item.name: getattr(layout, item.name) for item in dataclasses.fields(layout)}
    blocks = fields.pop("blocks")
    fields.pop("is_alone")
    for number, block in enumerate(blocks.parts):
        fields |= {f"{name}.{number}": array for name, array in vars(block).items()}
    return fields | {"order": blocks.order, "rows": blocks.rows}


@settings(max_examples=200, deadline=None)
@given(documents)
def test_a_document_alone_is_laid_out_as_in_a_batch_of_one(sentences):
    batch = padded_batch(sentences)
    alone, among = arrays_of(lay_out_alone(*batch)), arrays_of(lay_out(*batch))
    assert alone.keys() == among.keys()
    for name, array in alone.items():
        assert torch.equal(array, among[name]), name


@settings(max_examples=50, deadline=None)
@given(documents)
def test_a_model_scores_a_document_alone_as_in_a_batch(sentences):
    for is_last_for_cls in (False, True):
        model = tiny_model(
            plan=((MATCHING, INTRA, NEXT, PREVIOUS),) * 2,
            fixed=frozenset({MATCHING, NEXT, PREVIOUS}),
            is_last_for_cls=is_last_for_cls,
        ).eval()
        batch = padded_batch([[1, *sentence[1:]] for sentence in sentences])  # 1: as a [CLS]
        with torch.no_grad():
            torch.testing.assert_close(model.score(lay_out_alone(*batch)), model(*batch))


@settings(max_examples=100, deadline=None)
@given(documents)
def test_every_sentence_stands_in_a_block_with_all_its_tokens(sentences):
    layout = lay_out_alone(*padded_batch(sentences))
    blocks = layout.blocks
    everywhere = torch.cat([part.sentences for part in blocks.parts])
    places = torch.cat([part.index.reshape(-1) for part in blocks.parts])
    assert torch.equal(everywhere[blocks.order], torch.arange(len(sentences)))
    assert torch.equal(places[blocks.rows], torch.arange(layout.group_ids.shape[0]))
    for part in blocks.parts:
        assert part.mask.sum(dim=1).tolist() == [len(sentences[i]) for i in part.sentences]
