"""A real service in a process of its own, for tests that look at it from outside."""

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from time import monotonic, sleep

import httpx
from prometheus_client.parser import text_string_to_metric_families

from service.api.server import listen

ROOT = Path(__file__).parents[1]


def free_port():
    with listen("127.0.0.1", 0) as listener:
        return listener.getsockname()[1]


class ServerProcess:
    """`patsum serve` until the context ends.

    Args:
        settings: of the service, by their names; ports are free ones.
        command: what stands before `serve`; by default the module of the `patsum` command.
    """

    def __init__(self, command=(sys.executable, "-m", "service.cli"), **settings):
        self.metrics_port = free_port()
        self._command = [*command, "serve"]
        self._settings = {
            "port": 0,
            "metrics_port": self.metrics_port,
            "drain_s": 0,
            **settings,
        }
        self.log = []
        said = ("listening", "ready", "draining", "Shutting down")
        self._said = {name: threading.Event() for name in said}

    def __enter__(self):
        clean = {name: v for name, v in os.environ.items() if not name.startswith("PATSUM_")}
        given = {f"PATSUM_{name.upper()}": str(v) for name, v in self._settings.items()}
        self.process = subprocess.Popen(
            self._command, cwd=ROOT, env=clean | given, stderr=subprocess.PIPE, text=True
        )
        self._reader = threading.Thread(target=self._read_log, daemon=True)
        self._reader.start()
        try:
            self.wait_for("ready")
        except BaseException:
            self.__exit__()
            raise
        (line,) = [line for line in self.log if line.get("message") == "listening"]
        self.url = f"http://127.0.0.1:{line['port']}"
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self._reader.join()
        self.process.stderr.close()

    def wait_for(self, message):
        """Wait until the log has a line with this message, or the process has ended."""
        assert self._said[message].wait(120), self.log
        assert any(line.get("message") == message for line in self.log), self.log

    def terminate(self):
        self.process.send_signal(signal.SIGTERM)

    def gauges(self):
        """Every sample of the metrics: (name, label values…) -> value."""
        text = httpx.get(f"http://127.0.0.1:{self.metrics_port}/metrics", timeout=60).text
        return {
            (sample.name, *sample.labels.values()): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }

    def wait_until(self, name, *labels, is_value):
        """Wait until a sample has the value that a condition asks for."""
        gives_up_at = monotonic() + 60
        while not is_value(value := self.gauges()[(name, *labels)]):
            assert monotonic() < gives_up_at, (name, labels, value)
            sleep(0.01)

    def resident_bytes(self):
        return self.gauges()["process_resident_memory_bytes",]

    def _read_log(self):
        for line in self.process.stderr:
            try:
                fields = json.loads(line)
            except ValueError:
                fields = {"message": line}
            self.log.append(fields)
            if fields.get("message") in self._said:
                self._said[fields["message"]].set()
        for event in self._said.values():
            event.set()  # nothing more will be said


def make_text(number, n_sentences):
    """A text of its own for each number; about 17 tokens a sentence."""
    return " ".join(
        f"The council of Port {number} heard report {i} about its river, and the mayor said no."
        for i in range(n_sentences)
    )
