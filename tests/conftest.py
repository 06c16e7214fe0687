"""Settings and fixtures that all tests share."""

import os
import shutil

import pytest
from hypothesis import settings

# A busy machine is no failure: examples have no deadline. On CI they are the same every time.
settings.register_profile("local", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "local")


@pytest.fixture(scope="session")
def tiny_bundle(tmp_path_factory):
    """The path of a complete valid bundle; do not write into it."""
    from tests.tiny_bundle import write_tiny_bundle  # here: most tests need no onnx

    folder = tmp_path_factory.mktemp("tiny_bundle")
    write_tiny_bundle(folder)
    return folder


@pytest.fixture(scope="session")
def four_sentence_bundle(tiny_bundle, tmp_path_factory):
    """The path of a tiny bundle that prefers four sentences to two and three."""
    from tests.tiny_bundle import write_default_length

    folder = shutil.copytree(tiny_bundle, tmp_path_factory.mktemp("four") / "bundle")
    write_default_length(folder, is_four=1.0)
    return folder


@pytest.fixture
def tiny_bundle_copy(tiny_bundle, tmp_path):
    """The path of a copy of the tiny bundle that a test may damage."""
    return shutil.copytree(tiny_bundle, tmp_path / "bundle")
