"""The plots, as SVG that reads well on light and on dark ground.

matplotlib draws with stand-in colours, which are then replaced by CSS variables: inside the HTML
report the page's own, in a file by itself ones that follow the reader's scheme.
"""

import io
import re
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullFormatter, NullLocator

from bench.result_tables import headline
from bench.results import Results

COLOURS: Final = {
    "ink": ("#1f2937", "#e5e7eb"),
    "faint": ("#9ca3af", "#6b7280"),
    "first": ("#1d4ed8", "#7ab0ff"),
    "second": ("#c2410c", "#fb923c"),
    "third": ("#047857", "#4ade80"),
    "ground": ("#ffffff", "#111827"),
}
"""Name -> colour on light and on dark ground."""

# Colours that nothing else uses, for matplotlib to write and us to find.
_STAND_INS: Final = {name: f"#0{i}0{i}fe" for i, name in enumerate(COLOURS, start=1)}
_SETTINGS: Final[dict[Any, Any]] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "patsum",
    "font.family": "sans-serif",
    "font.sans-serif": ["Helvetica", "Arial", "DejaVu Sans"],
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": _STAND_INS["faint"],
    "axes.labelcolor": _STAND_INS["ink"],
    "axes.titlecolor": _STAND_INS["ink"],
    "axes.titlesize": 12,
    "axes.titlelocation": "left",
    "text.color": _STAND_INS["ink"],
    "xtick.color": _STAND_INS["ink"],
    "ytick.color": _STAND_INS["ink"],
    "grid.color": _STAND_INS["faint"],
    "grid.alpha": 0.3,
    "axes.grid": True,
    "legend.frameon": False,
}


def style_sheet() -> str:
    """The CSS variables of the plots, for both schemes."""
    light, dark = (
        " ".join(f"--{name}: {pair[i]};" for name, pair in COLOURS.items()) for i in (0, 1)
    )
    return f":root {{ {light} }} @media (prefers-color-scheme: dark) {{ :root {{ {dark} }} }}"


def draw_server(results: Results, is_standalone: bool = False) -> str:
    """Draw p50 and p99 against the offered rate, with the objective and the found rate.

    Args:
        results: with the scenario server.
        is_standalone: a file by itself, not a part of a page.

    Returns:
        SVG.
    """
    server = results.server
    assert server, "asked only where there is one"
    with rc_context(_SETTINGS):
        figure, axes = _new_figure(7.6, 4.4)
        points = sorted(server.points, key=lambda point: (point.rate, point.is_confirmation))
        shown = [(point.rate, point.latency) for point in points if point.latency]
        rates = [rate for rate, _ in shown]
        for quantile, colour in (("p50", "second"), ("p99", "first")):
            bounds = [getattr(latency, f"{quantile}_s") for _, latency in shown]
            ms = [1e3 * b.estimate for b in bounds]
            low = [1e3 * (b.estimate if b.low is None else b.low) for b in bounds]
            high = [1e3 * (b.estimate if b.high is None else b.high) for b in bounds]
            ink = _STAND_INS[colour]
            axes.fill_between(rates, low, high, color=ink, alpha=0.18, linewidth=0)
            axes.plot(rates, ms, "o-", color=ink, markersize=4, linewidth=1.6, label=quantile)
        _mark_objective(axes, 1e3 * server.slo_s, server.highest_rate)
        _mark_failures(axes, [(p.rate, p.counts.n_rejected + p.counts.n_errors) for p in points])
        _log_scale(axes, "y")
        axes.set_xlim(left=0)
        axes.set_xlabel("offered requests a second (Poisson, open loop)")
        axes.set_ylabel("ms from when a request was due")
        axes.legend(loc="upper left")
        if is_standalone:  # a page says it above the plot
            axes.set_title(headline(results), fontsize=13, fontweight="bold", pad=24)
        axes.text(0, 1.03, _subtitle(results), transform=axes.transAxes, fontsize=9)
        return _to_svg(figure, is_standalone)


def draw_latencies(results: Results) -> str:
    """Draw how many SingleStream answers took longer than a time; the tail on a log scale."""
    stream = results.single_stream
    assert stream is not None, "asked only where there is one"
    with rc_context(_SETTINGS):
        figure, axes = _new_figure(7.6, 3.4)
        ms = 1e3 * np.sort(np.array(stream.latencies_s))
        above = 1 - np.arange(len(ms)) / len(ms)
        axes.step(ms, above, where="post", color=_STAND_INS["first"], linewidth=1.6)
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{100 * y:g} %"))
        axes.set_xlim(left=0)
        axes.set_xlabel("ms")
        axes.set_ylabel("answers that took at least this")
        axes.set_title("SingleStream: the distribution of latencies")
        return _to_svg(figure, is_standalone=False)


def draw_stages(results: Results) -> str:
    """Draw the mean time in each stage, a bar a scenario."""
    scenarios = {"Offline": results.offline, "SingleStream": results.single_stream}
    with rc_context(_SETTINGS):
        figure, axes = _new_figure(7.6, 2.2)
        colours = {"queue": "faint", "encode": "second", "infer": "first", "explain": "third"}
        labelled: set[str] = set()
        for name, scenario in scenarios.items():
            left = 0.0
            for stage, latency in scenario.stages.items() if scenario else ():
                ms = 1e3 * latency.mean_s.estimate
                label = None if stage in labelled else stage
                labelled.add(stage)
                axes.barh(name, ms, left=left, color=_STAND_INS[colours[stage]], label=label)
                left += ms
        axes.grid(visible=False, axis="y")
        axes.set_xlabel("ms, mean")
        axes.set_title("Stages: where the time of a document goes")
        axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
        return _to_svg(figure, is_standalone=False)


