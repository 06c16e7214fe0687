"""Prints what the image installs: the base dependencies, and those of the extras asked for.

Usage: python requirements.py pyproject.toml [EXTRA,EXTRA]
"""

import sys
import tomllib
from pathlib import Path


def read_requirements(pyproject: Path, extras: list[str]) -> list[str]:
    """Read the requirements of a project.

    Args:
        pyproject: its pyproject.toml.
        extras: names below `project.optional-dependencies`.

    Raises:
        KeyError: the project has no such extra.
    """
    project = tomllib.loads(pyproject.read_text(encoding="utf-8"))["project"]
    optional = project.get("optional-dependencies", {})
    return [*project["dependencies"], *(line for extra in extras for line in optional[extra])]


if __name__ == "__main__":
    asked = [extra for extra in "".join(sys.argv[2:]).split(",") if extra]
    print(*read_requirements(Path(sys.argv[1]), asked), sep="\n")
