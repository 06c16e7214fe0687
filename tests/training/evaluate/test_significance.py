"""What the bootstrap over documents promises."""

import tracemalloc

import numpy as np
import pytest
from scipy.stats import bootstrap

from service.errors import ShapeError
from training.evaluate.significance import Interval, mean_intervals, paired_differences


def scores(n: int, columns: int = 1, seed: int = 3) -> np.ndarray:
    return np.random.default_rng(seed).normal(40.0, 12.0, size=(n, columns))


def test_interval_agrees_with_scipys_percentile_bootstrap() -> None:
    values = scores(200)
    ours = mean_intervals(values, n_resamples=20_000)[0]
    theirs = bootstrap(
        (values[:, 0],), np.mean, n_resamples=20_000, method="percentile", rng=1
    ).confidence_interval
    # Both are Monte Carlo: at 20,000 resamples an end moves by about 1 % of the width.
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=0.1)


def test_estimate_is_the_plain_mean() -> None:
    values = scores(50, columns=3)
    estimates = [interval.estimate for interval in mean_intervals(values, n_resamples=10)]
    assert estimates == pytest.approx(values.mean(axis=0))


def test_pairing_makes_a_small_steady_gain_certain() -> None:
    theirs = scores(300)
    ours = theirs + 0.5 + 0.1 * scores(300, seed=4) / 40
    difference = paired_differences(ours, theirs)[0]
    assert difference.low > 0.0
    assert difference.high - difference.low < 0.1
    assert mean_intervals(ours)[0].low < mean_intervals(theirs)[0].high


def test_a_system_does_not_differ_from_itself() -> None:
    assert paired_differences(scores(20), scores(20)) == [Interval(0.0, 0.0, 0.0)]


def test_same_seed_gives_the_same_interval_and_another_seed_another() -> None:
    assert mean_intervals(scores(30), seed=1) == mean_intervals(scores(30), seed=1)
    assert mean_intervals(scores(30), seed=1) != mean_intervals(scores(30), seed=2)


def test_columns_share_their_draws() -> None:
    values = scores(40)
    first, second = mean_intervals(np.hstack([values, values + 1]))
    assert (second.low, second.high) == pytest.approx((first.low + 1, first.high + 1))


def test_resampling_in_pieces_draws_every_resample() -> None:
    values = scores(50_000)
    interval = mean_intervals(values, n_resamples=500)[0]
    expected_half_width = 1.96 * values.std() / np.sqrt(len(values))
    assert interval.high - interval.low == pytest.approx(2 * expected_half_width, rel=0.2)


def test_memory_stays_bounded_on_a_whole_test_set() -> None:
    tracemalloc.start()
    mean_intervals(scores(11_490, columns=3), n_resamples=1_000)
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak_bytes < 150e6


@pytest.mark.parametrize("shape", [(0, 3), (5,), (2, 2, 2)])
def test_other_shapes_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ShapeError, match="expected"):
        mean_intervals(np.zeros(shape))


def test_systems_of_other_lengths_are_refused() -> None:
    with pytest.raises(ShapeError, match="one shape"):
        paired_differences(np.zeros((3, 1)), np.zeros((4, 1)))
