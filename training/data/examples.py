"""Prepared examples: articles as token ids and labels on disk, read back through memory maps.

A folder holds

    examples.json            counts, limits, the encoder's fingerprint, the source
    token_ids.i32            all documents' tokens, one after the other
    sentence_lengths.i32     tokens of every encoded sentence, likewise
    soft_labels.f32          label of every encoded sentence, in [0, 1]; 1 is the oracle's own
    choice; NaN in a document without a summary
    offsets.npy              (documents + 1, 3) where each document starts in the two streams and
    in articles.jsonl
    articles.jsonl           id, summary and the encoded sentences' texts, for ROUGE

Labels are made on the sentences that the encoder cut and kept, never on others.
"""

import json
import multiprocessing
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer
from tqdm import tqdm

from service.errors import DataError
from service.text.encode import EncoderSettings, TextEncoder
from service.text.sentences import SentenceSplitter
from training.data.articles import Article
from training.data.oracle import soft_labels

_FORMAT = 1


@dataclass(frozen=True)
class EncoderFiles:
    """Where a text encoder is made from; small enough to send to another process.

    Attributes:
        tokenizer: path of a tokenizer.json.
        punkt: path of the splitter's parameters.
        settings: how much of a text is read.
    """

    tokenizer: Path
    punkt: Path
    settings: EncoderSettings

    def open(self) -> TextEncoder:
        """Make the encoder."""
        return TextEncoder(
            Tokenizer.from_file(str(self.tokenizer)),
            SentenceSplitter.from_json(self.punkt),
            self.settings,
        )


@dataclass(frozen=True, eq=False)
class Example:
    """One document, ready for a model.

    Attributes:
        token_ids: (tokens,) int64.
        sentence_ids: (tokens,) int64.
        soft_labels: (sentences,) float32 in [0, 1]; 1 where the oracle chose; all NaN in a document
            without a summary.
    """

    token_ids: npt.NDArray[np.int64]
    sentence_ids: npt.NDArray[np.int64]
    soft_labels: npt.NDArray[np.float32]


class ExampleStore:
    """A folder of prepared examples.

    Args:
        path: the folder.

    Raises:
        DataError: the folder is missing, incomplete or of another format.
    """

    def __init__(self, path: Path) -> None:
        try:
            self.description: dict[str, Any] = json.loads((path / "examples.json").read_text())
            self._offsets = np.load(path / "offsets.npy")
            self._token_ids = np.memmap(path / "token_ids.i32", dtype="<i4", mode="r")
            self._sentence_lengths = np.memmap(path / "sentence_lengths.i32", dtype="<i4", mode="r")
            self._soft_labels = np.memmap(path / "soft_labels.f32", dtype="<f4", mode="r")
            _refuse_other_format(self.description)
        except (OSError, EOFError, ValueError) as error:
            raise DataError(
                f"expected prepared examples in {path}: {error}; make them with `patsum prepare`"
            ) from error
        self.path = path

    def __len__(self) -> int:
        return len(self._offsets) - 1

    def __getitem__(self, number: int) -> Example:
        tokens, sentences, _ = self._offsets[number]
        tokens_end, sentences_end, _ = self._offsets[number + 1]
        lengths = self._sentence_lengths[sentences:sentences_end]
        return Example(
            token_ids=self._token_ids[tokens:tokens_end].astype(np.int64),
            sentence_ids=np.repeat(np.arange(len(lengths)), lengths),
            soft_labels=np.array(self._soft_labels[sentences:sentences_end]),
        )

    def n_tokens(self) -> npt.NDArray[np.int64]:
        """(documents,) int64 length of each document in tokens."""
        lengths: npt.NDArray[np.int64] = np.diff(self._offsets[:, 0])
        return lengths

    def is_labelled(self) -> npt.NDArray[np.bool_]:
        """(documents,) bool, whether each document has a summary to learn from."""
        first: npt.NDArray[np.float32] = self._soft_labels[self._offsets[:-1, 1]]
        return ~np.isnan(first)

    def article(self, number: int) -> dict[str, Any]:
        """Texts of one document: keys id, summary, sentences."""
        with (self.path / "articles.jsonl").open("rb") as file:
            file.seek(self._offsets[number, 2])
            row: dict[str, Any] = json.loads(file.readline())
        return row


