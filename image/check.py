"""Runs the built image as Kubernetes would, and measures it: `make image-check`.

Read-only root, uid 65532, no capabilities, no writable folder at all. Prints what it found as a
table, and ends with 1 when a promise is broken. Standard library only: nothing has to be installed.

Usage: python image/check.py IMAGE
"""

import json
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

from containers import Container, run_container

MAX_START_S = 60
MAX_STOP_S = 60
TEXT = (
    "The harbour reopened on Monday after six weeks of repairs. The January storm had torn away "
    "forty metres of the breakwater. The work cost two million pounds. The mayor was pleased."
)


def fetch(url: str, body: dict[str, object] | None = None) -> tuple[int, str]:
    """Ask; (0, "") while nothing listens."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=10) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except OSError:
        return 0, ""


def wait_until_ready(container: Container, started_s: float) -> float:
    """Wait for `/readyz`.

    Returns:
        Seconds from the start of the container, whatever the engine itself needs included.

    Raises:
        SystemExit: not ready in time.
    """
    while time.monotonic() - started_s < MAX_START_S:
        if fetch(f"{container.url}/readyz")[0] == 200:
            return time.monotonic() - started_s
        time.sleep(0.02)
    raise SystemExit(f"expected readiness within {MAX_START_S} s; the log:\n{container.log()}")


def read_metric(container: Container, name: str) -> float:
    """Read a metric without labels."""
    lines = fetch(f"{container.metrics_url}/metrics")[1].splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith(name + " "))


def check_answers(container: Container) -> list[str]:
    """Check what a client and a probe get; give what is wrong."""
    wrong = []
    status, body = fetch(f"{container.url}/v1/summarize", {"text": TEXT, "sentenceCount": 2})
    sentences = json.loads(body)["documents"][0]["sentences"] if status == 200 else []
    quotes = [TEXT[s["offset"] : s["offset"] + s["length"]] == s["text"] for s in sentences]
    if quotes != [True, True]:
        wrong.append(f"expected two verbatim sentences, got {status} {body}")
    if fetch(f"{container.url}/livez")[0] != 200:
        wrong.append("expected /livez to answer 200")
    if container.run_healthcheck() != 0:
        wrong.append("expected the HEALTHCHECK to pass on a live service")
    return wrong


def check_image(image: str) -> tuple[dict[str, object], list[str]]:
    """Run an image; give what was measured, and what is wrong."""
    started_s = time.monotonic()
    with run_container(image) as container:
        ready_s = wait_until_ready(container, started_s)
        resident_bytes = read_metric(container, "process_resident_memory_bytes")
        wrong = check_answers(container)
        contents = json.loads(container.read_file("/opt/patsum/contents.json"))
        facts: dict[str, object] = {
            "image": image,
            "engine": container.engine,
            "user": container.user(),
            "root": "writable" if container.can_write() else "read-only",
            "beyond the base": f"{contents['bytes'] / 1e6:.0f} MB",
            "start to ready": f"{ready_s:.2f} s",
            "resident, ready": f"{resident_bytes / 2**20:.0f} MiB",
        }
        if facts["user"] != "65532" or facts["root"] != "read-only":
            wrong.append(f"expected user 65532 on a read-only root, got {facts}")
        stopped_s = time.monotonic()
        if not container.stop(MAX_STOP_S):
            wrong.append(f"expected the service to end within {MAX_STOP_S} s of SIGTERM")
        facts["SIGTERM to end"] = f"{time.monotonic() - stopped_s:.2f} s"
        for line in container.log().splitlines():
            if not line.startswith("{"):
                wrong.append(f"expected a log of JSON lines only, got {line!r}")
    return facts, wrong


def main(image: str) -> int:
    """Print the table; give the exit code."""
    facts, wrong = check_image(image)
    for name, value in facts.items():
        print(f"{name:>16}  {value}")
    for message in wrong:
        print(f"image-check: error: {message}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1]))
    except subprocess.CalledProcessError as error:
        sys.exit(f"image-check: error: {Path(str(error.cmd[0])).name} failed: {error.stderr}")
