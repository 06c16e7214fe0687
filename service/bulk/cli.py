"""The command `patsum batch`: many texts in a file, an answer a row in another."""

import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

import click

from service.errors import BatchError, DataError, MissingExtraError
from service.summary_options import bundle_option, check_length_rules, summary_options
from service.text_file import STANDARD_STREAM

if TYPE_CHECKING:
    from service.api.schemas import SummarizeRequest
    from service.bulk.batch import MakeRunner, Report, RunResult
    from service.bulk.formats import RowInput
    from service.bulk.job import Job

SOME_ROWS_FAILED = 1
INTERRUPTED = 130


@click.command()
@click.argument("source", metavar="IN")
@click.argument("out", metavar="OUT")
@click.option("--text-column", help="Column with the texts.  [default: text, or else article]")
@click.option(
    "--id-column", help="Column with the ids.  [default: id, or else the position: 0, 1, …]"
)
@click.option("--keep", is_flag=True, help="Carry all columns but the text along, in `input`.")
@summary_options
@click.option(
    "--index-type",
    type=click.Choice(["UnicodeCodePoint", "Utf16CodeUnit"]),
    default="UnicodeCodePoint",
    show_default=True,
    help="The unit of offset and length.",
)
@click.option(
    "--max-errors",
    type=click.IntRange(0),
    help="Stop when more rows than these have failed.  [default: never]",
)
@click.option("--restart", is_flag=True, help="Remove OUT and what an unfinished run left; begin.")
@click.option(
    "--workers",
    type=click.IntRange(1, 1024),
    help="Processes that summarize, a CPU each.  [default: one for each usable CPU]",
)
@click.option(
    "--ray",
    "ray_address",
    metavar="ADDRESS",
    help="Work on this Ray cluster: HOST:PORT, auto for the one that this machine is in, or "
    "local for one on this machine alone.",
)
@click.option(
    "--chunk-rows",
    type=click.IntRange(1, 100_000),
    default=16,
    show_default=True,
    help="Most rows that a worker takes at a time; on an interruption it ends them first.",
)
@click.option(
    "--max-row-bytes",
    type=click.IntRange(1),
    default=8_000_000,
    show_default=True,
    help="A larger line of JSON, or text in Parquet, is an error. Such a line is never held in "
    "memory whole; such a text is, with the rest of its row group.",
)
@bundle_option
def batch(
    source: str,
    out: str,
    text_column: str | None,
    id_column: str | None,
    keep: bool,
    sentences: int | None,
    ratio: float | None,
    max_characters: int | None,
    order: str,
    explain: bool,
    explain_method: str | None,
    index_type: str,
    max_errors: int | None,
    restart: bool,
    workers: int | None,
    ray_address: str | None,
    chunk_rows: int,
    max_row_bytes: int,
    bundle: Path | None,
) -> None:
    """Summarize every row of a file: JSON lines (.jsonl, .jsonl.gz, .jsonl.xz) or Parquet.

    OUT has a row for each row of IN, in the same order: id, summary, sentences, statistics,
    warnings, modelVersion, and error, which is null but for a row that has no summary.

    \b
      patsum batch news.jsonl summaries.jsonl
      patsum batch news.parquet summaries.parquet --keep --sentences 2
      patsum batch cnndm.jsonl.xz out.jsonl.gz --text-column article --explain
      patsum batch news.parquet out.parquet --ray auto
      zcat news.jsonl.gz | patsum batch - - | jq -r .summary

    An interrupted run goes on when the same command is given again. OUT appears when it is whole;
    until then everything lies in OUT.patsum-work. "-" is standard input or output, as JSON lines,
    and cannot be continued.

    Exit code: 0, each row has a summary; 1, OUT is whole, but some rows have an error instead;
    2, the run could not start, go on or finish; 130, it was interrupted.
    """  # noqa: D301  # click takes the character \b for "leave these lines as they are"
    check_length_rules(sentences, ratio, max_characters)
    if ray_address is not None and STANDARD_STREAM in (source, out):
        raise click.UsageError("--ray reads and writes files; give names instead of -")
    if source != STANDARD_STREAM and Path(source).resolve() == Path(out).resolve():
        raise click.UsageError("IN and OUT are one file; give OUT another name")
    from service.api.schemas import ExplainOptions, SummarizeRequest
    from service.api.string_index import StringIndexType
    from service.bulk.journal import remove_leftovers
    from service.inference.explain import ExplainMethod
    from service.text.select import Order

    method = explain_method or ("attention" if explain else None)
    request = SummarizeRequest(
        text="",
        sentence_count=sentences,
        ratio=ratio,
        max_characters=max_characters,
        sort_by=Order(order.capitalize()),
        string_index_type=StringIndexType(index_type),
        explain=ExplainOptions(method=ExplainMethod(method)) if method else None,
    )
    job, rows, model_version = _plan(
        source, out, text_column, id_column, keep, request, chunk_rows, max_row_bytes, bundle
    )
    make_runner = _choose_runner(job, rows, model_version, workers, ray_address, out)
    try:
        with closing(rows):
            if restart and out != STANDARD_STREAM:
                remove_leftovers(Path(out))
            result = _run(job, out, model_version, make_runner, max_errors, rows.length)
    except KeyboardInterrupt:
        is_kept = STANDARD_STREAM not in (source, out)
        advice = "the same command goes on from here" if is_kept else "nothing was kept"
        click.echo(f"patsum: interrupted; {advice}", err=True)
        raise SystemExit(INTERRUPTED) from None
    _print_result(result, out, "line" if job.input_form.rows == "jsonl" else "row")
    if result.n_failed:
        raise SystemExit(SOME_ROWS_FAILED)


