"""Articles with a human summary, read one at a time from a file or a dataset.

news/val.jsonl.xz               JSON lines, plain, .gz or .xz: keys "article" and "summary"
hf:NAME                         a dataset of the Hugging Face Hub, or a folder, split "train"
hf:NAME:SPLIT                   hf:cnn_dailymail:validation
hf:NAME:CONFIG:SPLIT            hf:cnn_dailymail:3.0.0:test; an empty part means its default
"""

import logging
import random
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from operator import itemgetter
from pathlib import Path
from typing import Any, Final, Literal

from service.errors import DataError, MissingExtraError
from training.data.json_lines import count_json_lines, read_json_lines

_LOGGER = logging.getLogger(__name__)

_HUB_PREFIX: Final = "hf:"
_HUB_DEFAULT_CONFIGS: Final = {"cnn_dailymail": "3.0.0", "abisee/cnn_dailymail": "3.0.0"}
_ARTICLE_KEYS: Final = ("article", "document", "text")
_SUMMARY_KEYS: Final = ("summary", "highlights")

_LINE_BREAK: Final = re.compile(r"\r\n|[\r\n\u2028\u2029]")

Blank = Literal["error", "skip"]


@dataclass(frozen=True)
class Article:
    """One document as a caller would send it, and its human summary, if it has one.

    Attributes:
        id: unique within its source; "row-N" where the source has none.
        text: the article, raw: every line break (CR LF, CR, LF, U+2028, U+2029) has become one
            space, nothing else is changed.
        summary: one highlight a line, as the source has it; "" where none is to be learned from.
        outlet: the paper it comes from, such as "dailymail", where the source says so.
    """

    id: str
    text: str
    summary: str
    outlet: str | None = None


def read_articles(
    source: str | Path,
    *,
    limit: int | None = None,
    outlet: str | None = None,
    blank: Blank = "error",
    has_summaries: bool = True,
) -> Iterator[Article]:
    """Read articles in the order of their source, holding one at a time.

    Args:
        source: path of a JSON-lines file, or "hf:…" as in the head of this module.
        limit: stop after this many articles, at least 1.
        outlet: read the articles of this outlet only.
        blank: what to do with a row whose article or summary is only white space: refuse it, or
            skip it and log, at the end, how many were skipped.
        has_summaries: read summaries, too; else all are "", and what a row has for one is not
            looked at.

    Yields:
        Articles.

    Raises:
        DataError: the source is missing or unreadable, a row is malformed or blank, or nothing
            is left to read. Raised while reading, not by the call itself.
        MissingExtraError: an "hf:" source without the `datasets` package.
    """
    name = str(source)
    rows = _read_hub(name) if name.startswith(_HUB_PREFIX) else read_json_lines(Path(source))
    return islice(_make_articles(name, rows, outlet, blank, has_summaries), limit)


def count_rows(source: str | Path) -> int | None:
    """Count the rows of a file, blank articles included, to tell how far a reading is.

    Args:
        source: as for `read_articles`.

    Returns:
        The number of lines that are not blank; None for a dataset, which is streamed and does not
        say.

    Raises:
        DataError: the file is missing or unreadable.
    """
    if str(source).startswith(_HUB_PREFIX):
        return None
    return count_json_lines(Path(source))


def sample_articles(articles: Iterable[Article], n: int, seed: int) -> list[Article]:
    """Draw some articles at random; the first ones of a file may all be of one outlet.

    Args:
        articles: to draw from; read to their end, n of them held at a time.
        n: how many to draw, at least 1; all where there are fewer.
        seed: of the draw.

    Returns:
        The drawn articles in the order of their source.

    Source:
        Vitter 1985, reservoir sampling, algorithm R.
    """
    generator = random.Random(seed)
    drawn: list[tuple[int, Article]] = []
    for position, article in enumerate(articles):
        if position < n:
            drawn.append((position, article))
        elif (place := generator.randrange(position + 1)) < n:
            drawn[place] = (position, article)
    return [article for _, article in sorted(drawn, key=itemgetter(0))]


