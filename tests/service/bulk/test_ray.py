"""The same job on a real Ray cluster on this machine: real processes, the same bytes."""

import importlib.util
import os
import secrets
import socket
import subprocess
import sys

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

if importlib.util.find_spec("ray") is None and not os.environ.get("CI"):
    pytest.skip("ray is not installed", allow_module_level=True)


def test_ray_gives_the_bytes_of_a_local_run_and_goes_on_from_one(
    start, run, write_lines, text, tmp_path
):
    rows = [{"id": i, "text": text(i)} if i % 5 else b"{" for i in range(40)]
    source, local, out = write_lines(rows), tmp_path / "local.jsonl", tmp_path / "out.jsonl"
    options = ("--keep", "--chunk-rows", "3")
    assert run(source, local, *options).exit_code == 1
    assert run(source, out, *options, "--max-errors", "2").exit_code == 2
    process = start(source, out, *options, "--ray", "local", "--workers", "2")
    _, stderr = process.communicate(timeout=240)
    assert process.returncode == 1, stderr.decode()
    assert out.read_bytes() == local.read_bytes()
    assert "32 summarized, 8 failed" in stderr.decode()


@pytest.fixture
def cluster():
    """A cluster that was started by its own command: its address, and what opens it."""
    token = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "ray.scripts.scripts", "start", "--head", "--block"]
    options = ["--node-ip-address=127.0.0.1", "--num-cpus=2", "--include-dashboard=false"]
    with subprocess.Popen(
        [*command, *options, f"--port={port}", "--disable-usage-stats"],
        env={**os.environ, **token},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as head:
        said = list(iter_until(head.stdout, "Ray runtime started"))
        assert head.poll() is None, "".join(said)
        yield f"127.0.0.1:{port}", token
        head.terminate()
        head.communicate()


def iter_until(lines, words):
    for line in lines:
        yield line
        if words in line:
            return


@pytest.mark.slow
def test_running_cluster_gives_the_bytes_of_a_local_run(start, run, text, cluster, tmp_path):
    source, local, out = (tmp_path / name for name in ("in.parquet", "a.parquet", "b.parquet"))
    table = pa.table({"id": range(300), "text": [text(i) if i % 9 else None for i in range(300)]})
    pq.write_table(table, source, row_group_size=100)
    options = ("--keep", "--chunk-rows", "8", "--explain")
    assert run(source, local, *options).exit_code == 1
    address, token = cluster
    process = start(source, out, *options, "--ray", address, environment=token)
    _, stderr = process.communicate(timeout=240)
    assert process.returncode == 1, stderr.decode()
    assert out.read_bytes() == local.read_bytes()


@pytest.mark.slow
def test_error_of_a_worker_on_ray_is_our_own_line(start, articles, tmp_path):
    import gzip

    source = tmp_path / "in.jsonl.gz"
    source.write_bytes(gzip.compress(articles.read_bytes())[:-30])
    process = start(source, tmp_path / "out.jsonl", "--ray", "local", "--workers", "2")
    _, stderr = process.communicate(timeout=240)
    assert process.returncode == 2
    assert "damaged or incomplete" in stderr.decode()


def test_address_of_a_client_is_refused(run, articles, tmp_path):
    result = run(articles, tmp_path / "out.jsonl", "--ray", "ray://127.0.0.1:10001")
    assert result.exit_code == 2
    assert "on a node of the cluster" in result.stderr


def test_standard_streams_are_refused(run, articles):
    result = run(articles, "-", "--ray", "local")
    assert result.exit_code == 2
    assert "--ray reads and writes files" in result.stderr
