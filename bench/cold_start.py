"""Cold starts: `patsum serve` as a new process, from its start to ready, and its memory at rest."""

import http.client
import os
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import IO

from bench.results import ColdStart
from service.errors import PatsumError

POLL_S = 0.005
REST_S = 1.0
_HOST = "127.0.0.1"


def start_cold(bundle: Path | None, threads: int, timeout_s: float = 120.0) -> ColdStart:
    """Start the service once, wait until it is ready, read its memory, stop it.

    Args:
        bundle: folder of the bundle; the embedded one without.
        threads: that share one document.
        timeout_s: to become ready, in seconds.

    Raises:
        PatsumError: it ended, or was not ready in time.
    """
    port = _free_port()
    command = [sys.executable, "-m", "service.cli", "serve", "--host", _HOST]
    command += ["--port", str(port), "--metrics-port", "0", "--threads", str(threads)]
    command += ["--bundle", str(bundle)] if bundle else []
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PATSUM_")}
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as log:
        started_s = time.perf_counter()
        process = subprocess.Popen(command, stderr=log, stdout=log, env=environment)
        try:
            _wait_until_ready(process, port, started_s + timeout_s, log)
            ready_s = time.perf_counter() - started_s
            time.sleep(REST_S)
            rss_bytes, pss_bytes = read_memory(process.pid)
            return ColdStart(ready_s=ready_s, rss_bytes=rss_bytes, pss_bytes=pss_bytes)
        finally:
            process.terminate()
            try:
                process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def read_memory(pid: int, proc: Path = Path("/proc")) -> tuple[int, int | None]:
    """Read a process's resident memory.

    Args:
        pid: of the process.
        proc: the kernel's folder.

    Returns:
        Bytes resident, and with shared pages counted by share (None where the kernel keeps quiet).
    """
    rss = _read_kilobytes(proc / str(pid) / "status", "VmRSS:")
    if rss is None:
        raise PatsumError(
            f"expected VmRSS of process {pid} in {proc}, got none; cold starts need Linux"
        )
    return rss, _read_kilobytes(proc / str(pid) / "smaps_rollup", "Pss:")


def _read_kilobytes(path: Path, name: str) -> int | None:
    try:
        lines = path.read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(name)), None)


def _free_port() -> int:
    with socket.create_server((_HOST, 0)) as taken:
        return int(taken.getsockname()[1])


def _wait_until_ready(
    process: "subprocess.Popen[bytes]", port: int, until_s: float, log: IO[str]
) -> None:
    while not _is_ready(port):
        if process.poll() is not None or time.perf_counter() > until_s:
            log.seek(0)
            last = (log.read().strip().splitlines() or ["nothing"])[-1]
            raise PatsumError(
                f"expected `patsum serve` to become ready, it last said: {last}; "
                "start it by hand to see why"
            )
        time.sleep(POLL_S)


def _is_ready(port: int) -> bool:
    connection = http.client.HTTPConnection(_HOST, port, timeout=5)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == http.client.OK
    except OSError:
        return False
    finally:
        connection.close()