def prepare_examples(
    articles: Iterable[Article],
    encoder_files: EncoderFiles,
    path: Path,
    *,
    source: str,
    total: int | None = None,
    jobs: int = 1,
) -> ExampleStore:
    """Encode and label articles, and write them to a folder.

    The folder appears whole at the end, or not at all. An article without a sentence is left out
    and counted.

    Args:
        articles: read once, in order.
        encoder_files: the encoder.
        path: folder to write; one that is there is replaced.
        source: where the articles came from, for the record.
        total: how many articles are expected, for the progress bar.
        jobs: processes.

    Returns:
        The store.

    Raises:
        DataError: no article had a sentence.
    """
    draft = path.with_name(path.name + ".draft")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    offsets = [(0, 0, 0)]
    n_skipped = 0
    with (
        (draft / "token_ids.i32").open("wb") as token_file,
        (draft / "sentence_lengths.i32").open("wb") as length_file,
        (draft / "soft_labels.f32").open("wb") as label_file,
        (draft / "articles.jsonl").open("wb") as article_file,
    ):
        rows = _label_all(articles, encoder_files, jobs)
        for row in tqdm(rows, total=total, desc=f"prepare {path.name}", unit=" articles"):
            if row is None:
                n_skipped += 1
                continue
            token_ids, lengths, labels, line = row
            token_file.write(token_ids.tobytes())
            length_file.write(lengths.tobytes())
            label_file.write(labels.tobytes())
            article_file.write(line)
            tokens, sentences, at = offsets[-1]
            offsets.append((tokens + len(token_ids), sentences + len(lengths), at + len(line)))
    if len(offsets) == 1:
        shutil.rmtree(draft)
        raise DataError(f"expected articles with at least one sentence in {source}, got none")
    np.save(draft / "offsets.npy", np.array(offsets, dtype=np.int64))
    description = {
        "format": _FORMAT,
        "source": source,
        "documents": len(offsets) - 1,
        "skipped": n_skipped,
        "tokens": offsets[-1][0],
        "sentences": offsets[-1][1],
        "max_tokens": encoder_files.settings.max_tokens,
        "max_sentence_tokens": encoder_files.settings.max_sentence_tokens,
        "fingerprint": encoder_files.open().fingerprint(),
    }
    (draft / "examples.json").write_text(json.dumps(description, indent=2) + "\n")
    shutil.rmtree(path, ignore_errors=True)
    draft.rename(path)
    return ExampleStore(path)


_Row = tuple[npt.NDArray[np.int32], npt.NDArray[np.int32], npt.NDArray[np.float32], bytes]


def _label_all(
    articles: Iterable[Article], files: EncoderFiles, jobs: int
) -> Iterator[_Row | None]:
    if jobs <= 1:
        yield from map(partial(_label, files.open()), articles)
        return
    # Spawned, not forked: tokenizers keeps threads, and a fork would inherit their locks.
    with multiprocessing.get_context("spawn").Pool(jobs) as pool:
        yield from pool.imap(partial(_label_in_pool, files), articles, chunksize=16)


def _label_in_pool(files: EncoderFiles, article: Article) -> _Row | None:
    return _label(_open_once(files), article)


@cache
def _open_once(files: EncoderFiles) -> TextEncoder:
    """Make the encoder of a process of the pool, which lives no longer than the files stay."""
    return files.open()


def _label(encoder: TextEncoder, article: Article) -> _Row | None:
    """Encode and label one article; None for one without a sentence."""
    encoded = encoder.encode(article.text)
    if not encoded.n_encoded:
        return None
    spans = encoded.spans[: encoded.n_encoded]
    sentences = [article.text[span.start : span.end] for span in spans]
    row = {"id": article.id, "summary": article.summary, "sentences": sentences}
    labels = np.full(len(sentences), np.nan)
    if article.summary:
        labels = soft_labels(sentences, article.summary)
    return (
        encoded.token_ids.astype("<i4"),
        np.bincount(encoded.sentence_ids).astype("<i4"),
        labels.astype("<f4"),
        (json.dumps(row) + "\n").encode(),
    )


def _refuse_other_format(description: object) -> None:
    found = description.get("format") if isinstance(description, dict) else None
    if found != _FORMAT:
        raise ValueError(f"examples.json has format {found!r} in place of {_FORMAT}")
