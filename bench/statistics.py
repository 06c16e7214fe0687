"""How sure a number is: quantiles with distribution-free bounds, means with a bootstrap."""

from collections.abc import Sequence

import numpy as np
from scipy.stats import binom, t

from bench.results import Bounds, Latency
from service.errors import ShapeError
from training.evaluate.significance import mean_intervals

CONFIDENCE = 0.95
N_RESAMPLES = 2_000


def quantile(values: Sequence[float], share: float, confidence: float = CONFIDENCE) -> Bounds:
    """Take a quantile of independent samples, and an interval that holds it.

    The estimate is the smallest sample that at least `share` of the samples do not exceed. The
    ends of the interval are samples too, so nothing is assumed about the distribution; what is
    assumed is independence, which neighbours in a queue do not have quite.

    Args:
        values: at least one, in any order.
        share: of the distribution below the quantile, in (0, 1); 0.99 for p99.
        confidence: that the interval holds the quantile, in (0, 1).

    Returns:
        The estimate; an end is None where so few samples cannot give one.

    Raises:
        ShapeError: there is no value.

    Source:
        Order-statistic intervals: David & Nagaraja, Order Statistics, 7.1.
    """
    n = len(values)
    if n == 0:
        raise ShapeError("expected at least 1 sample, got 0; ask for more requests")
    ordered = sorted(values)
    tail = (1 - confidence) / 2
    # The number of samples up to the quantile is binomial: their ranks bound it.
    low, high = int(binom.ppf(tail, n, share)), int(binom.ppf(1 - tail, n, share)) + 1
    return Bounds(
        estimate=ordered[_rank(n, share) - 1],
        low=ordered[low - 1] if low >= 1 else None,
        high=ordered[high - 1] if high <= n else None,
    )


def _rank(n: int, share: float) -> int:
    """Rank of the smallest of n samples that at least `share` of them do not exceed, from 1."""
    return max(1, int(np.ceil(round(n * share, 9))))


def samples_for_quantile(share: float, confidence: float = 0.99, n_spare: int = 1) -> int:
    """Count the samples that a tail quantile needs.

    Args:
        share: of the distribution below the quantile, in (0.5, 1).
        confidence: that the quantile lies below the sample used as its upper bound.
        n_spare: samples that may lie above that one, so that one hiccup decides nothing.

    Returns:
        The smallest number of samples; 662 for p99 and 64 for p90 with the defaults.

    Source:
        MLPerf Inference's early stopping criterion, whose 64 and 662 these are.
    """
    n = n_spare + 1
    while binom.cdf(n_spare, n, 1 - share) > 1 - confidence:
        n += 1
    return n


def mean(values: Sequence[float], seed: int = 0) -> Bounds:
    """Take the mean with its 95 % interval, by the percentile bootstrap.

    Args:
        values: at least one.
        seed: of the draws.
    """
    column = np.array(values, dtype=np.float64)[:, None]
    interval = mean_intervals(column, n_resamples=N_RESAMPLES, seed=seed)[0]
    return Bounds(estimate=interval.estimate, low=interval.low, high=interval.high)


def summarize_latencies(latencies_s: Sequence[float]) -> Latency | None:
    """Describe latencies by their mean and quantiles; None where there is none.

    Args:
        latencies_s: in seconds, in any order.
    """
    if not latencies_s:
        return None
    return Latency(
        n=len(latencies_s),
        mean_s=mean(latencies_s),
        p50_s=quantile(latencies_s, 0.5),
        p90_s=quantile(latencies_s, 0.9),
        p95_s=quantile(latencies_s, 0.95),
        p99_s=quantile(latencies_s, 0.99),
        max_s=max(latencies_s),
    )


def throughput(finished_s: Sequence[float], n_windows: int = 10) -> Bounds:
    """Take documents a second, with an interval from windows of equally many documents.

    Args:
        finished_s: when each document was answered, in seconds from the start of the run.
        n_windows: how many windows; their rates are treated as independent and normal.

    Returns:
        The rate of the whole run; without interval where there are fewer than two documents a
        window.
    """
    times = np.sort(np.array(finished_s, dtype=np.float64))
    overall = len(times) / float(times[-1])
    if len(times) < 2 * n_windows:
        return Bounds(estimate=overall, low=None, high=None)
    edges = np.linspace(0, len(times), n_windows + 1).astype(int)
    ends = np.concatenate([[0.0], times[edges[1:] - 1]])
    seconds_each = np.diff(ends) / np.diff(edges)
    half = t.ppf((1 + CONFIDENCE) / 2, n_windows - 1) * seconds_each.std(ddof=1) / n_windows**0.5
    slow, fast = seconds_each.mean() + half, seconds_each.mean() - half
    return Bounds(estimate=overall, low=1 / slow, high=1 / fast if fast > 0 else None)
