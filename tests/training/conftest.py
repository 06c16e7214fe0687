"""What the tests of training share: a tiny pretrained encoder and prepared examples."""

import pytest


@pytest.fixture(scope="session")
def tiny_encoder(tmp_path_factory):
    """The folder of a pretrained encoder with its tokenizer; do not write into it."""
    from tests.tiny_encoder import write_tiny_encoder

    folder = tmp_path_factory.mktemp("tiny_encoder")
    write_tiny_encoder(folder)
    return folder


@pytest.fixture(scope="session")
def tiny_examples(tmp_path_factory):
    """Prepared examples: 30 documents to learn from, 6 to choose by."""
    from nltk.tokenize.punkt import PunktParameters

    from service.text.encode import EncoderSettings
    from service.text.punkt_json import write_punkt
    from tests.tiny_articles import tiny_articles
    from tests.tiny_bundle import tiny_tokenizer
    from training.data.articles import Article
    from training.data.examples import EncoderFiles, prepare_examples

    folder = tmp_path_factory.mktemp("tiny_examples")
    tiny_tokenizer().save(str(folder / "tokenizer.json"))
    write_punkt(PunktParameters(), folder / "punkt.json")
    files = EncoderFiles(folder / "tokenizer.json", folder / "punkt.json", EncoderSettings(96, 32))
    return tuple(
        prepare_examples(
            (Article(row["id"], row["article"], row["summary"]) for row in tiny_articles(n, seed)),
            files,
            folder / name,
            source=f"grammar {seed}",
        )
        for name, n, seed in (("train", 30, 1), ("validation", 6, 2))
    )
