"""The types of options that click does not bring: a range of lengths, and lists of numbers."""

from collections.abc import Callable
from typing import Any

import click


class WordRange(click.ParamType[tuple[int, int]]):
    """Two whole numbers, "500-700", or one for both."""

    name = "MIN-MAX"

    def convert(self, value: Any, param: Any, ctx: Any) -> tuple[int, int]:
        """Read the range, or say what was expected."""
        if isinstance(value, tuple):
            return value
        low, _, high = str(value).partition("-")
        if low.isdigit() and (high or low).isdigit() and 1 <= int(low) <= int(high or low):
            return int(low), int(high or low)
        return self.fail(f"expected lengths like 500-700, got {value!r}", param, ctx)


class Numbers(click.ParamType[tuple[float, ...]]):
    """Numbers with commas between them, each at least or above a least one."""

    name = "N,N,…"

    def __init__(self, kind: Callable[[str], float], at_least: float, is_open: bool) -> None:
        self._kind, self._at_least, self._is_open = kind, at_least, is_open

    def convert(self, value: Any, param: Any, ctx: Any) -> tuple[float, ...]:
        """Read the numbers, or say what was expected."""
        if isinstance(value, tuple):
            return value
        try:
            numbers = tuple(self._kind(part) for part in str(value).split(","))
        except ValueError:
            numbers = ()
        lowest = self._at_least
        if numbers and all(
            (lowest < n if self._is_open else lowest <= n) and n < float("inf") for n in numbers
        ):
            return numbers
        than = "above" if self._is_open else "from"
        return self.fail(
            f"expected numbers {than} {lowest:g}, like 10,20, got {value!r}", param, ctx
        )
