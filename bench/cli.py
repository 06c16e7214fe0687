"""The `bench` command: latency and throughput of a service, or of the model in this process.

What it works with is imported when it runs, so that `--help` stays quick.
"""

import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bench.command_line import record_command, run_command
from bench.option_types import Numbers, WordRange

if TYPE_CHECKING:
    from bench.results import Results

_SCENARIOS = ("single-stream", "server", "offline", "engine")

_EXAMPLES = """\b
Examples:
  patsum bench                               all scenarios, in this process
  patsum bench --url http://127.0.0.1:8000   the service that runs there
  patsum bench --data articles.jsonl.xz      on your own articles
  patsum bench --words 200-300 --slo-ms 50   shorter ones, a tighter objective
  patsum bench --scenario server --rates 5,10,20 --requests 200
                                             a first look, without a search
  patsum bench --scenario engine --lengths 128,512,2048 --compare float32/
                                             does int8 pay on this processor?
  patsum bench --cold-start 5 --html report.html --json report.json

\b
docs/benchmark.md says how all this is measured and how to read it.
"""


_FILE = click.Path(path_type=Path, dir_okay=False)
_FOLDER = click.Path(path_type=Path, file_okay=False)


@click.command(epilog=_EXAMPLES)
@click.option("--url", help="Measure the service there; without it, the model in this process.")
@click.option("--api-key", envvar="PATSUM_API_KEY", show_envvar=True, help="Bearer key of --url.")
@click.option("--bundle", type=_FOLDER, help="Bundle folder in this process, not the embedded one.")
@click.option(
    "--threads",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="Threads for one document, in this process.",
)
@click.option(
    "--workers",
    type=click.IntRange(1),
    help="Documents at a time, in this process.  [default: one a usable CPU]",
)
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    help='JSON lines (or .gz, .xz; key "article" or "text"), or a folder of .txt files.',
)
@click.option(
    "--words",
    type=WordRange(),
    default="500-700",
    show_default=True,
    help="Without --data: words of a generated article.",
)
@click.option(
    "--articles",
    "n_articles",
    type=click.IntRange(1),
    default=100,
    show_default=True,
    help="Most distinct articles, drawn at random.",
)
@click.option(
    "--seed",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="Of articles, orders and arrival times.",
)
@click.option(
    "--scenario",
    "scenarios",
    type=click.Choice(_SCENARIOS),
    multiple=True,
    help="Run only this one; may be given several times.",
)
@click.option(
    "--requests",
    "n_requests",
    type=click.IntRange(1),
    default=662,
    show_default=True,
    help="Requests for each scenario and each rate; p99 needs 662.",
)
@click.option(
    "--slo-ms",
    type=click.FloatRange(0, min_open=True),
    default=100.0,
    show_default=True,
    help="Server: p99 has to stay within this.",
)
@click.option(
    "--rates",
    type=Numbers(float, 0, is_open=True),
    default=(),
    help="Server: measure these requests a second instead of searching.",
)
@click.option(
    "--precision",
    type=click.FloatRange(0.005, 0.5),
    default=0.05,
    show_default=True,
    help="Server: the search stops when pass and fail are this share apart.",
)
@click.option(
    "--connections",
    "n_parallel",
    type=click.IntRange(1),
    help="Offline: requests in flight.  [default: twice the workers]",
)
@click.option(
    "--lengths",
    type=Numbers(int, 3, is_open=False),
    default="128,512,2048",
    show_default=True,
    help="Engine: tokens of a document.",
)
@click.option(
    "--engine-runs",
    "n_engine_runs",
    type=click.IntRange(1),
    default=50,
    show_default=True,
    help="Engine: timed runs for each length.",
)
@click.option(
    "--compare", type=_FOLDER, help="Engine: another bundle, such as the float32 one, in turns."
)
@click.option(
    "--cold-start",
    "n_cold_starts",
    type=click.IntRange(0),
    default=0,
    metavar="N",
    help="Also start `patsum serve` N times: time to ready, memory at rest.",
)
@click.option(
    "--timeout",
    "timeout_s",
    type=click.FloatRange(0, min_open=True),
    default=30.0,
    show_default=True,
    help="Seconds that a request to --url may take.",
)
@click.option("--json", "json_path", type=_FILE, help="Write all results there.")
@click.option("--html", "html_path", type=_FILE, help="Write a report with plots there.")
@click.option("--svg", "svg_path", type=_FILE, help="Write the latency-against-rate plot there.")
def bench(
    json_path: Path | None,
    html_path: Path | None,
    svg_path: Path | None,
    scenarios: tuple[str, ...],
    slo_ms: float,
    workers: int | None,
    url: str | None,
    **options: Any,
) -> None:
    """Measure latency and throughput: MLPerf's SingleStream, Server and Offline.

    Server sends requests at Poisson times that are fixed beforehand, counts latency from when a
    request was due, and searches for the highest rate whose p99 stays within --slo-ms without an
    error. Engine times the model alone. Nothing of an article is written to a report.
    """
    from bench.plan import Plan
    from bench.report_text import write_text
    from bench.run import run_benchmark
    from service.api.settings import count_usable_cpus

    if url is None:
        options["api_key"] = None
    plan = Plan(
        url=url,
        scenarios=scenarios or (_SCENARIOS[:3] if url else _SCENARIOS),
        slo_s=slo_ms / 1e3,
        workers=workers or count_usable_cpus(),
        command=record_command(("patsum", "bench"), sys.argv[1:]),
        **options,
    )
    if svg_path and "server" not in plan.scenarios:
        raise click.UsageError("--svg draws the scenario server; add --scenario server")
    for path in (json_path, html_path, svg_path):
        if path and not path.absolute().parent.is_dir():
            raise click.UsageError(f"there is no folder {path.parent} to write {path.name} into")
    results = run_benchmark(plan)
    _write_files(results, json_path, html_path, svg_path)
    click.echo(write_text(results))
    if results.is_interrupted:
        raise SystemExit(128 + signal.SIGINT)


def _write_files(
    results: "Results", json_path: Path | None, html_path: Path | None, svg_path: Path | None
) -> None:
    if json_path:
        json_path.write_text(results.model_dump_json(indent=1) + "\n", encoding="utf-8")
    if html_path:
        from bench.report_html import write_html

        html_path.write_text(write_html(results), encoding="utf-8")
    if svg_path and results.server:
        from bench.plots import draw_server

        svg_path.write_text(draw_server(results, is_standalone=True), encoding="utf-8")


def main() -> None:
    """Run the command by itself, where `patsum` is not installed."""
    run_command(bench, "patsum bench")


if __name__ == "__main__":
    main()
