"""The versions of the packages that a number depends on."""

from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version


def find_versions(packages: Iterable[str]) -> dict[str, str]:
    """Find the versions of the packages that are installed; the others are left out."""
    versions = {}
    for package in packages:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue
    return versions
