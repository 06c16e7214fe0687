"""The hash of a data file: what was measured or learned on exactly this file says so by it."""

import hashlib
from pathlib import Path

from service.errors import DataError


def hash_file(path: Path) -> str:
    """Hash a file as it is on disk, packed or not.

    Args:
        path: of any size; read in pieces.

    Returns:
        sha256, 64 hexadecimal digits.

    Raises:
        DataError: the file cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise DataError(f"expected a file of JSON lines at {path}, got {error.strerror}") from error
