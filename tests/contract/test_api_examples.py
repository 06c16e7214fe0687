"""The Python of docs/api.md runs against the real service with its embedded model."""

import re
from pathlib import Path

import pytest

from service.api.settings import Settings
from tests.live_server import serve_live

PAGE = (Path(__file__).parents[2] / "docs" / "api.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


@pytest.fixture(scope="module")
def address():
    with serve_live(Settings(metrics_port=0)) as url:
        yield url.removeprefix("http://")


def test_there_are_examples():
    assert len(EXAMPLES) >= 2


@pytest.mark.parametrize("example", EXAMPLES)
def test_example_runs(example, address, capsys):
    port = address.rpartition(":")[2]
    assert ":8000" in example
    exec(compile(example.replace(":8000", f":{port}"), "docs/api.md", "exec"), {})
    printed = capsys.readouterr().out
    assert "storm" in printed or "Report 99" in printed
