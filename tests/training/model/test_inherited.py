"""Students that start as copies of some of a teacher's layers."""

import pytest
import torch

from service.errors import CheckpointError
from tests.padded_batch import padded_batch
from tests.tiny_model import UNEVEN, tiny_model
from training.model.config import PalConfig
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
    with pytest.raises(CheckpointError, match=r"expected a plan of 2 layers with \[4, 4\] heads"):
        student_from_teacher(tiny_model(), (0, 1), plan=plan)


def test_student_keeps_the_chosen_heads_in_their_order():
    teacher = tiny_model(seed=1)
    student = student_from_teacher(
        teacher, (1,), heads=((3, 0),), plan=((None, Pattern.NEXT_TOKEN),)
    )
    width = teacher.config.width // teacher.config.heads
    theirs, ours = teacher.encoder.layers[1].attention, student.encoder.layers[0].attention
    for name in ("query", "key", "value"):
        rows = getattr(theirs, name).weight.view(4, width, -1)
        assert torch.equal(getattr(ours, name).weight.view(2, width, -1), rows[[3, 0]])
    columns = theirs.output.weight.view(-1, 4, width)
    assert torch.equal(ours.output.weight.view(-1, 2, width), columns[:, [3, 0]])
    assert (student.config.heads, student.config.head_width) == (2, width)


def test_student_with_all_heads_in_another_order_scores_as_its_teacher():
    teacher = tiny_model().eval()
    order = (2, 0, 3, 1)
    plan = tuple(tuple(row[head] for head in order) for row in teacher.config.plan)
    student = student_from_teacher(teacher, (0, 1), heads=(order,) * 2, plan=plan).eval()
    arrays = padded_batch(*BATCH)
    torch.testing.assert_close(student(*arrays), teacher(*arrays), rtol=1e-5, atol=1e-6)


