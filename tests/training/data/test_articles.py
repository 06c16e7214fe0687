"""Articles come whole, in order, and a bad row is named."""

import gzip
import json
import logging
import lzma
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from service.errors import DataError
from training.data.articles import Article, count_rows, read_articles, sample_articles

ROWS = [
    {"id": "a", "outlet": "gazette", "article": "A barn burned.\nNo one hurt.", "summary": "Fire"},
    {"id": "b", "outlet": "herald", "article": "Rain  fell.\nMud rose.", "summary": "Rain.\nMud."},
    {"article": "A bridge opened.", "summary": "Bridge."},
]  # fmt: skip
ARTICLES = [
    Article("a", "A barn burned. No one hurt.", "Fire", "gazette"),
    Article("b", "Rain  fell. Mud rose.", "Rain.\nMud.", "herald"),
    Article("row-3", "A bridge opened.", "Bridge.", None),
]


def write(path: Path, *lines: object) -> Path:
    text = "".join((x if isinstance(x, str) else json.dumps(x)) + "\n" for x in lines)
    packed = {".xz": lzma.compress, ".gz": gzip.compress}.get(path.suffix, bytes)
    path.write_bytes(packed(text.encode()))
    return path


@pytest.mark.parametrize("name", ["x.jsonl", "x.jsonl.xz", "x.jsonl.gz"])
def test_articles_are_read_from_plain_and_packed_files(tmp_path: Path, name: str) -> None:
    assert list(read_articles(write(tmp_path / name, *ROWS))) == ARTICLES


def test_line_breaks_become_spaces_and_nothing_else_changes(tmp_path: Path) -> None:
    row = {"article": "  One\n\ntwo\tthree  four. ", "summary": "x"}
    [article] = read_articles(write(tmp_path / "x.jsonl", row))
    assert article.text == "  One  two\tthree  four. "


@pytest.mark.parametrize("line_break", ["\r\n", "\r", "\n", "\u2028", "\u2029"])
def test_every_line_break_becomes_one_space(tmp_path: Path, line_break: str) -> None:
    row = {"article": f"One{line_break}two", "summary": "x"}
    [article] = read_articles(write(tmp_path / "x.jsonl", row))
    assert article.text == "One two"


def test_summaries_of_a_source_without_are_not_looked_at(tmp_path: Path) -> None:
    path = write(tmp_path / "x.jsonl", {"id": 1, "text": "A. B."}, ROWS[0], {"text": " "})
    articles = list(read_articles(path, blank="skip", has_summaries=False))
    assert [article.summary for article in articles] == ["", ""]
    assert articles[1].text == ARTICLES[0].text


def test_id_that_is_zero_stays(tmp_path: Path) -> None:
    [article] = read_articles(write(tmp_path / "x.jsonl", {**ROWS[0], "id": 0}))
    assert article.id == "0"


def test_blank_lines_are_passed_over_and_rows_keep_their_line_number(tmp_path: Path) -> None:
    path = write(tmp_path / "x.jsonl", "", ROWS[2], "  ", ROWS[2], "")
    assert [article.id for article in read_articles(path)] == ["row-2", "row-4"]
    assert count_rows(path) == 2


def test_limit_counts_the_articles_of_the_outlet(tmp_path: Path) -> None:
    path = write(tmp_path / "x.jsonl", *ROWS, *ROWS)
    assert list(read_articles(path, limit=1, outlet="herald")) == ARTICLES[1:2]


def test_rows_past_the_limit_are_not_read(tmp_path: Path) -> None:
    path = write(tmp_path / "x.jsonl", ROWS[0], "not JSON")
    assert list(read_articles(path, limit=1)) == ARTICLES[:1]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("not JSON", "row 2: expected a JSON object, got Expecting value"),
        ("[" * 200_000, "row 2: expected a JSON object, got one nested too deeply"),
        ([1], "row 2: expected a JSON object, got list"),
        ({"article": "x"}, r"row 2: expected the key summary or highlights, got \['article'\]"),
        ({"summary": "x"}, "row 2: expected the key article or document or text"),
        ({"article": None, "summary": "x"}, "row 2: expected article to be a text, got NoneType"),
        ({"article": " \n", "summary": "x"}, "row 2: expected an article and its summary"),
        ({"article": "x", "summary": ""}, "row 2: expected an article and its summary"),
    ],
)
def test_malformed_row_is_named(tmp_path: Path, line: object, message: str) -> None:
    path = write(tmp_path / "x.jsonl", ROWS[0], line)
    with pytest.raises(DataError, match=message):
        list(read_articles(path))


