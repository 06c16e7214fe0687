"""Markdown tables out of results, as they stand in docs/benchmark.md.

python -m bench.tables bench.json peers.json
"""

import json
from collections.abc import Iterator
from pathlib import Path

import click
from pydantic import ValidationError

from bench.command_line import run_command
from bench.peer_results import PeerResults
from bench.result_tables import facts, headline, make_tables
from bench.results import read_results
from service.errors import DataError


def write_markdown(path: Path) -> Iterator[str]:
    """Lay out one file of results as Markdown.

    Args:
        path: what `patsum bench --json` or `python -m bench.peers --json` wrote.

    Raises:
        DataError: it is something else.
    """
    try:
        is_peers = json.loads(path.read_bytes()).get("kind") == "peers"
    except (OSError, ValueError, AttributeError) as error:
        raise DataError(
            f"expected results as JSON in {path}, got {error}; make some with --json"
        ) from error
    yield from _write_peers(path) if is_peers else _write_bench(path)


def _write_bench(path: Path) -> Iterator[str]:
    results = read_results(path)
    if sentence := headline(results):
        yield f"**{sentence}**"
        yield ""
    for table in make_tables(results):
        yield from table.to_markdown()
        yield ""
    yield from _write_facts(list(facts(results)))


def _write_peers(path: Path) -> Iterator[str]:
    try:
        results = PeerResults.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise DataError(
            f"expected the JSON of `python -m bench.peers` in {path}, got "
            f"{error.errors()[0]['msg']}; make it again with this version"
        ) from error
    yield from results.to_table().to_markdown()
    yield ""
    yield from _write_facts(results.to_notes())


def _write_facts(facts: list[tuple[str, str]]) -> Iterator[str]:
    for name, value in facts:
        shown = f"`{value}`" if name == "command" else value
        yield f"- {name}: {shown}"


@click.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path, dir_okay=False))
def tables(paths: tuple[Path, ...]) -> None:
    """Print results as the Markdown of docs/benchmark.md; PATHS are files written by --json."""
    for path in paths:
        click.echo("\n".join(write_markdown(path)) + "\n")


def main() -> None:
    """Run the command."""
    run_command(tables, "python -m bench.tables")


if __name__ == "__main__":
    main()
