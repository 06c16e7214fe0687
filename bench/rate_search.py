"""The search for the highest rate that meets the objective."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from math import ceil, inf

from bench.results import Point

Measure = Callable[[float, bool], Awaitable[Point]]

MAX_STEPS = 16
MAX_CONFIRMATIONS = 4
SMALLEST_SHARE = 0.02


def least_duration(slo_s: float, precision: float) -> float:
    """How long requests have to come, in seconds, until an overload must show.

    A run begins with an empty queue. At a rate that is a share above the capacity, what a request
    waits grows by that share of the elapsed time: a share of `precision` needs
    slo_s / precision seconds to reach the objective, and we take twice that.

    Args:
        slo_s: objective for p99, in seconds.
        precision: share that a search tells apart, in (0, 1).
    """
    return 2 * slo_s / precision


def count_requests(rate: float, n_least: int, slo_s: float, precision: float) -> int:
    """Count the requests that a rate needs, for its p99 and for `least_duration`.

    Args:
        rate: requests a second, above 0.
        n_least: what p99 needs, or the user wants.
        slo_s: objective for p99, in seconds.
        precision: share that the search tells apart, in (0, 1).
    """
    return max(n_least, ceil(least_duration(slo_s, precision) * rate))


@dataclass(frozen=True)
class Search:
    """What a search found.

    Attributes:
        points: every measured rate, in the order of measuring.
        highest_rate: that passed, and passed again on another schedule; None where none did.
        rule: how it went, in words.
    """

    points: list[Point]
    highest_rate: float | None
    rule: str


async def search_rate(measure: Measure, capacity: float, precision: float) -> Search:
    """Find the highest rate that passes, and confirm it.

    Args:
        measure: measures a rate; the second argument tells that it is a confirmation.
        capacity: requests a second that the target can answer at all, a first guess.
        precision: the search stops when the lowest failing and the highest passing rate are this
            share of the failing one apart, in (0, 1).
    """
    points: list[Point] = []

    async def passes(rate: float, is_confirmation: bool = False) -> bool:
        points.append(await measure(rate, is_confirmation))
        return points[-1].passes

    low, high = 0.0, capacity
    while len(points) < MAX_STEPS and await passes(high):
        low, high = high, 1.5 * high
    while len(points) < MAX_STEPS and high - low > precision * high:
        middle = (low + high) / 2
        if middle < SMALLEST_SHARE * capacity:
            break
        low, high = (middle, high) if await passes(middle) else (low, middle)
    found = None
    for _ in range(MAX_CONFIRMATIONS):
        if low <= 0:
            break
        if await passes(low, True):
            found = low
            break
        low *= 1 - precision
    return Search(points, found, _describe(precision))


def find_highest(points: Sequence[Point]) -> float | None:
    """Find the highest rate that passes below the lowest one that fails; None where none does."""
    failing = min((point.rate for point in points if not point.passes), default=inf)
    return max((p.rate for p in points if p.passes and p.rate < failing), default=None)


def _describe(precision: float) -> str:
    return (
        "starts at the Offline throughput, bisects until the highest passing and the lowest "
        f"failing rate are within {100 * precision:g} % (at most {MAX_STEPS} rates), then measures "
        f"the passing one again on another schedule with twice as many requests; if that fails, "
        f"goes down by {100 * precision:g} % up to {MAX_CONFIRMATIONS - 1} times"
    )
