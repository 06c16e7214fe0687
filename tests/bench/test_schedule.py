"""Facts about the arrival times of the open loop."""

import numpy as np
import pytest
from scipy.stats import kstest

from bench.schedule import article_order, poisson_schedule
from service.errors import InputError


def test_same_seed_gives_the_same_times():
    first, again = poisson_schedule(20, 50, seed=3), poisson_schedule(20, 50, seed=3)
    np.testing.assert_array_equal(first, again)
    assert (poisson_schedule(20, 50, seed=4) != first).all()


@pytest.mark.parametrize("seed", range(20))
def test_offered_rate_is_the_one_asked_for_on_every_schedule(seed):
    times = poisson_schedule(20, 662, seed)
    assert (np.diff(times) >= 0).all()
    assert times[0] >= 0
    assert times[-1] < 662 / 20
    assert times[-1] == pytest.approx(662 / 20, rel=0.02)  # the last gap is about 1 / 662 of it


def test_gaps_are_exponential_with_the_mean_of_the_rate():
    gaps = np.diff(poisson_schedule(20, 10_001, seed=0), prepend=0.0)
    assert gaps.mean() == pytest.approx(1 / 20, rel=0.001)
    assert kstest(gaps, "expon", args=(0, 1 / 20)).pvalue > 0.01


def test_counts_in_equal_windows_are_poisson():
    times = poisson_schedule(50, 50_000, seed=1)
    counts = np.histogram(times, bins=np.arange(0, 990))[0]
    assert counts.mean() == pytest.approx(50, rel=0.02)
    assert counts.var() == pytest.approx(50, rel=0.15)


@pytest.mark.parametrize("rate", [0, -1, float("nan"), float("inf")])
def test_rate_that_is_not_above_zero_is_refused(rate):
    with pytest.raises(InputError, match="a rate above 0"):
        poisson_schedule(rate, 10, seed=0)


def test_no_request_is_refused():
    with pytest.raises(InputError, match="at least 1 request"):
        poisson_schedule(1, 0, seed=0)


def test_every_article_comes_equally_often_and_none_twice_in_a_round():
    order = article_order(25, 10, seed=0)
    assert sorted(order[:10]) == sorted(order[10:20]) == list(range(10))
    assert len(order) == 25
    assert max(np.bincount(order)) == 3