def _make_articles(
    name: str,
    rows: Iterator[tuple[int, object]],
    outlet: str | None,
    blank: Blank,
    has_summaries: bool,
) -> Iterator[Article]:
    """Turn numbered rows into articles; count what is passed over, and say so."""
    n_read = n_given = n_blank = 0
    try:
        for number, row in rows:
            n_read += 1
            article = _make_article(f"{name}, row {number}", number, row, has_summaries)
            if outlet is not None and article.outlet != outlet:
                continue
            texts = (article.text, article.summary) if has_summaries else (article.text,)
            if not all(text.strip() for text in texts):
                if blank == "error":
                    wanted = "an article and its summary" if has_summaries else "an article"
                    raise DataError(
                        f"{name}, row {number}: expected {wanted}, got one that "
                        "is blank; remove the row, or skip blank rows explicitly"
                    )
                n_blank += 1
                continue
            n_given += 1
            yield article
    finally:
        if n_blank:
            _LOGGER.warning("%s: skipped %d of %d rows, blank", name, n_blank, n_read)
    if not n_given:
        if not n_read:
            raise DataError(f"{name}: expected articles, got none; give another file")
        wanted = "an article" if outlet is None else f"an article of outlet {outlet!r}"
        raise DataError(
            f"{name}: expected {wanted}, got {n_read} rows without one; give another file"
            + (", or leave `outlet` out of the recipe's [data]" if outlet else "")
        )


def _make_article(where: str, number: int, row: object, has_summary: bool) -> Article:
    if not isinstance(row, Mapping):
        raise DataError(f"{where}: expected a JSON object, got {type(row).__name__}")
    text = _read_text(where, row, _ARTICLE_KEYS)
    summary = _read_text(where, row, _SUMMARY_KEYS) if has_summary else ""
    name, outlet = row.get("id"), row.get("outlet")
    return Article(
        id=f"row-{number}" if name is None else str(name),
        text=_LINE_BREAK.sub(" ", text),
        summary=summary,
        outlet=None if outlet is None else str(outlet),
    )


def _read_text(where: str, row: Mapping[str, Any], keys: tuple[str, ...]) -> str:
    """Return the text under the first of the keys that the row has."""
    key = next((key for key in keys if key in row), None)
    if key is None:
        raise DataError(f"{where}: expected the key {' or '.join(keys)}, got {sorted(row)}")
    value = row[key]
    if not isinstance(value, str):
        raise DataError(f"{where}: expected {key} to be a text, got {type(value).__name__}")
    return value


def _read_hub(source: str) -> Iterator[tuple[int, object]]:
    """Yield (row number from 1, row) of a dataset, streamed."""
    try:
        import datasets  # takes seconds, and only this source needs it
    except ModuleNotFoundError:
        raise MissingExtraError("… hf:", "training") from None
    name, config, split = _parse_hub_name(source)
    number = 0
    try:
        rows = datasets.load_dataset(name, config, split=split, streaming=True)
        for number, row in enumerate(rows, start=1):  # named in the error
            yield number, row
    except (OSError, ValueError, datasets.exceptions.DatasetsError) as error:
        raise DataError(
            f"{source}: expected dataset {name!r}, config {config!r}, split {split!r}; "
            f"got after row {number}: {error}"
        ) from error


def _parse_hub_name(source: str) -> tuple[str, str | None, str]:
    """Return name, config and split of "hf:NAME[:SPLIT]" or "hf:NAME:CONFIG:SPLIT"."""
    match source.removeprefix(_HUB_PREFIX).split(":"):
        case [name] if name:
            config, split = "", ""
        case [name, split] if name:
            config = ""
        case [name, config, split] if name:
            pass
        case _:
            raise DataError(
                f"expected hf:NAME, hf:NAME:SPLIT or hf:NAME:CONFIG:SPLIT, got {source}"
            )
    return name, config or _HUB_DEFAULT_CONFIGS.get(name), split or "train"
