"""The search for the highest rate that meets the objective."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from bench.results import Point

Measure = Callable[[float, bool], Awaitable[Point]]

MAX_STEPS = 16
MAX_CONFIRMATIONS = 4
SMALLEST_SHARE = 0.02


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


def _describe(precision: float) -> str:
    return (
        "starts at the Offline throughput, bisects until the highest passing and the lowest "
        f"failing rate are within {100 * precision:g} % (at most {MAX_STEPS} rates), then measures "
        f"the passing one again on another schedule with twice as many requests; if that fails, "
        f"goes down by {100 * precision:g} % up to {MAX_CONFIRMATIONS - 1} times"
    )
