"""What the tests of export share: a small student with every pattern and a free head, and its graphs."""

import pytest


@pytest.fixture(scope="session")
def small_student():
    """Two layers, every pattern in each; wide enough that its matrices become int8."""
    import torch

    from training.model.config import ModelConfig, Positions
    from training.model.patterns import Pattern
    from training.model.summarizer_model import ExtractiveModel

    torch.manual_seed(3)
    patterns = tuple(Pattern)
    config = ModelConfig(
        vocabulary=300,
        width=96,
        heads=6,
        feed_forward=128,
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
    return ExtractiveModel(config).eval()


@pytest.fixture(scope="session")
def graphs(small_student, tmp_path_factory):
    """Paths of the student's float and int8 graphs."""
    from export.quantize import quantize
    from export.to_onnx import export_onnx

    folder = tmp_path_factory.mktemp("graphs")
    export_onnx(small_student, folder / "float.onnx")
    quantize(folder / "float.onnx", folder / "int8.onnx")
    return {"float": folder / "float.onnx", "int8": folder / "int8.onnx"}
