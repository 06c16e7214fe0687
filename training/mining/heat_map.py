"""Layer x head heat maps as one SVG file that reads well on light and on dark ground."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Final

import numpy as np
import numpy.typing as npt

_CELL_WIDTH: Final = 44
_CELL_HEIGHT: Final = 24
_LEFT: Final = 52
_TOP: Final = 46
_GAP: Final = 28
_STRONG: Final = 0.68  # share of the highest from which white reads better than ink
_LONG: Final = 70  # characters of a title that needs a smaller type

_STYLE: Final = """
  svg { --ink: #1f2937; --faint: #6b7280; --fill: #1d4ed8; --ground: #ffffff }
  @media (prefers-color-scheme: dark) {
    svg { --ink: #e5e7eb; --faint: #9ca3af; --fill: #2f7bf6; --ground: #111827 }
  }
  text { font: 12px Helvetica, Arial, "DejaVu Sans", sans-serif; fill: var(--ink) }
  .title { font-size: 14px; font-weight: bold }
  .long { font-size: 11px }
  .axis { fill: var(--faint) }
  .cell { fill: var(--fill) }
  .strong { fill: #ffffff }
  .frame { fill: none; stroke: var(--faint); stroke-opacity: 0.5 }
  .mark { fill: none; stroke: var(--ink); stroke-width: 2 }"""


@dataclass(frozen=True, eq=False)
class HeatMap:
    """One grid to draw.

    Attributes:
        title: what it shows.
        values: (layers, heads) float, at least 0; the highest is the darkest. NaN has no cell.
        form: number format of the cells.
        marked: (layer, head) of the cells to frame.
    """

    title: str
    values: npt.NDArray[np.float64]
    form: str
    marked: frozenset[tuple[int, int]] = field(default_factory=frozenset)


def draw_heat_maps(maps: Sequence[HeatMap], n_columns: int) -> str:
    """Draw grids side by side and below each other.

    Args:
        maps: at least one, all of one shape.
        n_columns: grids beside each other.

    Returns:
        The SVG document.
    """
    n_layers, n_heads = maps[0].values.shape
    width = _LEFT + n_heads * _CELL_WIDTH + _GAP
    height = _TOP + n_layers * _CELL_HEIGHT + _GAP
    n_rows = -(-len(maps) // n_columns)
    total_width, total_height = width * min(n_columns, len(maps)), height * n_rows
    size = f'width="{total_width}" height="{total_height}"'
    box = f'viewBox="0 0 {total_width} {total_height}"'
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {box} {size} role="img">',
        f"<style>{_STYLE}\n</style>",
        f'<rect {size} style="fill: var(--ground)"/>',
    ]
    for number, one in enumerate(maps):
        row, column = divmod(number, n_columns)
        lines.append(f'<g transform="translate({column * width} {row * height})">')
        lines += _draw(one)
        lines.append("</g>")
    return "\n".join([*lines, "</svg>", ""])


def _draw(one: HeatMap) -> Iterator[str]:
    n_layers, n_heads = one.values.shape
    highest = max(float(np.nanmax(one.values)), 1e-12)
    kind = "title long" if len(one.title) > _LONG else "title"
    yield f'<text class="{kind}" x="8" y="20">{escape(one.title)}</text>'
    for head in range(n_heads):
        x = _LEFT + (head + 0.5) * _CELL_WIDTH
        yield f'<text class="axis" x="{x}" y="{_TOP - 7}" text-anchor="middle">{head}</text>'
    for layer in range(n_layers):
        y = _TOP + layer * _CELL_HEIGHT
        yield f'<text class="axis" x="{_LEFT - 8}" y="{y + 16}" text-anchor="end">L{layer}</text>'
        for head in np.flatnonzero(~np.isnan(one.values[layer])).tolist():
            share = max(0.0, float(one.values[layer, head])) / highest
            yield from _draw_cell(one, layer, head, share)
    for layer, head in sorted(one.marked):
        x, y = _LEFT + head * _CELL_WIDTH + 1, _TOP + layer * _CELL_HEIGHT + 1
        yield (
            f'<rect class="mark" x="{x}" y="{y}" width="{_CELL_WIDTH - 2}" '
            f'height="{_CELL_HEIGHT - 2}"/>'
        )


def _draw_cell(one: HeatMap, layer: int, head: int, share: float) -> Iterator[str]:
    x, y = _LEFT + head * _CELL_WIDTH, _TOP + layer * _CELL_HEIGHT
    size = f'x="{x}" y="{y}" width="{_CELL_WIDTH}" height="{_CELL_HEIGHT}"'
    yield f'<rect class="cell" {size} fill-opacity="{share:.3f}"/>'
    yield f'<rect class="frame" {size}/>'
    kind = ' class="strong"' if share > _STRONG else ""
    yield (
        f'<text{kind} x="{x + _CELL_WIDTH / 2}" y="{y + 16}" text-anchor="middle">'
        f"{one.values[layer, head]:{one.form}}</text>"
    )
