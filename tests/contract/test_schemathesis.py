"""The service keeps what its OpenAPI description promises, whatever schemathesis sends.

SOAK_FUZZ_S=60 python -m pytest -m slow tests/contract/test_schemathesis.py
"""

import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.server_process import ServerProcess

ROOT = Path(__file__).parents[2]
DURATION_S = float(os.environ.get("SOAK_FUZZ_S", "600"))

CONFIG = """
[parameters]
"path.model_name" = "{name}"
"path.model_version" = "{version}"

[generation]
allow-extra-parameters = false  # HTTP wants unknown headers to be ignored

# The service may say that it has no time, no room or no model: 503 and 504 are answers, not faults.
[checks.not_a_server_error]
expected-statuses = ["2xx", "3xx", "4xx", 503, 504]

# What no schema can say: a text without a sentence, an id twice, over a limit of this process.
[checks.positive_data_acceptance]
expected-statuses = ["2xx", 413, 422, 429, 503, 504]

# Too many documents (413) and a slow body (408) are refused before anyone looks into them.
[checks.negative_data_rejection]
expected-statuses = [400, 401, 404, 405, 406, 408, 413, 415, 422, 429, 503, 504]

[[operations]]
include-path-regex = "/infer$"
checks.positive_data_acceptance.expected-statuses = ["2xx", 400, 413, 429, 503, 504]
"""


@pytest.fixture
def service(tiny_bundle):
    """The URL of a service in a process of its own, alive to the end."""
    with ServerProcess(bundle=tiny_bundle) as server:
        yield server.url
        is_alive = server.process.poll() is None
    assert is_alive, server.log[-20:]


@pytest.mark.slow
def test_schemathesis_finds_nothing(service, tmp_path):
    metadata = httpx.get(f"{service}/v2/models/patsum-tiny", timeout=60).json()
    config = tmp_path / "schemathesis.toml"
    config.write_text(CONFIG.format(name=metadata["name"], version=metadata["versions"][0]))
    command = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(config), "run"]
    command += [str(ROOT / "docs" / "openapi.json"), "--url", service]
    command += ["--max-time", str(int(DURATION_S)), "--continue-on-failure", "--no-color"]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout[-20_000:] + run.stderr[-2_000:]
    assert "Tested: 14" in run.stdout
