"""Memory stays bounded, however large the input."""

import json
import lzma
import os
import subprocess
import sys

import pytest

BUDGET_MIB = 350
MEASURE = """
import resource, subprocess, sys
code = subprocess.run(sys.argv[1:]).returncode
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024)
sys.exit(code)
"""


def peak_mib(bundle, *arguments):
    """The largest resident memory of any process of a run, in MiB."""
    command = [sys.executable, "-m", "service.cli", "batch", *map(str, arguments)]
    measured = subprocess.run(
        [sys.executable, "-c", MEASURE, *command],
        env={**os.environ, "PATSUM_BUNDLE": str(bundle)},
        capture_output=True,
        text=True,
    )
    assert measured.returncode in (0, 1), measured.stderr
    return int(measured.stdout)


@pytest.mark.slow
def test_file_of_three_times_the_budget_is_streamed(tiny_bundle, tmp_path, text):
    source = tmp_path / "in.jsonl"
    with source.open("w") as file:
        for i in range(11_000):
            file.write(json.dumps({"text": text(i), "padding": "x" * 100_000}) + "\n")
    assert source.stat().st_size > 3 * BUDGET_MIB * 1024 * 1024
    assert peak_mib(tiny_bundle, source, tmp_path / "out.jsonl", "--workers", 2) < BUDGET_MIB


@pytest.mark.slow
def test_line_larger_than_the_budget_is_never_held(tiny_bundle, tmp_path, text):
    source = tmp_path / "in.jsonl.xz"
    with lzma.open(source, "wb", preset=0) as file:
        for _ in range(2 * BUDGET_MIB):
            file.write(b" " * 1024 * 1024)
        file.write(b"\n" + json.dumps({"text": text(1)}).encode() + b"\n")
    assert peak_mib(tiny_bundle, source, tmp_path / "out.jsonl", "--workers", 1) < BUDGET_MIB
