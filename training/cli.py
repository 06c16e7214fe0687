"""The commands of `patsum` that train, in the order in which a run needs them.

What they work with (torch, transformers, nltk) is imported when one is called, so that `--help`
stays quick.
"""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from training.ablation.command import ablate
from training.evaluate.command import evaluate

if TYPE_CHECKING:
    from training.run import Stage

__all__ = ["ablate", "distill", "evaluate", "inject", "prepare", "punkt", "teacher"]

Decorated = TypeVar("Decorated", bound=Callable[..., Any])


def run_options(command: Decorated) -> Decorated:
    """Give a command what every stage takes: the recipe, the run folder, the encoder."""
    for option in (
        click.option(
            "--encoder",
            metavar="NAME_OR_PATH",
            help="Where the recipe's pretrained encoder is: a hub name or a local folder.",
        ),
        click.option(
            "--run",
            "run_path",
            type=click.Path(path_type=Path, file_okay=False),
            required=True,
            help="Folder of the experiment; made when it is not there.",
        ),
        click.argument("recipe", type=click.Path(path_type=Path, dir_okay=False)),
    ):
        command = option(command)
    return command


threads_option = click.option(
    "--threads", type=click.IntRange(min=1), help="Processor threads; torch's own choice without."
)


@click.command(epilog="Example: patsum prepare training/recipes/news.toml --run runs/news --jobs 4")
@run_options
@click.option("--train", metavar="SOURCE", help="Training articles in place of the recipe's.")
@click.option("--validation", metavar="SOURCE", help="Validation articles, likewise.")
@click.option("--unlabelled", metavar="SOURCE", help="Articles without summaries, likewise.")
@click.option(
    "--punkt",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Parameters of the sentence splitter; those of the embedded bundle without.",
)
@click.option("--jobs", type=click.IntRange(min=1), default=1, show_default=True, help="Processes.")
def prepare(
    recipe: Path,
    run_path: Path,
    encoder: str | None,
    train: str | None,
    validation: str | None,
    unlabelled: str | None,
    punkt: Path | None,
    jobs: int,
) -> None:
    """Encode and label the articles of RECIPE: the first stage of a run.

    A SOURCE is a file of JSON lines (.jsonl, .gz, .xz; keys "article" and "summary") or
    hf:NAME:CONFIG:SPLIT. Examples that were prepared with the same settings are kept.
    """
    from service.inference.bundle import embedded_bundle_path
    from training.preparation import Preparation, describe_articles
    from training.run import Run

    run = Run(run_path)
    chosen = run.adopt_recipe(recipe)
    train, validation = train or chosen.data.train, validation or chosen.data.validation
    unlabelled = chosen.data.unlabelled if unlabelled is None else unlabelled
    for source in filter(None, (train, validation, unlabelled)):
        describe_articles(source)  # a missing file is noticed before the encoder is fetched
    preparation = Preparation(
        run,
        chosen,
        encoder or chosen.teacher.encoder,
        punkt or embedded_bundle_path() / "punkt.json",
    )
    click.echo(preparation.prepare_train(train, unlabelled, jobs))
    click.echo(preparation.prepare_validation(validation, jobs))


@click.command(epilog="Example: patsum punkt news.jsonl.xz --out punkt.json")
@click.argument(
    "articles",
    nargs=-1,
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    required=True,
    help="JSON file to write.",
)
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    default=2_000,
    show_default=True,
    help="Articles read of each file.",
)
def punkt(articles: tuple[Path, ...], out: Path, limit: int) -> None:
    """Train the sentence splitter on cased ARTICLES, files of JSON lines (.xz) with key "article".

    Give the result to `patsum prepare --punkt`; a bundle carries the parameters it was made with.
    """
    from service.text.punkt_json import write_punkt
    from training.data.punkt import train_punkt

    write_punkt(train_punkt(articles, limit), out)
    click.echo(f"{out}: {out.stat().st_size} bytes")


@click.command(epilog="Example: patsum teacher training/recipes/news.toml --run runs/news")
@run_options
@threads_option
def teacher(recipe: Path, run_path: Path, encoder: str | None, threads: int | None) -> None:
    """Fit the teacher of RECIPE on the prepared examples; takes up a fit that was stopped."""
    from training.run import Run
    from training.teacher import fit_teacher

    use_threads(threads)
    run = Run(run_path)
    chosen = run.adopt_recipe(recipe)
    note_if_finished(run.teacher)
    result = fit_teacher(run, chosen, encoder)
    click.echo(describe_result(run.teacher.model_path, result))


@click.command(epilog="Example: patsum distill training/recipes/news.toml --run runs/news")
@run_options
@threads_option
def distill(recipe: Path, run_path: Path, encoder: str | None, threads: int | None) -> None:
    """Distil the fitted teacher into the student of RECIPE; takes up a fit that was stopped."""
    from training.plan import describe_placement
    from training.run import Run
    from training.student import distill_student

    use_threads(threads)
    run = Run(run_path)
    chosen = run.adopt_recipe(recipe)
    note_if_finished(run.student)
    decisions = None if run.student.is_finished else run.open_decisions(chosen.student)
    if decisions is not None:
        click.echo(describe_placement(chosen.student, decisions))
    result = distill_student(run, chosen, encoder)
    click.echo(describe_result(run.student.model_path, result))


@click.command(epilog="Example: patsum inject training/recipes/news.toml --run runs/news")
@run_options
@threads_option
def inject(recipe: Path, run_path: Path, encoder: str | None, threads: int | None) -> None:
    """Inject patterns into the fitted teacher of RECIPE; takes up a fit that was stopped.

    Beside each layer's attention comes a narrow one, a Projected Attention Layer, whose heads carry
    the patterns of [injection]; teacher and new layers are then fitted further. Before the first
    step the model scores as the teacher does.

    Controls: in [injection], heads = ["free", "free", "free", "free"] for new layers without
    patterns, heads = [] for the same further steps without new layers.
    """
    from training.injection import fit_injected
    from training.run import Run

    use_threads(threads)
    run = Run(run_path)
    chosen = run.adopt_recipe(recipe)
    note_if_finished(run.injected)
    result = fit_injected(run, chosen, encoder)
    click.echo(describe_result(run.injected.model_path, result))


def note_if_finished(stage: "Stage") -> None:
    """Say that nothing is left to do, and whose figures follow."""
    if stage.is_finished:
        made_by = stage.read_result().get("recipe", "?")
        click.echo(
            f"{stage.path}: already fitted, by recipe {made_by!r}; nothing done. "
            "Delete the folder to fit again."
        )


def use_threads(threads: int | None) -> None:
    """Let torch compute with this many threads, if any number is asked for."""
    import torch

    if threads is not None:
        torch.set_num_threads(threads)


def describe_result(path: Path, result: dict[str, Any]) -> str:
    """Say in one line what a fit came to, Lead-3 on the same documents beside it."""
    from training.evaluate.rouge import METRICS

    figures, leads = (
        " ".join(f"R-{name.removeprefix('rouge')} {row[name]:.2f}" for name in METRICS)
        for row in (result, result["lead3"])
    )
    return (
        f"{path}: {figures} (Lead-3: {leads}) on {result['validation']['n']} validation documents, "
        f"after {result['documents']} documents and {result['seconds']:.0f} s"
    )
