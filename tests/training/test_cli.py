"""The commands as a person meets them first: their help, which needs nothing heavy."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

HELP_WITHOUT_TORCH = """
import sys


class NoTorch:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"torch", "transformers", "datasets"}:
            raise ModuleNotFoundError(f"{name} is not there", name=name)


sys.meta_path.insert(0, NoTorch())
from training import cli

for name in ("prepare", "teacher", "distill", "inject", "ablate", "evaluate"):
    getattr(cli, name).main(["--help"], prog_name=name, standalone_mode=False)
"""


@pytest.fixture(scope="module")
def help_text():
    run = subprocess.run(
        [sys.executable, "-c", HELP_WITHOUT_TORCH], cwd=ROOT, capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr
    return " ".join(run.stdout.split())


@pytest.mark.parametrize("command", ["prepare", "teacher", "distill", "inject"])
def test_help_needs_no_torch_and_gives_an_example(help_text, command):
    assert f"Usage: {command} [OPTIONS] RECIPE" in help_text
    assert f"Example: patsum {command} training/recipes/news.toml --run runs/news" in help_text


def test_evaluate_and_ablate_are_among_the_commands(help_text):
    assert "Usage: evaluate [OPTIONS]" in help_text
    assert "Usage: ablate [OPTIONS] RECIPE" in help_text
