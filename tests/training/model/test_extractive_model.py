"""Whole models: a score a sentence, whatever the batch."""

import torch

from tests.padded_batch import padded_batch
from tests.tiny_model import tiny_model
from training.model.layout import lay_out

BATCH = (
    [[2, 40, 41, 3], [2, 50, 3], [2, 40, 60, 3]],
    [[2, 70, 3]],
    [[2, 40 + n, 3] for n in range(9)],  # more sentences than the model tells places apart
)


def test_score_in_a_batch_equals_that_of_the_single_document():
    model = tiny_model().double().eval()
    with torch.no_grad():
        batch = model(*padded_batch(*BATCH))
        for row, document in enumerate(BATCH):
            single = model(*padded_batch(document))[0]
            torch.testing.assert_close(batch[row, : len(document)], single, rtol=1e-12, atol=1e-12)


def test_sentences_look_only_at_real_sentences():
    model = tiny_model().eval()
    record = model.new_record()
    with torch.no_grad():
        model(*padded_batch(*BATCH), record)
    (attention,) = record.document_attention
    torch.testing.assert_close(attention.sum(dim=-1), torch.ones(attention.shape[:-1]))
    assert not attention[1, :, :, 1:].any()
    assert len(record.token_layers) == 2


def test_without_document_layers_the_scorer_is_linear_on_cls():
    model = tiny_model(document_layers=0).eval()
    token_ids, sentence_ids = padded_batch(BATCH[0])
    with torch.no_grad():
        cls = model.encoder.read_sentences(lay_out(token_ids, sentence_ids)).cls
        logits = model(token_ids, sentence_ids)[0]
    score = model.scorer.score
    torch.testing.assert_close(logits, cls @ score.weight[0] + score.bias)
