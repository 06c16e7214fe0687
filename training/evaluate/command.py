"""The `evaluate` command: a bundle's ROUGE against Lead-3 and the oracle, and its faithfulness.

What it works with is imported when it runs, so that `--help` stays quick.
"""

import json
import shlex
import sys
from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from training.data.articles import Article
    from training.evaluate.report import Provenance


@click.command()
@click.option(
    "--data", required=True, help="JSON lines (.jsonl, .gz, .xz) or hf:NAME:CONFIG:SPLIT."
)
@click.option(
    "--bundle",
    type=click.Path(path_type=Path, file_okay=False),
    help="Bundle folder; the embedded one when not given.",
)
@click.option("--limit", type=click.IntRange(min=1), help="Only the first N articles.")
@click.option("--sample", type=click.IntRange(min=1), help="N articles, drawn with the seed.")
@click.option("--outlet", help="Only articles of this outlet.")
@click.option("--skip-blank", is_flag=True, help="Skip blank rows, and say how many.")
@click.option(
    "--trigram-blocking/--no-trigram-blocking",
    default=True,
    show_default=True,
    help="Skip sentences that repeat three words of a chosen one.",
)
@click.option("--resamples", type=click.IntRange(min=100), default=10_000, show_default=True)
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--threads", type=click.IntRange(min=1), default=1, show_default=True)
@click.option(
    "--faithfulness",
    "n_faithfulness",
    type=click.IntRange(min=1),
    help="Measure the explanations on up to N articles, in place of ROUGE.",
)
@click.option(
    "--json",
    "json_path",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Also write the report there.",
)
def evaluate(
    data: str,
    bundle: Path | None,
    limit: int | None,
    sample: int | None,
    outlet: str | None,
    skip_blank: bool,
    trigram_blocking: bool,
    resamples: int,
    seed: int,
    threads: int,
    n_faithfulness: int | None,
    json_path: Path | None,
) -> None:
    """Measure a bundle on articles that have a human summary.

    The way is the service's own: raw text in, int8 scores, as many sentences out as a caller gets
    who gives no length rule; where that is not always three, three are measured too. The line
    breaks of an article become spaces first, as in training: the usual corpora break lines at every
    sentence.
    """
    from service.inference.bundle import embedded_bundle_path
    from service.inference.summarizer import Summarizer
    from service.text.select import Redundancy
    from training.data.articles import read_articles, sample_articles
    from training.evaluate.evaluation import evaluate as evaluate_summarizer
    from training.evaluate.evaluation import through_service
    from training.evaluate.faithfulness import measure_faithfulness

    summarizer = Summarizer(embedded_bundle_path() if bundle is None else bundle, threads)
    articles: Iterable[Article] = read_articles(
        data, limit=limit, outlet=outlet, blank="skip" if skip_blank else "error"
    )
    if sample is not None:
        articles = sample_articles(articles, sample, seed)
    if n_faithfulness is not None:
        faithfulness = measure_faithfulness(
            summarizer.engine,
            summarizer.bundle.encoder,
            (article.text for article in islice(articles, n_faithfulness)),
            seed=seed,
        )
        _write(
            faithfulness.to_text(),
            {
                "model": summarizer.bundle.version,
                **faithfulness.to_json(),
                **faithfulness.to_manifest(),
            },
            json_path,
        )
        return
    report = evaluate_summarizer(
        through_service(
            summarizer, redundancy=Redundancy.TRIGRAM if trigram_blocking else Redundancy.NONE
        ),
        articles,
        describe_source(summarizer.bundle.version, data),
        n_articles=len(articles) if isinstance(articles, list) else _count_articles(data, limit),
        n_resamples=resamples,
        seed=seed,
    )
    _write(report.to_text(), report.to_json(), json_path)


def describe_source(model: str, data: str) -> "Provenance":
    """Say what is measured on what, by the command line of this process.

    Args:
        model: version of the bundle.
        data: as `read_articles` takes it.

    Returns:
        The provenance; the sha256 only of a file.

    Raises:
        DataError: data names a file that cannot be read.
    """
    from training.data.file_hash import hash_file
    from training.evaluate.report import Provenance

    command = shlex.join(["patsum", *_without_json_path(sys.argv[1:])])
    if data.startswith("hf:"):
        return Provenance(model, data, None, command)
    path = Path(data)
    return Provenance(model, path.name, hash_file(path), command)


def _without_json_path(arguments: list[str]) -> list[str]:
    """Leave out `--json PATH`: where a report is written does not change what it says."""
    kept = []
    previous = ""
    for argument in arguments:
        if previous != "--json" and argument != "--json" and not argument.startswith("--json="):
            kept.append(argument)
        previous = argument
    return kept


def _count_articles(data: str, limit: int | None) -> int | None:
    from training.data.articles import count_rows

    n_rows = count_rows(data)
    return min((n for n in (n_rows, limit) if n is not None), default=None)


def _write(text: str, fields: dict[str, object], path: Path | None) -> None:
    click.echo(text)
    if path is not None:
        path.write_text(json.dumps(fields, indent=2) + "\n", encoding="utf-8")
