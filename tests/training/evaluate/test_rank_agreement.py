"""Kendall's tau agrees with scipy's, and is 0 where that is undefined."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import kendalltau

from service.errors import ShapeError
from training.evaluate.rank_agreement import kendall_tau

pairs = st.lists(st.tuples(st.integers(-4, 4), st.integers(-4, 4)), min_size=2, max_size=20)


@given(pairs)
def test_tau_is_scipys_tau_b(scores):
    first, second = np.array(scores, dtype=np.float32).T
    if len(set(first)) == 1 or len(set(second)) == 1:
        assert kendall_tau(first, second) == 0.0
    else:
        assert kendall_tau(first, second) == pytest.approx(kendalltau(first, second).statistic)


def test_same_and_opposite_rankings():
    assert kendall_tau(np.array([1, 2, 3]), np.array([10, 20, 90])) == 1.0
    assert kendall_tau(np.array([1, 2, 3]), np.array([3, 2, 1])) == -1.0


@pytest.mark.parametrize("n", [0, 1])
def test_fewer_than_two_things_do_not_agree(n):
    assert kendall_tau(np.ones(n), np.ones(n)) == 0.0


@pytest.mark.parametrize("shapes", [((3,), (4,)), ((2, 2), (2, 2))])
def test_other_shapes_are_refused(shapes):
    with pytest.raises(ShapeError, match="expected two arrays"):
        kendall_tau(np.zeros(shapes[0]), np.zeros(shapes[1]))