def draw_engine(results: Results) -> str:
    """Draw the time of one run against the tokens of the document."""
    with rc_context(_SETTINGS):
        figure, axes = _new_figure(7.6, 3.4)
        by_model: dict[str, list[tuple[int, float]]] = {}
        for time in results.engine:
            name = f"{time.weights}, {time.model}"
            by_model.setdefault(name, []).append((time.n_tokens, 1e3 * time.median_s.estimate))
        for (name, line), colour in zip(by_model.items(), ("first", "second"), strict=False):
            tokens, ms = zip(*line, strict=True)
            ink = _STAND_INS[colour]
            axes.plot(tokens, ms, "o-", color=ink, markersize=4, linewidth=1.6, label=name)
        _log_scale(axes, "x")
        _log_scale(axes, "y")
        axes.xaxis.set_major_locator(FixedLocator([time.n_tokens for time in results.engine]))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.set_xlabel("tokens of the document")
        axes.set_ylabel("ms a run, median")
        axes.set_title("The model alone")
        axes.legend(loc="upper left")
        return _to_svg(figure, is_standalone=False)


def draw_scatter(
    places: Sequence[tuple[str, float, float]], labels: tuple[str, str], title: str
) -> str:
    """Draw named points, time on a log scale to the right, the first one in another colour.

    Args:
        places: name, x and y of each.
        labels: of the two axes.
        title: of the plot.

    Returns:
        SVG, a file by itself.
    """
    with rc_context(_SETTINGS):
        figure, axes = _new_figure(7.6, 4.4)
        middle = np.sqrt(min(x for _, x, _ in places) * max(x for _, x, _ in places))
        for i, (name, x, y) in enumerate(places):
            is_right = x > middle
            ink = _STAND_INS["first" if i == 0 else "second"]
            axes.plot([x], [y], "o", color=ink, markersize=9 if i == 0 else 7)
            axes.annotate(
                name,
                (x, y),
                xytext=(-9, -14) if is_right else (9, 5),  # neighbours from both sides can pass
                textcoords="offset points",
                ha="right" if is_right else "left",
                fontweight="bold" if i == 0 else "normal",
            )
        _log_scale(axes, "x")
        axes.margins(0.2)
        axes.set_xlabel(labels[0])
        axes.set_ylabel(labels[1])
        axes.set_title(title)
        return _to_svg(figure, is_standalone=True)


def _new_figure(width: float, height: float) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.add_subplot()


def _log_scale(axes: Axes, which: str) -> None:
    axis = axes.xaxis if which == "x" else axes.yaxis
    axes.set_xscale("log") if which == "x" else axes.set_yscale("log")
    axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
    axis.set_minor_formatter(NullFormatter())


def _mark_objective(axes: Axes, slo_ms: float, highest_rate: float | None) -> None:
    ink = _STAND_INS["third"]
    axes.axhline(slo_ms, color=ink, linestyle="--", linewidth=1.2, label="objective for p99")
    if highest_rate is not None:
        axes.axvline(highest_rate, color=ink, linewidth=1.2)


def _mark_failures(axes: Axes, failures: Sequence[tuple[float, int]]) -> None:
    """Write how many requests failed at the foot of their rates."""
    for rate, n in failures:
        if n:
            axes.annotate(f"{n} failed", (rate, 0), xycoords=("data", "axes fraction"),
                          xytext=(0, 4), textcoords="offset points", ha="center", fontsize=8,
                          color=_STAND_INS["second"])  # fmt: skip


def _subtitle(results: Results) -> str:
    target, articles = results.target, results.articles
    assert target is not None, "a server run has a target"
    assert articles is not None, "a server run has articles"
    name = target.model.partition("@")[0]
    return (
        f"{name} · {target.cpu} · {target.workers} × {target.threads} threads · "
        f"articles of {articles.words_median:.0f} words"
    )


def _to_svg(figure: Figure, is_standalone: bool) -> str:
    written = io.StringIO()
    figure.savefig(written, format="svg", transparent=True,
                   metadata=dict.fromkeys(("Creator", "Date", "Format", "Type")))  # fmt: skip
    svg = written.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>\s*", "", svg, flags=re.DOTALL)
    svg = re.sub(r'<g id="[^"]*">', "<g>", svg)  # would be there twice in a page; nothing uses them
    svg = re.sub(r'width="[\d.]+pt" height="[\d.]+pt"', 'width="100%" role="img"', svg, count=1)
    for name, stand_in in _STAND_INS.items():
        svg = svg.replace(stand_in, f"var(--{name})")
    if is_standalone:
        head, body = svg.split(">", 1)
        ground = '<rect width="100%" height="100%" fill="var(--ground)"/>'
        svg = f"{head}><style>{style_sheet()}</style>{ground}{body}"
    return svg
