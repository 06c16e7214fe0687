"""Students that start as copies of some of a teacher's layers."""

import pytest
import torch

from service.errors import CheckpointError
from tests.padded_batch import padded_batch
from tests.tiny_model import tiny_model
from training.model.inherited import student_from_teacher
from training.model.patterns import Pattern

BATCH = ([[2, 40, 41, 3], [2, 50, 3], [2, 40, 60, 3]], [[2, 70, 3]])


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
