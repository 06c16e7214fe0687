"""Facts about quantiles, means and throughput."""

import numpy as np
import pytest
from scipy.stats import binom

from bench.statistics import (
    mean,
    quantile,
    samples_for_quantile,
    summarize_latencies,
    throughput,
)
from service.errors import ShapeError


@pytest.mark.parametrize(("share", "n"), [(0.9, 64), (0.99, 662)])
def test_sample_counts_are_those_of_mlperf(share, n):
    assert samples_for_quantile(share) == n


def test_median_of_ten_lies_between_the_second_and_the_ninth():
    bounds = quantile([3, 1, 2, 10, 9, 8, 4, 5, 6, 7], 0.5)  # the textbook's table: 97.9 %
    assert (bounds.low, bounds.estimate, bounds.high) == (2, 5, 9)


@pytest.mark.parametrize("share", [0.05, 0.5, 0.9, 0.99])
@pytest.mark.parametrize("n", [20, 100, 662, 2000])
def test_ends_hold_the_quantile_as_often_as_the_binomial_says(share, n):
    bounds = quantile(range(1, n + 1), share)  # values are their own ranks
    if bounds.low is not None:
        assert binom.cdf(bounds.low - 1, n, share) <= 0.025
        assert binom.cdf(bounds.low, n, share) >= 0.025
    if bounds.high is not None:
        assert binom.sf(bounds.high - 1, n, share) <= 0.025
        assert binom.sf(bounds.high - 2, n, share) >= 0.025


def test_interval_holds_the_true_quantile_of_a_skewed_distribution():
    random = np.random.default_rng(5)
    true = -np.log(0.1)  # p90 of the exponential distribution
    held = [
        (bounds := quantile(random.exponential(size=300).tolist(), 0.9)).low <= true <= bounds.high
        for _ in range(1000)
    ]
    assert 0.94 <= np.mean(held) <= 0.99


def test_estimate_is_the_inverse_of_the_distribution_function():
    values = np.random.default_rng(6).exponential(size=137)
    for share in (0.01, 0.5, 0.9, 0.95, 0.99):
        expected = np.quantile(values, share, method="inverted_cdf")
        assert quantile(values.tolist(), share).estimate == expected


def test_few_samples_cannot_bound_p99_from_above():
    assert quantile(range(300), 0.99).high is None
    assert quantile(range(662), 0.99).high == 660  # the last but one


def test_quantile_of_nothing_is_refused():
    with pytest.raises(ShapeError, match="at least 1 sample"):
        quantile([], 0.5)


def test_mean_has_an_interval_that_shrinks_with_the_samples():
    random = np.random.default_rng(7)
    few, many = (mean(random.exponential(size=n).tolist()) for n in (50, 5000))
    assert few.low < 1 < few.high
    assert many.high - many.low < (few.high - few.low) / 5


def test_latencies_of_nothing_are_none():
    assert summarize_latencies([]) is None


def test_throughput_of_an_even_run_is_exact():
    rate = throughput([0.1 * (i + 1) for i in range(200)])
    assert (rate.low, rate.estimate, rate.high) == pytest.approx((10, 10, 10))


def test_throughput_of_an_uneven_run_is_uncertain():
    gaps = np.random.default_rng(8).exponential(0.1, 200)
    rate = throughput(np.cumsum(gaps).tolist())
    assert rate.low < rate.estimate < rate.high
    assert rate.low < 10 < rate.high


def test_throughput_of_few_documents_has_no_interval():
    assert throughput([1.0, 2.0]).low is None
