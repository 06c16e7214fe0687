"""The teacher's scores: made once, of the documents that the student will be shown first."""

import numpy as np
import pytest

from tests.tiny_model import tiny_model
from training.fit.batches import plan_epoch
from training.recipe import FitRecipe
from training.teacher_scores import (
    first_documents,
    read_scores,
    score_with_teacher,
    write_scores,
)

SCORES = {4: np.array([0.5, -1.0], np.float32), 1: np.array([2.0], np.float32)}


@pytest.fixture
def teacher_path(tmp_path):
    """Stands for the teacher's file: only its hash counts."""
    path = tmp_path / "model.safetensors"
    path.write_bytes(b"first")
    return path


def score(store, numbers, teacher_path, teacher=None):
    return score_with_teacher(
        teacher, teacher_path, store, np.array(numbers), teacher_path.with_name("s.npz"), 300
    )


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


def test_documents_are_those_that_the_fit_shows_first(tiny_examples):
    train, _ = tiny_examples
    recipe = FitRecipe(batch_tokens=200, seed=3)
    shown = np.concatenate(plan_epoch(train.n_tokens(), 200, seed=3, epoch=0))
    assert first_documents(train, recipe, 7).tolist() == shown[:7].tolist()
    assert len(first_documents(train, recipe, 10_000)) == len(train)


def test_each_sentence_has_a_score(tiny_examples, teacher_path):
    train, _ = tiny_examples
    scores = score(train, [3, 0, 9], teacher_path, tiny_model())
    assert {n: len(row) for n, row in scores.items()} == {
        n: len(train[n].soft_labels) for n in (3, 0, 9)
    }


def test_scores_that_are_there_are_not_made_again(tiny_examples, teacher_path):
    train, _ = tiny_examples
    expected = score(train, [3, 0, 9], teacher_path, tiny_model())
    assert_same(score(train, [9, 3, 0], teacher_path, teacher=None), expected)
    # A call that was stopped left some: only the others are scored, by another model to tell.
    more = score(train, [9, 3, 0, 5], teacher_path, tiny_model(seed=8))
    assert_same({n: row for n, row in more.items() if n != 5}, expected)
    assert 5 in more


def test_another_teacher_scores_anew(tiny_examples, teacher_path):
    train, _ = tiny_examples
    before = score(train, [3], teacher_path, tiny_model())
    teacher_path.write_bytes(b"second")
    after = score(train, [3], teacher_path, tiny_model(seed=8))
    assert not np.array_equal(before[3], after[3])
