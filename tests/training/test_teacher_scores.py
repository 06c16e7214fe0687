"""The teacher's scores: made once, of documents drawn from all there are."""

import numpy as np
import pytest

from service.errors import TrainingError
from tests.tiny_model import tiny_model
from training.teacher_scores import (
    draw_documents,
    read_scores,
    score_with_teacher,
    write_scores,
)

SCORES = {4: np.array([0.5, -1.0], np.float32), 1: np.array([2.0], np.float32)}


@pytest.fixture
def score(tiny_examples, tmp_path):
    """Score documents of the training examples, with one file for all calls."""

    def score(numbers, teacher, teacher_sha256="first"):
        path = tmp_path / "s.npz"
        return score_with_teacher(
            teacher, teacher_sha256, tiny_examples[0], np.array(numbers), path, 300
        )

    return score


def assert_same(found, expected):
    assert set(found) == set(expected)
    for number, row in expected.items():
        np.testing.assert_array_equal(found[number], row)


def test_scores_read_back(tmp_path):
    write_scores(SCORES, tmp_path / "s.npz", "one teacher")
    assert_same(read_scores(tmp_path / "s.npz", "one teacher"), SCORES)


def test_scores_of_another_origin_are_not_read(tmp_path):
    write_scores(SCORES, tmp_path / "s.npz", "one teacher")
    assert read_scores(tmp_path / "s.npz", "another teacher") == {}


@pytest.mark.parametrize("content", [None, b"", b"torn", b"PK\x03\x04" + bytes(50)])
def test_missing_or_damaged_scores_are_none(tmp_path, content):
    if content is not None:
        (tmp_path / "s.npz").write_bytes(content)
    assert read_scores(tmp_path / "s.npz", "one teacher") == {}


def test_documents_are_drawn_from_all_by_the_seed():
    drawn = draw_documents(1_000, 50, seed=3).tolist()
    assert drawn == draw_documents(1_000, 50, seed=3).tolist()
    assert drawn != draw_documents(1_000, 50, seed=4).tolist()
    assert drawn == sorted(set(drawn))
    assert len(drawn) == 50
    assert drawn[0] < 200
    assert 800 <= drawn[-1] < 1_000


def test_more_documents_than_there_are_is_all():
    assert draw_documents(4, 9, seed=1).tolist() == [0, 1, 2, 3]


def test_each_sentence_has_a_score(tiny_examples, score):
    train, _ = tiny_examples
    assert {n: len(row) for n, row in score([3, 0, 9], tiny_model()).items()} == {
        n: len(train[n].soft_labels) for n in (3, 0, 9)
    }


def test_scores_that_are_there_are_not_made_again(score):
    expected = score([3, 0, 9], tiny_model())
    assert_same(score([9, 3, 0], teacher=None), expected)
    # A call that was stopped left some: only the others are scored, by another model to tell.
    more = score([9, 3, 0, 5], tiny_model(seed=8))
    assert_same({n: row for n, row in more.items() if n != 5}, expected)
    assert 5 in more


def test_another_teacher_scores_anew(score):
    before = score([3], tiny_model())
    after = score([3], tiny_model(seed=8), "second")
    assert not np.array_equal(before[3], after[3])


def test_teacher_that_scores_nan_is_refused(score, tmp_path):
    teacher = tiny_model()
    teacher.scorer.score.bias.data.fill_(float("nan"))
    with pytest.raises(TrainingError, match=r"got \[nan, .* for training document 3"):
        score([3], teacher)
    assert not (tmp_path / "s.npz").exists()