def _plan(
    source: str,
    out: str,
    text_column: str | None,
    id_column: str | None,
    keep: bool,
    request: "SummarizeRequest",
    chunk_rows: int,
    max_row_bytes: int,
    bundle: Path | None,
) -> tuple["Job", "RowInput", str]:
    """Look at the input and the bundle, and say what is to be done."""
    from service.bulk.file_form import tell_form
    from service.bulk.formats import check_parquet, open_rows
    from service.bulk.job import Job
    from service.inference.bundle import Bundle, embedded_bundle_path

    input_form, output_form = tell_form(source), tell_form(out)
    is_parquet_out = output_form.rows == "parquet"
    if is_parquet_out:
        check_parquet()
    if keep and is_parquet_out and input_form.rows == "jsonl":
        raise BatchError(
            "expected an input whose columns have types, to --keep them in Parquet, got JSON "
            "lines; write JSON lines, or leave out --keep"
        )
    bundle = None if bundle is None else bundle.absolute()
    model_version = Bundle(embedded_bundle_path() if bundle is None else bundle).version
    rows = open_rows(source, input_form, max_row_bytes, None, keep)
    try:
        columns = rows.find_columns(text_column, id_column)
    except DataError:
        rows.close()
        raise
    job = Job(
        source=source if source == STANDARD_STREAM else str(Path(source).absolute()),
        input_form=input_form,
        output_form=output_form,
        columns=columns,
        request=request,
        keep=keep,
        chunk_rows=chunk_rows,
        max_row_bytes=max_row_bytes,
        bundle=bundle,
        kept_type=rows.kept_type() if keep and is_parquet_out else None,
    )
    return job, rows, model_version


def _choose_runner(
    job: "Job",
    rows: "RowInput",
    model_version: str,
    workers: int | None,
    ray_address: str | None,
    out: str,
) -> "MakeRunner":
    if ray_address is None:
        from service.api.settings import count_usable_cpus
        from service.bulk.local_runner import LocalRunner

        is_ordered = out == STANDARD_STREAM
        runner = LocalRunner(job, rows, workers or count_usable_cpus(), is_ordered)
        return lambda: nullcontext(runner)
    try:
        from service.bulk.ray_runner import RayRunner
    except ModuleNotFoundError as error:
        raise MissingExtraError("batch --ray", "ray", error.name) from error
    return lambda: closing(RayRunner(job, model_version, ray_address, workers))


def _run(
    job: "Job",
    out: str,
    model_version: str,
    make_runner: "MakeRunner",
    max_errors: int | None,
    length: int | None,
) -> "RunResult":
    from service.bulk.batch import run_to_file, run_to_stream

    with _progress(length) as report:
        if out == STANDARD_STREAM:
            return run_to_stream(job, sys.stdout.buffer, make_runner, max_errors, report)
        return run_to_file(job, Path(out), model_version, make_runner, max_errors, report)


@contextmanager
def _progress(length: int | None) -> Iterator["Report"]:
    """Show a bar on a terminal, and nothing elsewhere."""
    with click.progressbar(
        length=length or 1,
        label="Summarizing",
        item_show_func=lambda counts: counts or "",
        hidden=length is None or not sys.stderr.isatty(),
        file=sys.stderr,
    ) as bar:

        def report(position: int, n_rows: int, n_failed: int) -> None:
            counts = f"{n_rows:,} rows" + (f", {n_failed:,} failed" if n_failed else "")
            bar.update(max(0, position - bar.pos), counts)

        yield report


def _print_result(result: "RunResult", out: str, unit: str) -> None:
    """Say on stderr how many rows there are, and where the first failed ones are."""
    n_good = result.n_rows - result.n_failed
    place = "" if out == STANDARD_STREAM else f" in {click.format_filename(out)}"
    click.echo(
        f"{result.n_rows:,} rows{place}: {n_good:,} summarized, {result.n_failed:,} failed",
        err=True,
    )
    for failure in result.failures:
        click.echo(f"  {unit} {failure.place}: {failure.code}: {failure.message}", err=True)
    n_more = result.n_failed - len(result.failures)
    if n_more:
        click.echo(f"  and {n_more:,} more: the rows whose `error` is not null", err=True)
