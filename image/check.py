"""Runs the built image as Kubernetes would, and measures it: `make image-check`.

Read-only root, uid 65532, no capabilities, no writable folder at all. Prints what it found as a
table, and ends with 1 when a promise is broken. Standard library only: nothing has to be installed.

Usage: python image/check.py IMAGE
"""

import json
import re
import subprocess
import sys
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from containers import Container, run_container

MAX_START_S = 60
MAX_STOP_S = 60
MAX_REST_MIB = 200
MAX_DOCUMENT_MIB = 320
"""What docs/operations.md, "Sizing", promises: at rest, and for each document that is worked on."""
TEXT = (
    "The harbour reopened on Monday after six weeks of repairs. The January storm had torn away "
    "forty metres of the breakwater. The work cost two million pounds. The mayor was pleased."
)

FULL_TEXT = " ".join(
    f"Report {i}: it is as far as we can go by car, so I set off." for i in range(1_640)
)
"""More than the 32,768 tokens that the model reads: in 1,510 of at most 1,536 sentences."""


def fetch(url: str, body: dict[str, object] | None = None) -> tuple[int, str]:
    """Ask; (0, "") while nothing listens."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=60) as response:
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


def measure_memory(container: Container) -> tuple[dict[str, object], list[str]]:
    """Give the resident memory after ever more work, and which promise it breaks."""
    n_workers = {
        lane: int(count)
        for lane, count in re.findall(
            r'^patsum_workers\{lane="(\w+)"\} ([0-9]+)',
            fetch(f"{container.metrics_url}/metrics")[1],
            re.MULTILINE,
        )
    }
    summarize, explain = f"{container.url}/v1/summarize", f"{container.url}/v1/explain"
    asked: dict[str, object] = {"text": FULL_TEXT}
    loads = {
        "one full document": (summarize, asked, 1),
        "one a worker": (summarize, asked, n_workers["attention"]),
        "occlusion too": (
            explain,
            asked | {"explain": {"method": "occlusion"}},
            n_workers["occlusion"],
        ),
    }
    facts: dict[str, object] = {}
    n_documents, wrong = 0, []
    for name, (url, body, n_at_once) in loads.items():
        with ThreadPoolExecutor(n_at_once) as senders:
            statuses = [a[0] for a in senders.map(lambda _: fetch(url, body), range(n_at_once))]  # noqa: B023
        if not set(statuses) <= {200, 504}:
            wrong.append(f"expected {name} to be answered, got {statuses}")
        n_documents = max(n_documents, n_at_once) if url == summarize else n_documents + n_at_once
        resident_mib = read_metric(container, "process_resident_memory_bytes") / 2**20
        facts[f"then, {name}"] = f"{resident_mib:.0f} MiB"
        most_mib = MAX_REST_MIB + MAX_DOCUMENT_MIB * n_documents
        if resident_mib > most_mib:
            wrong.append(f"expected at most {most_mib} MiB after {name}, got {resident_mib:.0f}")
    return facts, wrong


def check_image(image: str) -> tuple[dict[str, object], list[str]]:
    """Run an image; give what was measured, and what is wrong."""
    started_s = time.monotonic()
    with run_container(image) as container:
        ready_s = wait_until_ready(container, started_s)
        resident_bytes = read_metric(container, "process_resident_memory_bytes")
        wrong = check_answers(container)
        if resident_bytes > MAX_REST_MIB * 2**20:
            wrong.append(f"expected at most {MAX_REST_MIB} MiB at rest, got {resident_bytes:.0f} B")
        memory, too_much = measure_memory(container)
        wrong += too_much
        contents = json.loads(container.read_file("/opt/patsum/contents.json"))
        facts: dict[str, object] = {
            "image": image,
            "engine": container.engine,
            "user": container.user(),
            "root": "writable" if container.can_write() else "read-only",
            "beyond the base": f"{contents['bytes'] / 1e6:.0f} MB",
            "start to ready": f"{ready_s:.2f} s",
            "resident, ready": f"{resident_bytes / 2**20:.0f} MiB",
            **memory,
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
        print(f"{name:>23}  {value}")
    for message in wrong:
        print(f"image-check: error: {message}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1]))
    except subprocess.CalledProcessError as error:
        sys.exit(f"image-check: error: {Path(str(error.cmd[0])).name} failed: {error.stderr}")
