"""One figure for every head, layer by layer, with its bootstrap interval."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from training.evaluate.significance import Interval

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class HeadGrid:
    """A figure a head.

    Attributes:
        mean: (layers, heads) float64, over documents.
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
        """All heads as (layer, head), the highest mean first."""
        order = np.argsort(-self.mean, axis=None, kind="stable")
        return [(int(at) // self.mean.shape[1], int(at) % self.mean.shape[1]) for at in order]

    def describe(self, layer: int, head: int, form: str) -> str:
        """Write one head's figure as `mean [low, high]`, in a number format."""
        at = layer, head
        return f"{self.mean[at]:{form}} [{self.low[at]:{form}}, {self.high[at]:{form}}]"

    def to_lines(self, form: str) -> Iterator[str]:
        """A table of the means, a line a layer, in a number format."""
        n_heads = self.mean.shape[1]
        yield "  layer " + "".join(f"{f'h{head}':>7}" for head in range(n_heads))
        for layer, row in enumerate(self.mean):
            yield f"  {layer:<6}" + "".join(f"{value:>7{form}}" for value in row)

    def to_json(self) -> dict[str, Any]:
        """Nested lists, a list a layer; numbers have six digits."""
        return {
            name: [[float(f"{value:.6g}") for value in row] for row in getattr(self, name)]
            for name in ("mean", "low", "high")
        }
