"""What the tests of export share: a small student with every pattern, its graphs, examples."""

from dataclasses import replace

import pytest

from tests.export.documents import random_document


@pytest.fixture(scope="session", params=["masked", "fixed", "for_cls"])
def small_student(request):
    """Two layers, every pattern in each; wide enough that its matrices become int8.

    Once with free heads and learned weights, once with a pattern in every head, fixed but for
    intra_sentence, ReLU and heads narrower than width / heads, and once as the fastest form: the
    same, the last layer for the [CLS] alone and of another size.
    """
    import torch

    from tests.tiny_bundle import tiny_tokenizer
    from training.model.config import Activation, ModelConfig, Positions
    from training.model.extractive_model import ExtractiveModel
    from training.model.patterns import Pattern

    torch.manual_seed(3)
    patterns = tuple(Pattern)
    changes = {}
    if request.param != "masked":
        changes = {
            "plan": ((*patterns, *patterns[:2]), (*patterns[:2], *patterns[::-1])),
            "fixed": frozenset(patterns) - {Pattern.INTRA_SENTENCE},
            "activation": Activation.RELU,
            "head_width": 12,
        }
    if request.param == "for_cls":
        changes |= {
            "is_last_for_cls": True,
            "feed_forward": (64, 160),
            "plan": (patterns, (*patterns, *patterns[:2])),
        }
    config = ModelConfig(
        vocabulary=max(1_100, tiny_tokenizer().get_vocab_size()),
        width=96,
        feed_forward=(128, 128),
        max_positions=64,
        plan=(
            (*patterns, None, patterns[0]),
            (None, patterns[1], *patterns[::-1]),
        ),
        positions=Positions.SENTENCE,
        document_layers=1,
        document_width=48,
        document_heads=4,
        document_positions=6,
    )
    return ExtractiveModel(replace(config, **changes)).eval()


@pytest.fixture(scope="session")
def graphs(small_student, tmp_path_factory):
    """Paths of the student's float and int8 graphs."""
    from export.quantize import quantize
    from export.to_onnx import export_onnx

    folder = tmp_path_factory.mktemp("graphs")
    export_onnx(small_student, folder / "float.onnx")
    documents = [random_document(seed, 12) for seed in range(100, 110)]
    quantize(folder / "float.onnx", folder / "int8.onnx", documents)
    return {"float": folder / "float.onnx", "int8": folder / "int8.onnx"}


@pytest.fixture(scope="session")
def encoder_files(tmp_path_factory):
    """A tiny tokenizer and empty Punkt parameters, as files."""
    from nltk.tokenize.punkt import PunktParameters

    from service.text.encode import EncoderSettings
    from service.text.punkt_json import write_punkt
    from tests.tiny_bundle import tiny_tokenizer
    from training.data.examples import EncoderFiles

    folder = tmp_path_factory.mktemp("encoder_files")
    tiny_tokenizer().save(str(folder / "tokenizer.json"))
    write_punkt(PunktParameters(), folder / "punkt.json")
    return EncoderFiles(folder / "tokenizer.json", folder / "punkt.json", EncoderSettings(96, 32))


@pytest.fixture(scope="session")
def examples(encoder_files, tmp_path_factory):
    """Eight prepared documents of a seeded grammar."""
    from tests.tiny_articles import tiny_articles
    from training.data.articles import Article
    from training.data.examples import prepare_examples

    return prepare_examples(
        (Article(row["id"], row["article"], row["summary"]) for row in tiny_articles(8, 5)),
        encoder_files,
        tmp_path_factory.mktemp("examples") / "validation",
        source="grammar 5",
    )
