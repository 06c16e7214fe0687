"""The plot of an ablation: each variant's difference to the reference with its interval, as SVG."""

from html import escape
from typing import Final

from training.ablation.results import Results, Row

_ROW: Final = 26
_LABEL: Final = 220
_PLOT: Final = 420
_VALUE: Final = 190
_TOP: Final = 76

_STYLE: Final = """
text { font: 13px system-ui, sans-serif; fill: #1f2937; } .faint { fill: #6b7280; font-size: 12px; }
.title { font-size: 15px; font-weight: 600; } line { stroke: #9ca3af; } .zero { stroke: #6b7280; }
.interval { stroke: #1d4ed8; stroke-width: 2; } circle { fill: #1d4ed8; } .ground { fill: #ffffff; }
.open { fill: #ffffff; stroke: #1d4ed8; stroke-width: 2; }
@media (prefers-color-scheme: dark) { text { fill: #e5e7eb; } .faint { fill: #9ca3af; }
line { stroke: #4b5563; } .zero { stroke: #9ca3af; } .interval { stroke: #7ab0ff; }
circle { fill: #7ab0ff; } .ground { fill: #111827; } .open { fill: #111827; stroke: #7ab0ff; } }
"""


def draw_differences(results: Results) -> str:
    """Draw ROUGE-1 minus the reference's, a row a variant; filled where the interval is off 0.

    Args:
        results: with the reference measured, or nothing is drawn but the names.

    Returns:
        SVG that reads well on light and on dark ground.
    """
    rows = [row for row in results.rows if row.difference]
    reach = max(
        [0.1, *(max(abs(row.difference[0].low), abs(row.difference[0].high)) for row in rows)]
    )
    reach = 1.1 * reach
    width, height = _LABEL + _PLOT + _VALUE, _TOP + _ROW * len(rows) + 46
    made_by = results.provenance
    body = [
        f'<rect class="ground" width="{width}" height="{height}"/>',
        _text(16, 26, f"{made_by.name}: ROUGE-1 minus that of “{results.reference}”", "title"),
        _text(16, 46, made_by.validation, "faint"),
        _text(
            16,
            62,
            f"{len(made_by.seeds)} seeds, 95 % paired bootstrap over documents; "
            "filled where the interval leaves out 0",
            "faint",
        ),
        *_draw_axis(reach, len(rows)),
        *(_draw_row(row, _TOP + _ROW * (i + 0.5), reach) for i, row in enumerate(rows)),
    ]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" '
        f'aria-label="{escape(made_by.name)}">\n<style>{_STYLE}</style>\n'
        + "\n".join(body)
        + "\n</svg>\n"
    )


def _draw_row(row: Row, y: float, reach: float) -> str:
    one = row.difference[0]
    is_off_zero = one.low > 0 or one.high < 0
    return (
        _text(16, y + 4, row.name, "faint" if row.is_baseline else "")
        + f'<line class="interval" x1="{_place(one.low, reach):.1f}" y1="{y}" '
        f'x2="{_place(one.high, reach):.1f}" y2="{y}"/>'
        f'<circle class="{"" if is_off_zero else "open"}" r="5" '
        f'cx="{_place(one.estimate, reach):.1f}" cy="{y}"/>'
        + _text(
            _LABEL + _PLOT + 12,
            y + 4,
            f"{one.estimate:+.2f} [{one.low:+.2f}, {one.high:+.2f}]",
        )
    )


def _draw_axis(reach: float, n_rows: int) -> list[str]:
    bottom = _TOP + _ROW * n_rows
    step = next(s for s in (0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50) if reach / s <= 4)
    marks = [step * i for i in range(-4, 5) if abs(step * i) <= reach]
    drawn = []
    for mark in marks:
        x = _place(mark, reach)
        kind = "zero" if mark == 0 else ""
        drawn.append(f'<line class="{kind}" x1="{x:.1f}" y1="{_TOP}" x2="{x:.1f}" y2="{bottom}"/>')
        drawn.append(_text(x - 14, bottom + 18, f"{mark:+g}" if mark else "0", "faint"))
    return drawn


def _place(value: float, reach: float) -> float:
    return _LABEL + _PLOT * (value + reach) / (2 * reach)


def _text(x: float, y: float, text: str, kind: str = "") -> str:
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}">{escape(text)}</text>'
