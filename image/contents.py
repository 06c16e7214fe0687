"""Runs inside the image while it is built: proves what it holds and what it does not, and lists it.

Prints the list as JSON; it becomes /opt/patsum/contents.json. A broken promise ends the build.
"""

import importlib.util
import json
import os
import platform
import stat
import sys
from collections.abc import Iterator
from importlib.metadata import distributions
from pathlib import Path

OFFLINE = (
    "torch",
    "transformers",
    "onnx",
    "optimum",
    "datasets",
    "training",
    "export",
    "bench",
    "pip",
)
"""What only training and export need, and pip: absent, or the image is more than the service."""

INSTALLERS = {"pip", "ensurepip", "setuptools", "pkg_resources", "_distutils_hack", "wheel"}
"""What installs packages: absent from every Python of the image, the base's own included."""

PRIVILEGED = stat.S_ISUID | stat.S_ISGID

MAX_BYTES = 250_000_000
"""Most that the image may add to its base; everything that it adds lies below `sys.prefix`."""

TEXT = "The ferry left before dawn. Nobody expected fog. By noon it was back in the harbour."


def describe_contents() -> dict[str, object]:
    """List what the image holds: user, Python, bytes, packages with their versions."""
    return {
        "uid": os.getuid(),
        "python": platform.python_version(),
        "bytes": sum(p.lstat().st_size for p in Path(sys.prefix).rglob("*") if not p.is_dir()),
        "packages": {d.metadata["Name"]: d.version for d in distributions()},
    }


def find_leftovers(root: Path) -> Iterator[str]:
    """Find what can install packages, and programs that run with another user's rights.

    Args:
        root: the folder to look through, without other file systems that are mounted below it.
    """
    device = root.stat().st_dev
    for folder, folders, files in os.walk(root):
        paths = {name: Path(folder, name) for name in (*folders, *files)}
        for name, path in paths.items():
            is_package = name in INSTALLERS and "python" in folder
            if is_package and (path / "__init__.py").exists():
                yield str(path)
            status = path.lstat()
            if stat.S_ISREG(status.st_mode) and status.st_mode & PRIVILEGED:
                yield str(path)
        folders[:] = [name for name in folders if paths[name].lstat().st_dev == device]


def check_contents(bytes_added: int) -> None:
    """Check the promises of the image.

    Raises:
        SystemExit: one is broken; it says which.
    """
    offline = [name for name in OFFLINE if importlib.util.find_spec(name) is not None]
    if offline:
        raise SystemExit(f"expected none of the offline side in the image, found {offline}")
    if leftovers := sorted(find_leftovers(Path("/"))):
        raise SystemExit(f"expected no installer and no setuid program, found {leftovers}")
    if os.getuid() != 65532 or os.access(sys.prefix, os.W_OK):
        raise SystemExit(f"expected uid 65532 without rights to {sys.prefix}, got {os.getuid()}")
    if bytes_added > MAX_BYTES:
        raise SystemExit(f"expected at most {MAX_BYTES:,} bytes added, got {bytes_added:,}")


def check_answer() -> None:
    """Check that the whole API imports, and that the embedded bundle summarizes.

    Raises:
        SystemExit: the summary is not the text's own sentences.
    """
    import service.api.app  # noqa: F401  # for all that it imports
    from service import Summarizer

    sentences = Summarizer().summarize(TEXT).sentences
    if not sentences or any(sentence.text not in TEXT for sentence in sentences):
        raise SystemExit(f"expected sentences of the text, got {sentences}")


if __name__ == "__main__":
    contents = describe_contents()
    check_contents(int(str(contents["bytes"])))
    check_answer()
    print(json.dumps(contents, indent=1, sort_keys=True))
