"""Prepared examples: the same from one process or several, and refused when they are damaged."""

import json
import shutil

import numpy as np
import pytest
from nltk.tokenize.punkt import PunktParameters

from service.errors import DataError
from service.text.encode import EncoderSettings
from service.text.punkt_json import write_punkt
from tests.tiny_articles import tiny_articles
from tests.tiny_bundle import tiny_tokenizer
from training.data.articles import Article
from training.data.examples import EncoderFiles, ExampleStore, prepare_examples


@pytest.fixture
def store_copy(tiny_examples, tmp_path):
    return shutil.copytree(tiny_examples[0].path, tmp_path / "copy")


def test_processes_give_the_same_examples_as_one(tmp_path):
    tiny_tokenizer().save(str(tmp_path / "tokenizer.json"))
    write_punkt(PunktParameters(), tmp_path / "punkt.json")
    files = EncoderFiles(
        tmp_path / "tokenizer.json", tmp_path / "punkt.json", EncoderSettings(96, 32)
    )
    for name, jobs in (("one", 1), ("two", 2)):
        rows = tiny_articles(40, seed=1)
        articles = (Article(row["id"], row["article"], row["summary"]) for row in rows)
        prepare_examples(articles, files, tmp_path / name, source="grammar", jobs=jobs)
    for path in (tmp_path / "one").iterdir():
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes(), path.name


@pytest.mark.parametrize("name", ["offsets.npy", "token_ids.i32", "examples.json"])
def test_empty_file_is_refused(store_copy, name):
    (store_copy / name).write_bytes(b"")
    with pytest.raises(DataError, match=r"expected prepared examples .*make them with"):
        ExampleStore(store_copy)


def test_missing_file_is_refused(store_copy):
    (store_copy / "soft_labels.f32").unlink()
    with pytest.raises(DataError, match="expected prepared examples"):
        ExampleStore(store_copy)


@pytest.mark.parametrize("changes", [{"format": 2}, None])
def test_another_format_is_refused(store_copy, changes):
    path = store_copy / "examples.json"
    described = {**json.loads(path.read_text()), **changes} if changes else []
    path.write_text(json.dumps(described))
    with pytest.raises(DataError, match=r"format (2|None) in place of 1"):
        ExampleStore(store_copy)


def test_lengths_are_those_of_the_examples(tiny_examples):
    train, _ = tiny_examples
    lengths = [len(train[n].token_ids) for n in range(len(train))]
    np.testing.assert_array_equal(train.n_tokens(), lengths)


def test_articles_without_a_summary_have_no_labels(tmp_path):
    tiny_tokenizer().save(str(tmp_path / "tokenizer.json"))
    write_punkt(PunktParameters(), tmp_path / "punkt.json")
    files = EncoderFiles(
        tmp_path / "tokenizer.json", tmp_path / "punkt.json", EncoderSettings(96, 32)
    )
    rows = list(tiny_articles(3, seed=1))
    summaries = [rows[0]["summary"], "", rows[2]["summary"]]
    articles = (
        Article(row["id"], row["article"], summary)
        for row, summary in zip(rows, summaries, strict=True)
    )
    store = prepare_examples(articles, files, tmp_path / "store", source="grammar")
    assert store.is_labelled().tolist() == [True, False, True]
    assert np.isnan(store[1].soft_labels).all()
    assert not np.isnan(store[2].soft_labels).any()
