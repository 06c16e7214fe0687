"""One figure for every head, layer by layer, with its bootstrap interval.

A grid is as wide as the widest layer; where a layer has no such head, it holds NaN.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from training.evaluate.significance import Interval

FloatArray = npt.NDArray[np.float64]


def stack_layers(layers: Sequence[FloatArray]) -> FloatArray:
    """Lay the heads of all layers out in one array.

    Args:
        layers: one a layer: (..., its heads) float64.

    Returns:
        (..., layers, heads of the widest) float64; NaN where a layer has no such head.
    """
    widest = max(layer.shape[-1] for layer in layers)
    stacked = np.full((*layers[0].shape[:-1], len(layers), widest), np.nan)
    for number, layer in enumerate(layers):
        stacked[..., number, : layer.shape[-1]] = layer
    return stacked


def to_rows(values: FloatArray, n_digits: int = 6) -> list[list[float | None]]:
    """Write a grid as JSON has it.

    Args:
        values: (layers, heads) float64.
        n_digits: of each number; 17 leave it as it is.

    Returns:
        A list a layer; None where it has no such head.
    """
    return [
        [None if np.isnan(value) else float(f"{value:.{n_digits}g}") for value in row]
        for row in values
    ]


def from_rows(rows: list[list[float | None]]) -> FloatArray:
    """Read what `to_rows` gave."""
    return np.array(rows, dtype=np.float64)  # which makes NaN of None


@dataclass(frozen=True, eq=False)
class HeadGrid:
    """A figure a head.

    Attributes:
        mean: (layers, heads) float64, over documents; NaN where a layer has no such head.
        low: (layers, heads) float64, lower end of the 95 % interval.
        high: (layers, heads) float64, upper end.
    """

    mean: FloatArray
    low: FloatArray
    high: FloatArray

    @classmethod
    def from_intervals(cls, intervals: list[Interval], shape: tuple[int, ...]) -> "HeadGrid":
        """Lay out intervals that were listed layer by layer.

        Args:
            intervals: layers * heads of them.
            shape: (layers, heads).
        """
        rows = np.array([(one.estimate, one.low, one.high) for one in intervals])
        mean, low, high = (rows[:, column].reshape(shape) for column in range(3))
        return cls(mean, low, high)

    @classmethod
    def of(cls, values: FloatArray) -> "HeadGrid":
        """A grid without intervals, for a table."""
        return cls(values, values, values)

    def ranked(self) -> list[tuple[int, int]]:
        """All heads that there are as (layer, head), the highest mean first."""
        order = np.argsort(-self.mean, axis=None, kind="stable")[: self.values().size]  # NaN last
        return [(int(at) // self.mean.shape[1], int(at) % self.mean.shape[1]) for at in order]

    def values(self) -> FloatArray:
        """The means of the heads that there are, layer by layer."""
        return self.mean[~np.isnan(self.mean)]

    def shares(self) -> FloatArray:
        """(layers, heads) each mean in percent of the sum over all heads."""
        shares: FloatArray = 100 * self.mean / self.values().sum()
        return shares

    def describe(self, layer: int, head: int, form: str) -> str:
        """Write one head's figure as `mean [low, high]`, in a number format."""
        at = layer, head
        return f"{self.mean[at]:{form}} [{self.low[at]:{form}}, {self.high[at]:{form}}]"

    def to_lines(self, form: str) -> Iterator[str]:
        """A table of the means, a line a layer, in a number format; blank without a head."""
        n_heads = self.mean.shape[1]
        yield "  layer " + "".join(f"{f'h{head}':>7}" for head in range(n_heads))
        for layer, row in enumerate(self.mean):
            cells = ("" if np.isnan(value) else f"{value:{form}}" for value in row)
            yield (f"  {layer:<6}" + "".join(f"{cell:>7}" for cell in cells)).rstrip()

    def to_json(self) -> dict[str, Any]:
        """See `to_rows`."""
        return {name: to_rows(getattr(self, name)) for name in ("mean", "low", "high")}
