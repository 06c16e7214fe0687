"""The command `patsum explore`."""

import getpass
from pathlib import Path

import click

from training.cli import threads_option, use_threads

# What `patsum distill` reads is about the teacher.
_DECISIONS = {"teacher": "decisions.json", "student": "student-decisions.json"}


@click.command(epilog="Example: patsum explore runs/news --encoder /models/all-MiniLM-L6-v2")
@click.argument("run", type=click.Path(path_type=Path, file_okay=False))
@click.option(
    "--model",
    "stage",
    type=click.Choice(["teacher", "student"]),
    help="Look into this model alone; without, into teacher and student side by side, where both "
    "are fitted.",
)
@click.option(
    "--encoder",
    metavar="NAME_OR_PATH",
    help="Where the model's pretrained encoder is: a hub name or a local folder.",
)
@click.option(
    "--decisions",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Decisions file to go on with, or to begin, about the teacher, or with --model student "
    "about that; RUN/decisions.json and RUN/student-decisions.json without.",
)
@click.option("--by", metavar="NAME", help="Who decides, for the record; the login name without.")
@click.option(
    "--documents",
    type=click.IntRange(min=1),
    default=100,
    show_default=True,
    help="Validation documents to look at and to measure predicates on, the first ones.",
)
@click.option(
    "--held",
    type=click.IntRange(min=1),
    default=60,
    show_default=True,
    help="Validation documents that a what-if is measured on, the last ones; never those shown.",
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port", type=click.IntRange(0, 65_535), default=8_080, show_default=True, help="0: any free."
)
@threads_option
def explore(
    run: Path,
    stage: str | None,
    encoder: str | None,
    decisions: Path | None,
    by: str | None,
    documents: int,
    held: int,
    host: str,
    port: int,
    threads: int | None,
) -> None:
    """Look into the fitted models of RUN in the browser, and decide which head carries what.

    The page shows every head's attention in the documents' text, how relevant a predicate (such as
    "same_token and not cls") is to each head, and what masking, fixing or pruning heads would do to
    loss and ROUGE. What you accept or reject goes to the decisions file, with its evidence.

    The first start computes the documents' scores and the heads' importance, minutes with a bar,
    and keeps them in RUN/MODEL/explorer. The page needs no network, and nothing leaves this
    machine; there is no password, so give --host another address only on a network that you trust.
    """
    from training.mining.explorer.exhibit import fitted_stages, open_exhibit
    from training.mining.explorer.explorer import Explorer
    from training.mining.explorer.server import serve

    use_threads(threads)
    by = by or getpass.getuser()
    explorers: list[Explorer] = []
    for name in (stage,) if stage else fitted_stages(run):
        exhibit = open_exhibit(run, name, encoder=encoder, n_shown=documents, n_held=held)
        path = (None if explorers else decisions) or run / _DECISIONS[name]
        explorers.append(Explorer(exhibit, path, by))
    serve(explorers, host, port, click.echo)
