"""Facts about the articles of a run, given or generated."""

import gzip
import json
import lzma

import pytest

from bench.articles import Articles, read_article_texts
from bench.generated import generate_articles
from service.errors import DataError, InputError
from service.inference.bundle import Bundle, embedded_bundle_path


def test_generated_articles_are_the_same_for_the_same_seed():
    assert generate_articles(3, (50, 90), 1) == generate_articles(3, (50, 90), 1)
    assert generate_articles(3, (50, 90), 1) != generate_articles(3, (50, 90), 2)


def test_generated_articles_have_the_asked_lengths():
    lengths = [len(text.split()) for text in generate_articles(300, (50, 60), 0)]
    assert set(lengths) == set(range(50, 61))
    assert [len(text.split()) for text in generate_articles(5, (1, 1), 0)] == [1] * 5


def test_generated_articles_read_like_sentences_and_repeat_their_names():
    bundle = Bundle(embedded_bundle_path())
    for text in generate_articles(10, (500, 700), 0):
        encoded = bundle.encoder.encode(text)
        sentences = [text[span.start : span.end] for span in encoded.spans]
        assert 20 < len(sentences) < 60
        assert all(sentence[-1] in '."' for sentence in sentences)
        names = [word for word in text.split() if word.istitle() and len(word) > 3]
        assert len(names) > 1.5 * len(set(names))


def test_lengths_out_of_order_are_refused():
    with pytest.raises(InputError, match="lengths like 500-700, got 9-2"):
        generate_articles(1, (9, 2), 0)


@pytest.mark.parametrize(
    ("name", "open_file"),
    [("a.jsonl", open), ("a.jsonl.gz", gzip.open), ("a.jsonl.xz", lzma.open)],
)
def test_json_lines_are_read_however_they_are_packed(tmp_path, name, open_file):
    rows = [{"article": "One.\nTwo."}, {"text": "Three."}, {"text": " "}, {"article": "Four."}]
    with open_file(tmp_path / name, "wt", encoding="utf-8") as file:
        file.write("\n".join(json.dumps(row) for row in rows))
    articles = read_article_texts(tmp_path / name, 10, seed=0)
    assert articles.texts == ["One. Two.", "Three.", "Four."]
    assert (articles.source, len(articles.sha256)) == (name, 64)


def test_folder_of_text_files_is_read_as_it_is(tmp_path):
    (tmp_path / "b.txt").write_text("Two.\nLines.", encoding="utf-8")
    (tmp_path / "a.txt").write_text("One.", encoding="utf-8")
    (tmp_path / "c.md").write_text("Not this.", encoding="utf-8")
    assert read_article_texts(tmp_path, 10, seed=0).texts == ["One.", "Two.\nLines."]


def test_more_articles_than_wanted_are_drawn_by_the_seed(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text("\n".join(json.dumps({"text": f"Text {i}."}) for i in range(50)), "utf-8")
    drawn = [read_article_texts(path, 5, seed).texts for seed in (0, 0, 1)]
    assert drawn[0] == drawn[1] != drawn[2]
    assert len(set(drawn[0])) == 5


@pytest.mark.parametrize("content", ["", '{"text": " "}\n'])
def test_no_article_is_refused(tmp_path, content):
    path = tmp_path / "a.jsonl"
    path.write_text(content)
    with pytest.raises(DataError, match="got none that is not blank"):
        read_article_texts(path, 5, seed=0)


@pytest.mark.parametrize("line", ['{"body": "x"}', '["x"]', '{"text": 3}'])
def test_line_without_an_article_is_refused_with_its_number(tmp_path, line):
    path = tmp_path / "a.jsonl"
    path.write_text(f'{{"text": "Fine."}}\n{line}\n')
    with pytest.raises(DataError, match=r"row 2: expected \{.article"):
        read_article_texts(path, 5, seed=0)


def test_folder_without_text_files_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"expected \.txt files"):
        read_article_texts(tmp_path, 5, seed=0)


def test_missing_file_is_refused(tmp_path):
    with pytest.raises(DataError, match="found none"):
        read_article_texts(tmp_path / "no.jsonl", 5, seed=0)


def test_description_holds_no_text():
    described = Articles(["One two.", "One two three four."], "mine").describe(2, "413")
    assert (described.words_min, described.words_median, described.words_max) == (2, 3, 4)
    assert "two" not in described.model_dump_json()
