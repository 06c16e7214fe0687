"""The commands `importance` and `relevance`: which heads matter, and what each of them looks at.

What they work with is imported when one runs, so that `--help` stays quick.
"""

import json
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import click

if TYPE_CHECKING:
    from training.mining.subject import Source

Decorated = TypeVar("Decorated", bound=Callable[..., Any])


def subject_options(command: Decorated) -> Decorated:
    """Give a command the model, the documents, and where its report goes."""
    file = click.Path(path_type=Path, dir_okay=False)
    folder = click.Path(path_type=Path, file_okay=False)
    for option in (
        click.option("--threads", type=click.IntRange(min=1), help="Processor threads."),
        click.option(
            "--out",
            type=folder,
            help="Folder for the JSON and the SVG file; RUN/mining without.",
        ),
        click.option(
            "--resamples",
            type=click.IntRange(min=100),
            default=10_000,
            show_default=True,
            help="Draws of the bootstrap.",
        ),
        click.option(
            "--seed",
            type=click.IntRange(min=0),
            default=0,
            show_default=True,
            help="Of the draw of documents and of the bootstrap.",
        ),
        click.option(
            "--documents",
            type=click.IntRange(min=2),
            default=100,
            show_default=True,
            help="How many validation documents to look at.",
        ),
        click.option(
            "--encoder",
            metavar="NAME_OR_PATH",
            help="Where the model's pretrained encoder is: a hub name or a local folder.",
        ),
        click.option("--examples", type=folder, help="Prepared examples in place of the run's."),
        click.option("--checkpoint", type=file, help="A model.safetensors in place of the run's."),
        click.option(
            "--model",
            "stage",
            type=click.Choice(["teacher", "student"]),
            default="teacher",
            show_default=True,
            help="Which model of the run.",
        ),
        click.argument("run", required=False, type=folder),
    ):
        command = option(command)
    return command


@click.command(epilog="Example: patsum importance runs/news --documents 100")
@subject_options
def importance(
    run: Path | None,
    stage: str,
    checkpoint: Path | None,
    examples: Path | None,
    encoder: str | None,
    documents: int,
    seed: int,
    resamples: int,
    out: Path | None,
    threads: int | None,
) -> None:
    """Say how much each head of a model matters to its loss on validation documents.

    RUN is the folder of a run; --checkpoint and --examples do without one. Two scores a head:
    Taylor (Molchanov 2019), by the weights of the head, and Michel 2019, by a gate on what it
    gives. Each is taken document by document in eval mode, and averaged, with a bootstrap interval.
    Ctrl-C reports on the documents so far.
    """
    from training.mining.importance import measure_importance, summarize_importance
    from training.mining.subject import Source, open_subject

    source = Source(run, stage, checkpoint, examples, encoder=encoder)
    folder = find_folder(out, run)
    use_threads(threads)
    subject = open_subject(source, documents, seed)
    measured = subject.measure(
        lambda batch: measure_importance(subject.model, batch), f"importance {source.name}"
    )
    identity = {**subject.identify(len(measured)), "command": command_line()}
    write_report(
        summarize_importance(measured, identity, resamples, seed), folder, "importance", source
    )


