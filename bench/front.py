"""What does each student cost, and how good is it?

    python -m bench.front BUNDLE BUNDLE ... --plot front.svg

Quality is what the bundles' manifests have recorded (`patsum evaluate --json`, `patsum record`), on
one and the same data. Time is the engine's on documents of fixed lengths, the bundles in turns. A
bundle that another one beats in both stands behind the front.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import click
from tqdm import tqdm

from bench.command_line import run_command
from bench.engine_time import N_WARM_UP, time_engines
from bench.option_types import Numbers
from bench.plots import draw_scatter
from bench.table import Table
from service.errors import InputError
from service.inference.bundle import Bundle


class Quality(NamedTuple):
    """A bundle's headline figures.

    Attributes:
        data: what it was measured on, and how many documents of it.
        rouge1: mean ROUGE-1.
        above_lead: by how much that is above Lead-3's, and the ends of the interval of it.
    """

    data: tuple[str, int]
    rouge1: float
    above_lead: tuple[float, ...]


class Place(NamedTuple):
    """One bundle among the others.

    Attributes:
        name: its name.
        version: of its model.
        layers: token layers, and whether the last is for the [CLS] alone.
        heads: heads of each layer.
        width: of a token vector.
        n_bytes: size of its graph.
        rouge1: its mean.
        above_lead: by how much it is above Lead-3's, and the ends of the interval of that.
        ms: by number of tokens, the median of a run in milliseconds.
        is_on_front: no other bundle is better and not slower, or faster and not worse, at the first
            of the lengths.
    """

    name: str
    version: str
    layers: str
    heads: tuple[int, ...]
    width: int
    n_bytes: int
    rouge1: float
    above_lead: tuple[float, ...]
    ms: dict[int, float]
    is_on_front: bool


def find_front(points: Sequence[tuple[float, float]]) -> list[bool]:
    """Tell which points no other one beats.

    Args:
        points: cost and worth of each.

    Returns:
        For each point, whether no other costs at most as much and is worth at least as much, one
        of the two strictly.
    """
    return [
        not any(c <= cost and w >= worth and (c, w) != (cost, worth) for c, w in points)
        for cost, worth in points
    ]


def read_quality(bundle: Bundle) -> Quality:
    """Read a bundle's headline figures.

    Raises:
        InputError: it has none, or not these.
    """
    if not bundle.manifest.quality:
        raise InputError(
            f"expected a recorded quality in {bundle.path}, got none; run `patsum evaluate "
            "--bundle BUNDLE --data DATA --json REPORT` and `patsum record BUNDLE REPORT`"
        )
    fields = bundle.manifest.quality[0].model_dump()
    try:
        above_lead = tuple(map(float, fields["difference"]["rouge1"]))
        return Quality((fields["data"], fields["n"]), float(fields["rouge1"]), above_lead)
    except (KeyError, TypeError, ValueError):
        raise InputError(
            f"expected ROUGE-1 and its difference to Lead-3 in the quality of {bundle.path}, got "
            f"{sorted(fields)}; measure and record it again"
        ) from None


def measure_places(
    bundles: Sequence[Bundle], lengths: Sequence[int], runs: int, threads: int
) -> list[Place]:
    """Time the bundles in turns, and put their quality beside it.

    Args:
        bundles: at least one, measured on the same data.
        lengths: tokens of the documents, the one that the front is drawn for first.
        runs: timed runs of each bundle and length.
        threads: that share one run.

    Raises:
        InputError: a bundle has no recorded quality, or one on other data.
    """
    quality = [read_quality(bundle) for bundle in bundles]
    if len(measured_on := {one.data for one in quality}) > 1:
        raise InputError(
            f"expected quality on the same data, got {sorted(measured_on)}; measure them alike"
        )
    total = len(bundles) * len(lengths) * runs
    with tqdm(total=total, desc="engines", unit=" runs", dynamic_ncols=True) as bar:
        times = time_engines(bundles, lengths, runs, threads, 0, bar.update)
    by_bundle = [times[i :: len(bundles)] for i in range(len(bundles))]
    ms = [{t.n_tokens: 1e3 * t.median_s.estimate for t in row} for row in by_bundle]
    front = find_front([(row[lengths[0]], q.rouge1) for row, q in zip(ms, quality, strict=True)])
    return [
        _make_place(bundle, q, row, is_on_front=is_on_front)
        for bundle, q, row, is_on_front in zip(bundles, quality, ms, front, strict=True)
    ]


def _make_place(
    bundle: Bundle, quality: Quality, ms: dict[int, float], *, is_on_front: bool
) -> Place:
    model = bundle.manifest.model
    return Place(
        name=bundle.manifest.name,
        version=bundle.version,
        layers=f"{model.layers}{' [CLS]' if model.is_last_for_cls else ''}",
        heads=tuple(map(len, model.patterns)),
        width=model.width,
        n_bytes=bundle.model_path.stat().st_size,
        rouge1=quality.rouge1,
        above_lead=quality.above_lead,
        ms=ms,
        is_on_front=is_on_front,
    )


def make_table(places: Sequence[Place]) -> Table:
    """Lay the places out, the fastest first."""
    lengths = list(places[0].ms)
    head = ["student", "token layers", "heads", "width", "MB", "ROUGE-1", "above Lead-3"]
    head += [f"ms, {n:,} tokens" for n in lengths]
    rows = [
        [
            f"{place.name} *" if place.is_on_front else place.name,
            place.layers,
            " ".join(map(str, place.heads)),
            str(place.width),
            f"{place.n_bytes / 1e6:.1f}",
            f"{place.rouge1:.2f}",
            f"{place.above_lead[0]:+.2f} [{place.above_lead[1]:.2f}, {place.above_lead[2]:.2f}]",
            *(f"{place.ms[n]:.2f}" for n in lengths),
        ]
        for place in sorted(places, key=lambda place: place.ms[lengths[0]])
    ]
    note = f"* no other is better and faster, at {lengths[0]:,} tokens."
    return Table("Quality against time", head, rows, note)


@click.command(epilog="Example: python -m bench.front small large --tokens 512 --plot front.svg")
@click.argument("bundles", nargs=-1, required=True,
                type=click.Path(path_type=Path, exists=True, file_okay=False))  # fmt: skip
@click.option(
    "--tokens",
    type=Numbers(int, 3, is_open=False),
    default="512,2048",
    show_default=True,
    help="Lengths of documents; the front is drawn for the first.",
)
@click.option("--threads", type=click.IntRange(min=1), default=1, show_default=True)
@click.option("--runs", type=click.IntRange(min=3), default=50, show_default=True)
@click.option("--json", "json_path", type=click.Path(path_type=Path, dir_okay=False),
              help="Write the figures here.")  # fmt: skip
@click.option("--plot", type=click.Path(path_type=Path, dir_okay=False), help="Write an SVG here.")
def front(
    bundles: tuple[Path, ...],
    tokens: tuple[int, ...],
    threads: int,
    runs: int,
    json_path: Path | None,
    plot: Path | None,
) -> None:
    """Compare BUNDLES by recorded quality and by the time of their engines, in turns."""
    places = measure_places([Bundle(path) for path in bundles], tokens, runs, threads)
    click.echo("\n".join(make_table(places).to_markdown()))
    if json_path is not None:
        shown = [place._asdict() for place in places]
        fields = {"threads": threads, "runs": runs, "warm_up": N_WARM_UP, "places": shown}
        json_path.write_text(json.dumps(fields, indent=1) + "\n", encoding="utf-8")
    if plot is not None:
        points = [(place.name, place.ms[tokens[0]], place.rouge1) for place in places]
        labels = (f"engine, ms at {tokens[0]:,} tokens", "ROUGE-1")
        plot.write_text(draw_scatter(points, labels, "Small students"), encoding="utf-8")


if __name__ == "__main__":
    run_command(front, "python -m bench.front")
