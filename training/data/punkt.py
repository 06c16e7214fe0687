"""Punkt parameters: what Punkt learns of abbreviations and sentence starters from cased news."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from pathlib import Path

from nltk.tokenize.punkt import PunktParameters, PunktTrainer

from service.errors import DataError
from training.data.english import ABBREVIATIONS, SENTENCE_STARTERS
from training.data.json_lines import read_json_lines

ARTICLES_A_ROUND = 500
MIN_COUNT = 10
"""A learned word seen less often is dropped: most are names that ended a sentence twice."""

_SEEN_UPPER_INSIDE = 1 << 2
_SEEN_LOWER = (1 << 4) + (1 << 5) + (1 << 6)
_WORD = re.compile(r"[^\W\d_][\w.&-]*")
_ABBREVIATION = re.compile(r"[^\W\d_]+(?:[.-][^\W\d_]+)*")


def train_punkt(paths: Iterable[Path], limit: int) -> PunktParameters:
    """Learn Punkt parameters from cased articles, and keep what sentence splitting needs of them.

    English abbreviations and function words are added. Equal files give equal parameters.

    Args:
        paths: JSON lines (plain, .gz, .xz) with a text field `article`, cased, a paragraph a
            line; read in this order.
        limit: articles read of each file, from its beginning; about 13 ms each,
            326 MB of memory at 1,400 articles.

    Returns:
        nltk's parameters, to be written by `write_punkt`.

    Raises:
        DataError: a file is missing or damaged, a line of it has no article, or there is no article
            at all.

    Source:
        Kiss and Strunk, Computational Linguistics 32(4), 2006, by nltk's `PunktTrainer`; the
        pruning is ours.
    """
    trainer = PunktTrainer()
    counts: Counter[str] = Counter()
    articles = chain.from_iterable(islice(_read_articles(path), limit) for path in paths)
    while chosen := list(islice(articles, ARTICLES_A_ROUND)):
        # Two line breaks are a paragraph to Punkt, and so the beginning of a sentence.
        text = "\n\n".join(chosen).replace("\n", "\n\n")
        counts.update(_WORD.findall(text.lower()))
        trainer.train(text, finalize=False)
    if not counts:
        raise DataError(
            "expected articles to train Punkt on, got none; name a file and a limit above 0"
        )
    return _prune(trainer.get_params(), counts)


def _read_articles(path: Path) -> Iterator[str]:
    """Yield the articles of a file one by one."""
    for number, row in read_json_lines(path):
        article = row.get("article") if isinstance(row, dict) else None
        if not isinstance(article, str):
            raise DataError(f"{path}, row {number}: expected an object with a text field 'article'")
        yield article


def _prune(learned: PunktParameters, counts: Counter[str]) -> PunktParameters:
    """Keep what is frequent and what a decision can depend on.

    Args:
        learned: what `PunktTrainer` found.
        counts: how often each lower-cased word was seen, with its final period if it had one.

    Returns:
        New parameters. Of the capitals of words only those remain by which Punkt sees a beginning:
        words seen in lower case that never had a capital inside a sentence. Collocations with
        numbers go: English writes no "3. floor".
    """
    cases = {
        word: flags & _SEEN_LOWER
        for word, flags in learned.ortho_context.items()
        if flags & _SEEN_LOWER and not flags & _SEEN_UPPER_INSIDE and counts[word] >= MIN_COUNT
    }
    kept = PunktParameters()
    kept.abbrev_types = set(ABBREVIATIONS) | {
        word
        for word in learned.abbrev_types
        if _ABBREVIATION.fullmatch(word) and counts[f"{word}."] >= max(MIN_COUNT, counts[word])
    }
    kept.sent_starters = set(SENTENCE_STARTERS) | {
        word
        for word in learned.sent_starters
        if learned.ortho_context[word] & _SEEN_LOWER and counts[word] >= MIN_COUNT
    }
    kept.collocations = {
        (first, second)
        for first, second in learned.collocations
        if first.isalpha() and second.isalpha() and counts[second] >= MIN_COUNT
    }
    kept.ortho_context.update(cases)
    return kept
