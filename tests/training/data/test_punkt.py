"""Punkt training: small, the same every time, and honest about files that it cannot read."""

import json
import lzma
from pathlib import Path

import pytest

from service.errors import DataError
from service.text.punkt_json import write_punkt
from training.data.english import ABBREVIATIONS, SENTENCE_STARTERS
from training.data.punkt import train_punkt


def write_articles(path: Path, articles: list[str]) -> Path:
    with lzma.open(path, "wt", encoding="utf-8") as lines:
        lines.writelines(json.dumps({"article": article}) + "\n" for article in articles)
    return path


ARTICLES = [
    f"Asst. Coach Hale of team {n} met asst. coach Osei.\nLater the asst. coach left. Nobody saw."
    for n in range(30)
]


def test_a_frequent_abbreviation_is_learned_and_a_rare_name_is_not(tmp_path: Path) -> None:
    path = write_articles(
        tmp_path / "news.jsonl.xz", [*ARTICLES, "It was all about Foley. Nobody spoke of Foley."]
    )
    learned = train_punkt([path], limit=100)
    assert learned.abbrev_types >= ABBREVIATIONS | {"asst"}
    assert "foley" not in learned.abbrev_types
    assert learned.sent_starters >= SENTENCE_STARTERS


def test_equal_articles_give_equal_bytes(tmp_path: Path) -> None:
    path = write_articles(tmp_path / "news.jsonl.xz", ARTICLES)
    write_punkt(train_punkt([path], limit=20), tmp_path / "one.json")
    write_punkt(train_punkt([path], limit=20), tmp_path / "two.json")
    assert (tmp_path / "one.json").read_bytes() == (tmp_path / "two.json").read_bytes()


def test_the_limit_counts_the_articles_of_each_file(tmp_path: Path) -> None:
    plain = write_articles(tmp_path / "plain.jsonl.xz", ["Nothing here."] * 3)
    news = write_articles(tmp_path / "news.jsonl.xz", ARTICLES)
    assert "asst" in train_punkt([plain, news], limit=30).abbrev_types
    assert "asst" not in train_punkt([plain, news], limit=3).abbrev_types


def test_blank_lines_are_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "news.jsonl"
    path.write_text("".join(json.dumps({"article": text}) + "\n\n" for text in ARTICLES))
    assert "asst" in train_punkt([path], limit=30).abbrev_types


@pytest.mark.parametrize(
    "content",
    [b"no xz", lzma.compress(b"{\n"), lzma.compress(b'{"text": 1}\n'), lzma.compress(b"")],
)
def test_an_unreadable_file_is_a_data_error(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "news.jsonl.xz"
    path.write_bytes(content)
    with pytest.raises(DataError):
        train_punkt([path], limit=5)


def test_a_missing_file_is_a_data_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="found none"):
        train_punkt([tmp_path / "none.jsonl.xz"], limit=5)
