"""The commands `export` and `record`; heavy packages are imported when a command runs."""

import json
from pathlib import Path
from typing import Any

import click

from service.errors import DataError
from service.text.encode import DEFAULT_MAX_SENTENCES


@click.command()
@click.option(
    "--run",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    required=True,
    help="Run folder with a finished student.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    help="Bundle folder to write; `bundle` or `bundle-float32` beside the student's folder when "
    "not given.",
)
@click.option(
    "--variant",
    metavar="NAME/VARIANT/seed-N",
    help="In place of the run's student, that of one fit of `patsum ablate` in this run.",
)
@click.option(
    "--encoder",
    metavar="NAME_OR_PATH",
    help="Where the pretrained encoder of a compact student is; as the student says without.",
)
@click.option(
    "--backend",
    type=click.Choice(["optimum", "torch"]),
    default="optimum",
    show_default=True,
    help="What traces the graph; both make the same one.",
)
@click.option(
    "--max-tokens",
    type=click.IntRange(min=3),
    help="Most tokens the service reads of a document; as in training when not given.",
)
@click.option(
    "--max-sentences",
    type=click.IntRange(min=1),
    help=f"Most sentences it reads of a document; {DEFAULT_MAX_SENTENCES} when not given.",
)
@click.option(
    "--weights",
    type=click.Choice(["int8", "float32"]),
    default="int8",
    show_default=True,
    help="Number format that is packed; float32 is to compare with.",
)
@click.option(
    "--verify-documents",
    type=click.IntRange(min=1),
    default=200,
    show_default=True,
    help="Validation documents on which torch, float ONNX and int8 are compared; all if there are "
    "fewer.",
)
def export(
    folder: Path,
    out: Path | None,
    variant: str | None,
    encoder: str | None,
    backend: str,
    max_tokens: int | None,
    max_sentences: int | None,
    weights: str,
    verify_documents: int,
) -> None:
    """Turn a run's student into a bundle: ONNX, int8, verified, packed."""
    from export.export_run import export_run
    from export.to_onnx import Backend

    bundle = export_run(
        folder,
        out,
        variant=variant,
        encoder=encoder,
        backend=Backend(backend),
        max_tokens=max_tokens,
        max_sentences=max_sentences,
        weights=weights,
        n_documents=verify_documents,
    )
    click.echo(f"packed {bundle.version} into {bundle.path}")


@click.command()
@click.argument("bundle", type=click.Path(path_type=Path, file_okay=False))
@click.argument("reports", nargs=-1, type=click.Path(path_type=Path, dir_okay=False), required=True)
def record(bundle: Path, reports: tuple[Path, ...]) -> None:
    """Put measurements into a bundle's manifest and model card.

    REPORTS are files of `patsum evaluate --json`, the headline first; one of `--faithfulness` may
    be among them.
    """
    from export.pack import record_results

    written = record_results(bundle, [_read_report(path) for path in reports])
    click.echo(f"recorded {len(reports)} reports in {written.path}")


def _read_report(path: Path) -> dict[str, Any]:
    """Read a JSON object.

    Raises:
        DataError: the file is missing or holds something else.
    """
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(
            f"expected a report of `patsum evaluate --json` at {path}: {error}"
        ) from error
    if not isinstance(fields, dict):
        raise DataError(
            f"expected a report of `patsum evaluate --json` at {path}, got {type(fields).__name__}"
        )
    return fields