def test_student_keeps_the_neurons_that_read_and_write_most():
    teacher = tiny_model().eval()
    n = teacher.config.feed_forward[0]
    with torch.no_grad():
        for layer in teacher.encoder.layers:
            layer.down.weight[:, : n // 2] = 0.0  # half of them write nothing
    student = student_from_teacher(
        teacher, (0, 1), plan=teacher.config.plan, feed_forward=(n // 2,) * 2
    ).eval()
    arrays = padded_batch(*BATCH)
    assert student.encoder.layers[0].up.weight.shape[0] == n // 2
    torch.testing.assert_close(student(*arrays), teacher(*arrays), rtol=1e-5, atol=1e-6)


def test_student_without_neurons_is_its_teacher_whose_neurons_write_nothing():
    teacher = tiny_model().eval()
    with torch.no_grad():
        layer = teacher.encoder.layers[0]
        layer.down.weight.zero_()
        layer.down.bias.zero_()
        # Of a vector that is normed already, another layer norm changes nothing.
        layer.attention_norm.load_state_dict(torch.nn.LayerNorm(32).state_dict())
    student = student_from_teacher(
        teacher, (0, 1), plan=teacher.config.plan, feed_forward=(0, 48)
    ).eval()
    assert not any(name.startswith("encoder.layers.0.up") for name in student.state_dict())
    arrays = padded_batch(*BATCH)
    torch.testing.assert_close(student(*arrays), teacher(*arrays), rtol=1e-4, atol=1e-5)


def test_teacher_without_neurons_in_a_layer_has_narrower_students_too():
    teacher = tiny_model(feed_forward=(0, 48))
    student = student_from_teacher(teacher, (0, 1), plan=teacher.config.plan, width=24).eval()
    assert student.config.feed_forward == (0, 48)
    assert student.encoder.layers[1].up.weight.shape == (48, 24)
    assert torch.isfinite(student(*padded_batch(*BATCH))).all()


@pytest.mark.parametrize("document_width", [16, 32])
def test_narrower_student_keeps_the_channels_that_are_read(document_width):
    teacher = tiny_model(seed=1, document_width=document_width)
    width = teacher.config.width
    assert width == 32  # once as wide as the layers over sentences, whose own weights stay whole
    read = torch.arange(width) % 3 != 0
    n = int(read.sum())
    with torch.no_grad():
        for layer in teacher.encoder.layers:
            for reader in (layer.attention.query, layer.attention.key, layer.attention.value):
                reader.weight[:, ~read] = 0.0
            layer.up.weight[:, ~read] = 0.0
        teacher.scorer.reduce.weight[:, ~torch.cat([read, read])] = 0.0
    student = student_from_teacher(teacher, (0, 1), plan=teacher.config.plan, width=n)
    assert student.config.width == n
    assert student.config.width_of_head == teacher.config.width_of_head
    theirs = teacher.state_dict()
    for name, weight in student.state_dict().items():
        expected = theirs[name]
        if name == "scorer.reduce.weight":
            expected = expected[:, torch.cat([read, read])]
        for axis, size in enumerate(weight.shape):
            if size != expected.shape[axis]:
                expected = expected.index_select(axis, torch.nonzero(read)[:, 0])
        assert torch.equal(weight, expected), name
    arrays = padded_batch(*BATCH)
    assert student.eval()(*arrays).isfinite().all()


def test_channels_that_the_scorer_alone_reads_are_kept():
    teacher = tiny_model(seed=1)
    width = teacher.config.width
    with torch.no_grad():
        for layer in teacher.encoder.layers:
            for reader in (layer.attention.query, layer.attention.key, layer.attention.value):
                reader.weight.zero_()
            layer.up.weight.zero_()
        teacher.scorer.reduce.weight[:, torch.arange(2 * width) % width >= width // 2] = 0.0
    student = student_from_teacher(teacher, (0, 1), width=width // 2)
    ours, theirs = student.scorer.reduce.weight, teacher.scorer.reduce.weight
    assert torch.equal(ours[:, : width // 2], theirs[:, : width // 2])
    assert ours.any(dim=0).all()


def test_narrower_student_of_a_plain_scorer_reads_the_same_channels():
    teacher = tiny_model(document_layers=0)
    student = student_from_teacher(teacher, (1,), width=teacher.config.width // 2)
    ours, theirs = student.scorer.score.weight[0], teacher.scorer.score.weight[0]
    assert ours.shape[0] == teacher.config.width // 2
    assert set(ours.tolist()) < set(theirs.tolist())


def test_teacher_with_patterns_beside_its_attention_is_not_narrowed():
    teacher = tiny_model(pal=PalConfig(width=16))
    with pytest.raises(CheckpointError, match="without Projected Attention Layers"):
        student_from_teacher(teacher, (0,), width=teacher.config.width // 2)


@pytest.mark.parametrize("layers", [(1,), (1, 0), (0, 0, 1)])
def test_student_starts_with_the_chosen_layers_over_sentences(layers):
    teacher = tiny_model(document_layers=2)
    student = student_from_teacher(teacher, (0, 1), document_layers=layers)
    assert student.config.document_layers == len(layers)
    for ours, theirs in zip(student.scorer.layers, layers, strict=True):
        expected = teacher.scorer.layers[theirs].state_dict()
        for name, weight in ours.state_dict().items():
            assert torch.equal(weight, expected[name])


def test_layer_over_sentences_outside_the_teacher_is_refused():
    with pytest.raises(
        CheckpointError, match=r"document_layers of a teacher with 1, from 0.*\[1\]"
    ):
        student_from_teacher(tiny_model(document_layers=1), (0,), document_layers=(1,))


def test_student_wider_than_its_teacher_is_refused():
    width = tiny_model().config.width
    with pytest.raises(CheckpointError, match=f"a width of at most the teacher's {width}"):
        student_from_teacher(tiny_model(), (0,), width=width + 1)


@pytest.mark.parametrize("heads", [((0, 4), (0, 1)), ((0, 1),), ((0, 1), ()), ((), ())])
def test_heads_that_the_teacher_has_not_are_refused(heads):
    with pytest.raises(CheckpointError, match=r"expected heads of 2 layers of a teacher with 4"):
        student_from_teacher(tiny_model(), (0, 1), heads=heads)


@pytest.mark.parametrize("layers", [(0, 1), (1, 0), (1,)])
def test_student_of_an_uneven_teacher_has_all_heads_of_each_layer(layers):
    teacher = tiny_model(**UNEVEN).eval()
    plan = tuple(teacher.config.plan[layer] for layer in layers)
    student = student_from_teacher(teacher, layers, plan=plan).eval()
    assert student_from_teacher(teacher, layers).config.heads_by_layer == tuple(map(len, plan))
    for number, layer in enumerate(layers):
        theirs = teacher.encoder.layers[layer].state_dict()
        for name, weight in student.encoder.layers[number].state_dict().items():
            assert torch.equal(weight, theirs[name])


def test_head_that_one_layer_has_and_another_has_not_is_refused():
    with pytest.raises(CheckpointError, match=r"2 layers of a teacher with 4, 2 heads .*\[3\]\]"):
        student_from_teacher(tiny_model(**UNEVEN), (1, 0), heads=((3,), (3,)))
    student = student_from_teacher(tiny_model(**UNEVEN), (0, 1), heads=((1,), (3, 0)))
    assert student.config.heads_by_layer == (1, 2)


def test_larger_feed_forward_than_the_teachers_is_refused():
    n = tiny_model().config.feed_forward[0]
    with pytest.raises(
        CheckpointError, match=rf"at most the teacher's \[{n}, {n}\], got \[{n}, {n + 1}\]"
    ):
        student_from_teacher(tiny_model(), (0, 1), feed_forward=(n, n + 1))
