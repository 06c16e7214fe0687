"""The `ablate` command: variants of one experiment, fitted and compared.

What it works with is imported when it runs, so that `--help` stays quick.
"""

import shlex
from pathlib import Path

import click


@click.command(
    epilog="Example: patsum ablate training/recipes/ablations/front.toml --run runs/lean"
)
@click.argument("recipe", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--run",
    "run_path",
    type=click.Path(path_type=Path, file_okay=False),
    required=True,
    help="Folder of an experiment with prepared examples and a fitted teacher.",
)
@click.option(
    "--encoder",
    metavar="NAME_OR_PATH",
    help="Where the teacher's pretrained encoder is, if not where its file says.",
)
@click.option(
    "--threads", type=click.IntRange(min=1), help="Processor threads; torch's own choice without."
)
def ablate(recipe: Path, run_path: Path, encoder: str | None, threads: int | None) -> None:
    """Fit every variant of RECIPE with every seed, and compare them on the validation documents.

    RECIPE names a base recipe, changes to its [student] or [injection] section, each with a name,
    and seeds. Results go to RUN/ablations/NAME: results.json (ROUGE by variant, by seed and by
    document, paired bootstrap against the reference) and results.svg, anew after every fit. A call
    that was stopped is taken up; what is finished is kept.
    """
    import torch

    from training.ablation.recipe import read_ablation
    from training.ablation.runner import AblationRunner
    from training.run import Run

    if threads is not None:
        torch.set_num_threads(threads)
    ablation = read_ablation(recipe)
    run = Run(run_path)
    for name in {variant.student.decisions for variant in ablation.variants.values()} - {""}:
        run.adopt_decisions(recipe.with_name(name))
    command = shlex.join(["patsum", "ablate", str(recipe), "--run", str(run_path)])
    runner = AblationRunner(run, ablation, encoder, command, click.echo)
    click.echo(runner.run().to_text())
    click.echo(f"{runner.path}: results.json, results.svg")
