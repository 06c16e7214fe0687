"""The command `fit-length`; what it works with is imported when it runs."""

from pathlib import Path

import click

from service.errors import ExportError


@click.command("fit-length", epilog="Example: patsum fit-length runs/news/bundle --data val.jsonl")
@click.argument("bundle", type=click.Path(path_type=Path, file_okay=False))
@click.option(
    "--data", required=True, help="JSON lines (.jsonl, .gz, .xz) or hf:NAME:CONFIG:SPLIT."
)
@click.option("--limit", type=click.IntRange(min=1), help="Only the first N articles.")
@click.option("--skip-blank", is_flag=True, help="Skip blank rows, and say how many.")
@click.option("--resamples", type=click.IntRange(min=100), default=10_000, show_default=True)
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--threads", type=click.IntRange(min=1), default=1, show_default=True)
@click.option("--force", is_flag=True, help="Write the weights whatever they gain.")
def fit_length(
    bundle: Path,
    data: str,
    limit: int | None,
    skip_blank: bool,
    resamples: int,
    seed: int,
    threads: int,
    force: bool,
) -> None:
    """Fit how many sentences the summaries of BUNDLE have when the caller does not say.

    Two, three and four sentences of each validation article are measured against its human summary,
    and five weights fitted to that. They are written into the bundle's manifest only when, fitted
    on one half of the articles, they gain ROUGE-1 over always three on the other. Do this before
    `patsum evaluate` and `patsum record`: answers and the bundle's version change, and recorded
    quality is taken out.
    """
    from export.length_fit import fit_length as fit
    from export.length_fit import measure_documents
    from export.pack import write_default_length
    from service.inference.summarizer import Summarizer
    from training.data.articles import count_rows, read_articles
    from training.evaluate.command import describe_source

    summarizer = Summarizer(bundle, threads)
    provenance = describe_source(summarizer.bundle.version, data)
    articles = read_articles(data, limit=limit, blank="skip" if skip_blank else "error")
    n_articles = min((n for n in (count_rows(data), limit) if n is not None), default=None)
    documents = measure_documents(summarizer, articles, n_articles=n_articles)
    fitted = fit(documents, provenance, n_resamples=resamples, seed=seed)
    click.echo(fitted.to_text())
    if not (fitted.is_gain or force):
        raise ExportError(
            "expected a gain in ROUGE-1 whose interval lies above 0, got "
            f"[{fitted.gain[0].low:+.2f}, {fitted.gain[0].high:+.2f}]; {bundle} stays as it was: "
            "fit on more articles, or write the weights all the same with --force"
        )
    written = write_default_length(bundle, fitted.to_manifest())
    click.echo(f"written into {bundle}, now {written.version}: measure and record its quality anew")
