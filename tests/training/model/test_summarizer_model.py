"""Whole models: a score a sentence, whatever the batch; students that start as copies."""

import pytest
import torch

from service.errors import CheckpointError
from tests.padded_batch import padded_batch
from tests.tiny_model import tiny_model
from training.model.layout import lay_out
from training.model.patterns import Pattern
from training.model.summarizer_model import student_from_teacher

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
        tokens = model.encoder(lay_out(token_ids, sentence_ids))[0]
        logits = model(token_ids, sentence_ids)[0]
    score = model.scorer.score
    torch.testing.assert_close(logits, tokens[[0, 4, 7]] @ score.weight[0] + score.bias)


def test_student_starts_with_the_chosen_layers_and_all_else():
    teacher = tiny_model(seed=1)
    student = student_from_teacher(teacher, (1,), plan=((Pattern.NEXT_TOKEN, None) * 2,))
    theirs = teacher.state_dict()
    for name, weight in student.state_dict().items():
        assert torch.equal(weight, theirs[name.replace("encoder.layers.0.", "encoder.layers.1.")])
    assert student.config.plan == ((Pattern.NEXT_TOKEN, None) * 2,)


def test_student_does_not_share_weights_with_its_teacher():
    teacher = tiny_model()
    student = student_from_teacher(teacher, (0, 1))
    with torch.no_grad():
        student.encoder.layers[0].up.weight.zero_()
    assert teacher.encoder.layers[0].up.weight.any()


def test_full_copy_scores_as_its_teacher():
    teacher = tiny_model().eval()
    student = student_from_teacher(teacher, (0, 1), plan=teacher.config.plan).eval()
    arrays = padded_batch(*BATCH)
    assert torch.equal(student(*arrays), teacher(*arrays))


@pytest.mark.parametrize("layers", [(), (2,), (0, -1)])
def test_layer_outside_the_teacher_is_refused(layers):
    with pytest.raises(CheckpointError, match=r"a teacher with 2 \(0 to 1\)"):
        student_from_teacher(tiny_model(), layers)


@pytest.mark.parametrize("plan", [((None,) * 4,), ((None,) * 4, (None,) * 3)])
def test_plan_of_another_shape_is_refused(plan):
    with pytest.raises(CheckpointError, match="expected a plan of 2 layers x 4 heads"):
        student_from_teacher(tiny_model(), (0, 1), plan=plan)
