"""The articles of a run: the user's own, from a file or a folder."""

import hashlib
import random
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from bench.conditions import ArticleSet
from service.errors import DataError
from service.text_file import read_text
from training.data.json_lines import read_json_lines

KEYS = ("article", "text")
_LINE_BREAK = re.compile(r"\r\n|[\r\n\u2028\u2029]")


@dataclass(frozen=True)
class Articles:
    """Texts to summarize, and where they come from.

    Attributes:
        texts: at least one.
        source: name of the file or folder, or how they were made.
        sha256: of the file; None where there is none.
    """

    texts: list[str]
    source: str
    sha256: str | None = None

    def describe(self, n_left_out: int = 0, why_left_out: str = "") -> ArticleSet:
        """Describe them for a report, which never holds the texts."""
        lengths = [len(text.split()) for text in self.texts]
        return ArticleSet(
            source=self.source,
            sha256=self.sha256,
            n=len(self.texts),
            n_left_out=n_left_out,
            why_left_out=why_left_out,
            words_median=median(lengths),
            words_min=min(lengths),
            words_max=max(lengths),
        )


def read_article_texts(path: Path, n: int, seed: int) -> Articles:
    """Read articles from JSON lines (plain, .gz, .xz) or from a folder of .txt files.

    Args:
        path: the file or the folder. A line needs the key "article" or "text"; its line breaks
            become spaces, as in training and evaluation. A .txt file is taken as it is.
        n: at most this many, drawn at random; at least 1.
        seed: of the draw.

    Raises:
        DataError: there is nothing to read, or a line is malformed.
        InputError: a .txt file is not UTF-8 text.
    """
    rows = _read_folder(path) if path.is_dir() else _read_lines(path)
    texts = [text for text in rows if text.strip()]
    if not texts:
        raise DataError(f"expected articles in {path}, got none that is not blank; name other data")
    if len(texts) > n:
        texts = random.Random(seed).sample(texts, n)
    sha256 = None if path.is_dir() else hashlib.sha256(path.read_bytes()).hexdigest()
    return Articles(texts, path.name, sha256)


def _read_folder(path: Path) -> Iterator[str]:
    files = sorted(path.glob("*.txt"))
    if not files:
        raise DataError(f"expected .txt files in {path}, found none; name another folder or file")
    return (read_text(str(file)) for file in files)


def _read_lines(path: Path) -> Iterator[str]:
    for number, row in read_json_lines(path):
        text = next((row[k] for k in KEYS if k in row), None) if isinstance(row, Mapping) else None
        if not isinstance(text, str):
            raise DataError(
                f'{path}, row {number}: expected {{"article": "…"}} or {{"text": "…"}}, got '
                "something else; write one such JSON object a line"
            )
        yield _LINE_BREAK.sub(" ", text)
