"""Facts about what the service does behind its user's back: nothing."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
SUMMARIZE = "from service import Summarizer; print(Summarizer().summarize('A storm came.').text)"
SUPPRESSING = ("CI", "ORT_", "XDG_", "PYTEST_", "GITHUB_", "TF_BUILD", "BUILD_")
"""Variables under which onnxruntime sends nothing by itself, or keeps its files elsewhere."""


def test_summarizing_leaves_no_file_in_the_home_folder(tmp_path):
    # onnxruntime's telemetry keeps the id of the machine and a database of events there.
    environment = {k: v for k, v in os.environ.items() if not k.startswith(SUPPRESSING)}
    run = subprocess.run(
        [sys.executable, "-c", SUMMARIZE],
        cwd=ROOT,
        env=environment | {"HOME": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert run.stdout == "A storm came.\n"
    assert run.stderr == ""
    assert [str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*")] == []