def test_missing_file_is_a_data_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"expected a file of JSON lines at .*gone\.jsonl"):
        list(read_articles(tmp_path / "gone.jsonl"))


@pytest.mark.parametrize("name", ["x.jsonl", "x.jsonl.xz"])
def test_empty_file_is_a_data_error(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataError, match="expected articles, got none"):
        list(read_articles(write(tmp_path / name)))


def test_unknown_outlet_is_a_data_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"outlet 'times', got 3 rows .*leave `outlet` out"):
        list(read_articles(write(tmp_path / "x.jsonl", *ROWS), outlet="times"))


@pytest.mark.parametrize("suffix", [".xz", ".gz"])
def test_broken_archive_is_a_data_error(tmp_path: Path, suffix: str) -> None:
    path = write(tmp_path / f"x.jsonl{suffix}", *ROWS)
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(DataError, match="expected readable UTF-8 JSON lines"):
        list(read_articles(path))


def test_skipped_blank_rows_are_counted_in_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    blank = {"article": " ", "summary": "x"}
    path = write(tmp_path / "x.jsonl", ROWS[0], blank, blank)
    with caplog.at_level(logging.WARNING):
        assert list(read_articles(path, blank="skip")) == ARTICLES[:1]
    assert "skipped 2 of 3 rows" in caplog.text


@pytest.mark.parametrize("form", ["hf:{}", "hf:{}:train", "hf:{}::train"])
def test_dataset_of_parquet_files_is_read_by_its_columns(tmp_path: Path, form: str) -> None:
    table = pa.table(
        {"id": ["p", "q"], "article": ["A barn\nburned.", "Rain fell."], "highlights": ["F", "R"]}
    )
    pq.write_table(table, tmp_path / "train.parquet")
    got = list(read_articles(form.format(tmp_path)))
    assert got == [Article("p", "A barn burned.", "F"), Article("q", "Rain fell.", "R")]


def test_dataset_of_json_lines_gives_its_named_split(tmp_path: Path) -> None:
    write(tmp_path / "train.jsonl", ROWS[0])
    write(tmp_path / "test.jsonl", ROWS[1])
    assert list(read_articles(f"hf:{tmp_path}:test")) == ARTICLES[1:2]


def test_missing_split_of_a_dataset_is_a_data_error(tmp_path: Path) -> None:
    write(tmp_path / "train.jsonl", ROWS[0])
    with pytest.raises(DataError, match="split 'verse'"):
        list(read_articles(f"hf:{tmp_path}:verse"))


@pytest.mark.parametrize("source", ["hf:", "hf::train", "hf:a:b:c:d"])
def test_malformed_dataset_name_is_a_data_error(source: str) -> None:
    with pytest.raises(DataError, match="expected hf:NAME"):
        list(read_articles(source))


def test_rows_of_a_file_are_counted_and_those_of_a_dataset_are_not_known(tmp_path: Path) -> None:
    assert count_rows(write(tmp_path / "x.jsonl.xz", *ROWS)) == 3
    assert count_rows("hf:cnn_dailymail:test") is None
    with pytest.raises(DataError, match="found none"):
        count_rows(tmp_path / "gone.jsonl")


def test_sample_is_fair_repeatable_and_in_order() -> None:
    articles = [Article(str(i), "x", "y") for i in range(10)]
    samples = [sample_articles(articles, 3, seed) for seed in range(2_000)]
    assert samples == [sample_articles(iter(articles), 3, seed) for seed in range(2_000)]
    counts = [0] * 10
    for sample in samples:
        positions = [int(article.id) for article in sample]
        assert positions == sorted(set(positions))
        for position in positions:
            counts[position] += 1
    # Each is drawn 600 times of 2,000, with a standard deviation of 20.
    assert all(500 < count < 700 for count in counts)


def test_sample_of_more_than_there_are_is_all() -> None:
    assert sample_articles(iter(ARTICLES), 9, seed=0) == ARTICLES