@click.command(
    epilog="Example: patsum relevance runs/news --predicate 'same_token and lead(3)' --accept next"
)
@subject_options
@click.option(
    "--tokenizer",
    type=click.Path(path_type=Path, dir_okay=False),
    help="tokenizer.json of the examples, in place of the run's.",
)
@click.option(
    "--predicate",
    "more",
    multiple=True,
    metavar="TEXT",
    help="A further predicate to measure; may be repeated.",
)
@click.option("--library/--no-library", default=True, help="Measure the library of candidates.")
@click.option(
    "--accept",
    multiple=True,
    metavar="TEXT",
    help="A pattern that counts as explained; may be repeated. The paper's four without.",
)
@click.option(
    "--min-gr",
    type=click.FloatRange(0, 1),
    default=0.1,
    show_default=True,
    help="A head carries a predicate when the low end of its interval of GR is at least this,",
)
@click.option(
    "--min-lift",
    type=click.FloatRange(min=0),
    default=2.0,
    show_default=True,
    help="and at least so many times the GR of uniform attention,",
)
@click.option(
    "--min-z",
    type=float,
    default=2.0,
    show_default=True,
    help="and its GR at least so many standard deviations above the mean of all heads; not asked "
    "of a head that looks nowhere else, such as one that is masked to the predicate.",
)
def relevance(
    run: Path | None,
    stage: str,
    checkpoint: Path | None,
    examples: Path | None,
    encoder: str | None,
    documents: int,
    seed: int,
    resamples: int,
    out: Path | None,
    threads: int | None,
    tokenizer: Path | None,
    more: tuple[str, ...],
    library: bool,
    accept: tuple[str, ...],
    min_gr: float,
    min_lift: float,
    min_z: float,
) -> None:
    """Say what each head of a model looks at on validation documents.

    RUN is the folder of a run; --checkpoint, --examples and --tokenizer do without one. Every
    predicate of the library, and each of yours, is measured in every head: global relevance (GR,
    the share of attention inside the predicate) with a bootstrap interval over documents, its lift
    over uniform attention and its z-score over all heads. What no accepted pattern explains is
    shown as well. Ctrl-C reports on the documents so far.

    \b
    Predicates say where a token i may look:
      same_token  same_sentence  same_class  self  previous  next  offset(k)  lead(n)
      cls  sep  punctuation  number  stopword  word  both_cls
    joined by and, or, not and brackets, as in
      same_token and not (cls or sep)
    """  # noqa: D301 - click looks for the character itself, to keep the lines as they are
    from training.mining.candidates import PAPER, candidate_predicates
    from training.mining.relevance import Thresholds, measure_relevance
    from training.mining.relevance_report import report_relevance
    from training.mining.subject import Source, open_subject, open_token_classes

    predicates = candidate_predicates(more, has_library=library)
    if not predicates:
        raise click.UsageError("--no-library needs at least one --predicate TEXT")
    accepted = candidate_predicates(accept or PAPER, has_library=False)
    source = Source(run, stage, checkpoint, examples, tokenizer, encoder)
    folder = find_folder(out, run)
    use_threads(threads)
    subject = open_subject(source, documents, seed)
    classes = open_token_classes(source, subject.model)
    measured = subject.measure(
        lambda batch: measure_relevance(subject.model, classes, predicates, accepted, batch),
        f"relevance {source.name}",
    )
    report = report_relevance(
        predicates,
        accepted,
        measured,
        Thresholds(min_gr, min_lift, min_z),
        {**subject.identify(len(measured)), "command": command_line()},
        resamples,
        seed,
    )
    write_report(report, folder, "relevance", source)


class Report(Protocol):
    """What both commands write."""

    def to_text(self) -> str:
        """For the terminal."""

    def to_json(self) -> dict[str, Any]:
        """For the next program."""

    def to_svg(self) -> str:
        """For a page."""


def find_folder(out: Path | None, run: Path | None) -> Path:
    """Choose where a report goes, before anything is computed.

    Raises:
        click.UsageError: neither a folder nor a run is given.
    """
    if out is not None:
        return out
    if run is None:
        raise click.UsageError(
            "give a RUN folder, or --out FOLDER with --checkpoint and --examples"
        )
    return run / "mining"


def write_report(report: Report, folder: Path, kind: str, source: "Source") -> None:
    """Print a report, and write its JSON and its SVG; an old file is replaced whole."""
    folder.mkdir(parents=True, exist_ok=True)
    click.echo(report.to_text())
    for suffix, text in (
        (".json", json.dumps(report.to_json(), indent=1) + "\n"),
        (".svg", report.to_svg()),
    ):
        path = folder / f"{kind}-{source.name}{suffix}"
        draft = path.with_name(path.name + ".draft")
        draft.write_text(text, encoding="utf-8")
        draft.replace(path)
        click.echo(f"{path}")


def use_threads(threads: int | None) -> None:
    """Let torch compute with this many threads, if any number is asked for."""
    import torch

    if threads is not None:
        torch.set_num_threads(threads)


def command_line() -> str:
    """The command that repeats the report."""
    return shlex.join(["patsum", *sys.argv[1:]])
