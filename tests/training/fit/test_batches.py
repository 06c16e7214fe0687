"""Batches: every document once an epoch, within the limit, padded to one length."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.fit.batches import iterate_in_order, make_batch, plan_epoch

lengths = st.lists(st.integers(1, 60), min_size=1, max_size=80).map(np.array)


@given(n_tokens=lengths, batch_tokens=st.integers(1, 200), seed=st.integers(0, 99))
def test_every_document_is_shown_once_an_epoch(n_tokens, batch_tokens, seed):
    batches = plan_epoch(n_tokens, batch_tokens, seed, epoch=2)
    assert sorted(np.concatenate(batches)) == list(range(len(n_tokens)))


@given(n_tokens=lengths, batch_tokens=st.integers(1, 200))
def test_batch_is_within_its_tokens_unless_it_is_one_document(n_tokens, batch_tokens):
    for group in plan_epoch(n_tokens, batch_tokens, seed=1, epoch=0):
        assert len(group) == 1 or len(group) * n_tokens[group].max() <= batch_tokens


def test_order_depends_on_seed_and_epoch_only():
    n_tokens = np.arange(1, 60)
    plans = {
        (seed, epoch): tuple(np.concatenate(plan_epoch(n_tokens, 100, seed, epoch)))
        for seed in (1, 2)
        for epoch in (0, 1)
    }
    assert len(set(plans.values())) == 4
    assert plans[1, 0] == tuple(np.concatenate(plan_epoch(n_tokens, 100, seed=1, epoch=0)))


def test_scoring_passes_over_the_asked_documents_by_length():
    n_tokens = np.array([9, 5, 7, 3, 8])
    groups = list(iterate_in_order(n_tokens, np.array([0, 1, 3, 4]), batch_tokens=12))
    assert [group.tolist() for group in groups] == [[3, 1], [4], [0]]


def test_batch_holds_its_documents_and_nothing_else(tiny_examples):
    train, _ = tiny_examples
    numbers = np.array([4, 0, 7])
    batch = make_batch(train, numbers, {0: np.full(len(train[0].soft_labels), 2, np.float32)})
    for row, number in enumerate(numbers):
        example = train[number]
        n, s = len(example.token_ids), len(example.soft_labels)
        assert batch.token_ids[row, :n].tolist() == example.token_ids.tolist()
        assert batch.sentence_ids[row, :n].tolist() == example.sentence_ids.tolist()
        assert (batch.sentence_ids[row, n:] == -1).all()
        assert batch.soft_labels[row, :s].tolist() == pytest.approx(example.soft_labels)
        assert batch.mask[row].tolist() == [place < s for place in range(batch.mask.shape[1])]
        is_scored = ~batch.teacher_logits[row].isnan()
        assert is_scored.sum() == (s if number == 0 else 0)


def test_batch_without_teacher_has_no_logits(tiny_examples):
    assert make_batch(tiny_examples[0], np.array([0])).teacher_logits is None
