"""A running container of the image: under docker or podman, or, with buildah alone, in a chroot.

The chroot has what matters to the service: the image's files on a read-only mount, its user, its
environment and its command, no capabilities, a process namespace of its own. It shares the network.
"""

import json
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Protocol

ENGINE_SCRIPT = Path(__file__).with_name("engine")
API_PORT, METRICS_PORT = 8000, 9000

# $1 root, $2 user, the rest the command. No place of the root can be written, not even /tmp.
ENTER_ROOT = """
set -e
root=$1 user=$2; shift 2
mount --bind "$root" "$root"
mount -t proc proc "$root/proc"
mount --rbind /sys "$root/sys"
for device in null zero urandom; do
  touch "$root/dev/$device"
  mount --bind "/dev/$device" "$root/dev/$device"
done
mount -o remount,bind,ro "$root"
exec setpriv --no-new-privs chroot --userspec="$user" --groups= "$root" env -i "$@"
"""


class Container(Protocol):
    """A running service.

    Attributes:
        engine: what runs it.
        url: of the API.
        metrics_url: of the metrics.
    """

    engine: str
    url: str
    metrics_url: str

    def user(self) -> str:
        """Give the user that the service runs as."""

    def can_write(self) -> bool:
        """Tell whether a file can be made in the root or in /tmp."""

    def read_file(self, path: str) -> str:
        """Read a file of the image."""

    def run_healthcheck(self) -> int:
        """Run the image's HEALTHCHECK beside the service; give its exit code."""

    def stop(self, timeout_s: float) -> bool:
        """Send SIGTERM; tell whether the service ended in time."""

    def log(self) -> str:
        """Give what the service wrote so far."""


def ask(*command: str) -> str:
    """Run a command; give its output without surrounding space."""
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def find_free_port() -> int:
    """Find a port that nothing listens on just now."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@contextmanager
def run_container(image: str) -> Iterator[Container]:
    """Run an image with the engine that works here, as long as the context lasts."""
    engine = ask("bash", "-c", '. "$0" && find_engine', str(ENGINE_SCRIPT))
    with ExitStack() as stack:
        if engine == "buildah":
            root = ask("buildah", "from", image)
            stack.callback(ask, "buildah", "rm", root)
            container: Container = ChrootContainer(image, ask("buildah", "mount", root))
        else:
            container = EngineContainer(engine, image)
        stack.callback(container.stop, 10)
        yield container


class EngineContainer:
    """A container under docker or podman.

    Args:
        engine: docker or podman.
        image: name or id.
    """

    def __init__(self, engine: str, image: str) -> None:
        self.engine = engine
        limits = ("--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges")
        ports = [f"--publish=127.0.0.1::{port}" for port in (API_PORT, METRICS_PORT)]
        self._id = ask(engine, "run", "--detach", *limits, *ports, image)
        self.url = f"http://{ask(engine, 'port', self._id, str(API_PORT)).splitlines()[0]}"
        self.metrics_url = f"http://{ask(engine, 'port', self._id, str(METRICS_PORT))}"
        self._last_log = ""

    def user(self) -> str:
        """Give the user that the service runs as."""
        return self._run("id", "-u").stdout.strip()

    def can_write(self) -> bool:
        """Tell whether a file can be made in the root or in /tmp."""
        return any(self._run("touch", f"{d}/probe").returncode == 0 for d in ("", "/tmp"))

    def read_file(self, path: str) -> str:
        """Read a file of the image."""
        return self._run("cat", path).stdout

    def run_healthcheck(self) -> int:
        """Run the image's HEALTHCHECK beside the service; give its exit code."""
        config = ask(self.engine, "inspect", "--format", "{{json .Config.Healthcheck}}", self._id)
        return self._run(*json.loads(config)["Test"][1:]).returncode

    def stop(self, timeout_s: float) -> bool:
        """Send SIGTERM; tell whether the service ended in time."""
        if not self._id:
            return True
        ask(self.engine, "stop", "--time", str(round(timeout_s)), self._id)
        code = ask(self.engine, "inspect", "--format", "{{.State.ExitCode}}", self._id)
        self._last_log = self.log()
        ask(self.engine, "rm", self._id)
        self._id = ""
        return code != str(128 + signal.SIGKILL)

    def log(self) -> str:
        """Give what the service wrote so far."""
        if not self._id:
            return self._last_log
        run = subprocess.run([self.engine, "logs", self._id], capture_output=True, text=True)
        return run.stdout + run.stderr

    def _run(self, *command: str) -> subprocess.CompletedProcess[str]:
        asked = [self.engine, "exec", self._id, *command]
        return subprocess.run(asked, capture_output=True, text=True)


class ChrootContainer:
    """The image's command in a chroot with a read-only root; needs root.

    Args:
        image: as buildah knows it.
        root: where its files are mounted.
    """

    engine = "buildah, in a chroot"

    def __init__(self, image: str, root: str) -> None:
        inspected = json.loads(ask("buildah", "inspect", "--type", "image", image))
        self._config: dict[str, Any] = inspected["Docker"]["config"]
        self._root = root
        port, metrics_port = find_free_port(), find_free_port()
        self.url = f"http://127.0.0.1:{port}"
        self.metrics_url = f"http://127.0.0.1:{metrics_port}"
        ports = [f"PATSUM_PORT={port}", f"PATSUM_METRICS_PORT={metrics_port}"]
        self._environment = [*self._config["Env"], *ports]
        self._log = tempfile.TemporaryFile("w+")  # noqa: SIM115  # closed with the object
        command = [*self._config["Entrypoint"], *self._config["Cmd"]]
        enter = ["bash", "-c", ENTER_ROOT, "enter", root, self._config["User"]]
        self._process = subprocess.Popen(
            ["unshare", "--mount", "--pid", "--kill-child", *enter, *self._environment, *command],
            stdout=self._log,
            stderr=subprocess.STDOUT,
        )

    def user(self) -> str:
        """Give the user that the service runs as."""
        status = Path(f"/proc/{self._service_pid()}/status").read_text().splitlines()
        return next(line.split()[1] for line in status if line.startswith("Uid:"))

    def can_write(self) -> bool:
        """Tell whether a file can be made in the root or in /tmp."""
        return any(self._run("touch", f"{d}/probe") == 0 for d in ("", "/tmp"))

    def read_file(self, path: str) -> str:
        """Read a file of the image."""
        return (Path(self._root) / path.lstrip("/")).read_text()

    def run_healthcheck(self) -> int:
        """Run the image's HEALTHCHECK beside the service; give its exit code."""
        return self._run(*self._config["Healthcheck"]["Test"][1:])

    def stop(self, timeout_s: float) -> bool:
        """Send SIGTERM; tell whether the service ended in time."""
        if self._process.poll() is None:
            subprocess.run(["kill", "-TERM", self._service_pid()])
        try:
            self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            return False
        return True

    def log(self) -> str:
        """Give what the service wrote so far."""
        self._log.seek(0)
        return self._log.read()

    def _service_pid(self) -> str:
        pid = self._process.pid
        return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0]

    def _run(self, *command: str) -> int:
        enter = ["nsenter", "--target", self._service_pid(), "--mount", "--pid"]
        user = ["setpriv", "--no-new-privs", "chroot", f"--userspec={self._config['User']}"]
        asked = [*enter, *user, "--groups=", self._root, "env", "-i", *self._environment]
        return subprocess.run([*asked, *command], capture_output=True).returncode
