"""The schedule: when each request of an open loop is due, fixed before the run.

A closed loop waits for an answer before it sends the next request, so a server that stalls is
simply asked less, and the stall is measured once ("coordinated omission"). Here the times are
drawn first: a request that could not leave in time, or waits behind others, shows it.
"""

import numpy as np
import numpy.typing as npt

from service.errors import InputError


def poisson_schedule(rate: float, n: int, seed: int) -> npt.NDArray[np.float64]:
    """Draw the arrival times of a Poisson process that has n arrivals in n / rate seconds.

    Given their count, the arrivals of a Poisson process are uniform over its time. So the offered
    rate is the one that is asked for; drawn gap by gap, it would be off by a share of
    1 / sqrt(n): 4 % at 662, as much as a search claims to tell apart.

    Args:
        rate: arrivals a second, above 0.
        n: arrivals, at least 1.
        seed: of the draw; the same seed and n give the same times, scaled by the rate.

    Returns:
        (arrivals,) float64 seconds from the start, in [0, n / rate), increasing.

    Raises:
        InputError: rate or n is out of its range.

    Source:
        The order-statistic property of the Poisson process: Kingman, Poisson Processes, 2.4.
    """
    if not rate > 0 or not np.isfinite(rate):
        raise InputError(f"expected a rate above 0 a second, got {rate}; give one like 20")
    if n < 1:
        raise InputError(f"expected at least 1 request, got {n}; ask for one or more")
    return np.sort(np.random.default_rng(seed).uniform(0, n / rate, n))


def article_order(n_requests: int, n_articles: int, seed: int) -> npt.NDArray[np.int64]:
    """Choose which article each request carries: all of them equally often, shuffled each round.

    Returns:
        (requests,) int64 indices of articles.
    """
    random = np.random.default_rng(seed)
    n_rounds = -(-n_requests // n_articles)
    return np.concatenate([random.permutation(n_articles) for _ in range(n_rounds)])[:n_requests]
