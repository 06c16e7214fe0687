"""A document alone is laid out as it is in a batch, and a model says the same of it."""

import dataclasses

import torch
from hypothesis import given, settings

from tests.padded_batch import documents, padded_batch
from tests.tiny_model import INTRA, MATCHING, NEXT, PREVIOUS, tiny_model
from training.model.layout import lay_out, lay_out_alone
from training.model.patterns import Unmatched


def arrays_of(layout):
    """Every array of a layout by its name, those of the blocks included."""
    fields = {item.name: getattr(layout, item.name) for item in dataclasses.fields(layout)}
    by_token = fields.pop("by_token")
    fields["tokens_in_order"] = fields["copy_ids"][by_token]
    assert torch.equal(by_token.sort().values, torch.arange(len(by_token)))
    blocks = fields.pop("blocks")
    fields.pop("is_alone")
    for number, block in enumerate(blocks.parts):
        fields |= {f"{name}.{number}": array for name, array in vars(block).items()}
    return fields | {"order": blocks.order, "rows": blocks.rows}


@settings(max_examples=200, deadline=None)
@given(documents)
def test_a_document_alone_is_laid_out_as_in_a_batch_of_one(sentences):
    batch = padded_batch([[1, *sentence[1:]] for sentence in sentences])  # 1: as a [CLS]
    alone, among = arrays_of(lay_out_alone(*batch)), arrays_of(lay_out(*batch))
    assert alone.keys() == among.keys()
    for name, array in alone.items():
        assert torch.equal(array, among[name]), name


@settings(max_examples=50, deadline=None)
@given(documents)
def test_a_model_scores_a_document_alone_as_among_others(sentences):
    document = [[1, *sentence[1:]] for sentence in sentences]
    among = padded_batch(document, [[1, 2]] * 5, [[1] * 20])
    alone = lay_out_alone(*padded_batch(document))
    for changes in (
        {},
        {"unmatched": Unmatched.ALL},
        {"is_last_for_cls": True},
        {"is_last_for_cls": True, "unmatched": Unmatched.ALL},
        {"document_layers": 0},
    ):
        model = tiny_model(
            plan=((MATCHING, INTRA, NEXT, PREVIOUS),) * 2,
            fixed=frozenset({MATCHING, NEXT, PREVIOUS}),
            **changes,
        ).eval()
        with torch.no_grad():
            expected = model(*among)[:1, : len(document)]
            torch.testing.assert_close(model.score(alone), expected)
