"""Bulk runs of the real command over the tiny bundle, in this process or in one of their own."""

import json
import os
import signal
import subprocess
import sys

import pytest
from click.testing import CliRunner

from service.cli import cli

SENTENCES = (
    "The ferry left the harbour before the storm.",
    "The mayor said that the council had a report.",
    "No train was on time.",
    "The storm came in the night, and the water was over the road.",
    "People would vote for a new bridge over the river.",
)


def make_text(i):
    """A text of five sentences, another one for each i."""
    turned = SENTENCES[i % 5 :] + SENTENCES[: i % 5]
    return " ".join([*turned[:4], f"Report {i} was about money."])


@pytest.fixture
def write_lines(tmp_path):
    """Write JSON lines, from values or as bytes, and give the path."""

    def write(lines, name="in.jsonl"):
        path = tmp_path / name
        encoded = [x if isinstance(x, bytes) else json.dumps(x).encode() for x in lines]
        path.write_bytes(b"".join(line + b"\n" for line in encoded))
        return path

    return write


@pytest.fixture
def articles(write_lines):
    """The path of 23 good rows."""
    return write_lines([{"id": f"a{i}", "text": make_text(i), "n": i} for i in range(23)])


@pytest.fixture
def run(tiny_bundle):
    """Run `patsum batch` in this process, with one worker unless told."""

    def run_batch(*arguments, **options):
        environment = {"PATSUM_BUNDLE": str(tiny_bundle)}
        arguments = ["--workers", "1", *(str(argument) for argument in arguments)]
        return CliRunner().invoke(cli, ["batch", *arguments], env=environment, **options)

    return run_batch


@pytest.fixture
def start(tiny_bundle):
    """Start `patsum batch` as a process."""

    def start_batch(*arguments, environment=(), **options):
        command = [sys.executable, "-m", "service.cli", "batch", *map(str, arguments)]
        environment = {**os.environ, "PATSUM_BUNDLE": str(tiny_bundle), **dict(environment)}
        # A process inherits what its parent ignores, as a job in the background does Ctrl-C.
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            return subprocess.Popen(
                command, env=environment, stderr=subprocess.PIPE, stdout=subprocess.PIPE, **options
            )
        finally:
            signal.signal(signal.SIGINT, before)

    return start_batch


def read_lines(path):
    """Read the values of JSON lines."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.fixture
def read():
    return read_lines


@pytest.fixture
def text():
    return make_text
