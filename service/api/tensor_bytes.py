"""The bytes of a tensor, as the binary extension of the Open Inference Protocol lays them out."""

import struct
from collections.abc import Iterable

import numpy as np

HEADER_LENGTH = "Inference-Header-Content-Length"
"""Header of a request or response whose JSON is followed by binary data: the bytes of the JSON."""

OCTETS = "application/octet-stream"
"""Media type of such a body."""

_LENGTH = struct.Struct("<I")


def write_texts(texts: Iterable[str]) -> bytes:
    """Write a BYTES tensor: each text in UTF-8 behind its length.

    Args:
        texts: a lone surrogate is written as its three bytes, and `read_texts` takes them back.

    Returns:
        For each text four bytes, little-endian, then as many bytes as they say.
    """
    encoded = [text.encode("utf-8", "surrogatepass") for text in texts]
    return b"".join(_LENGTH.pack(len(element)) + element for element in encoded)


def read_texts(data: bytes) -> list[str]:
    """Read a BYTES tensor; see `write_texts`.

    Raises:
        ValueError: the bytes end inside an element, or an element is not UTF-8. Its message says
            what was found, and quotes nothing.
    """
    texts: list[str] = []
    position = 0
    while position < len(data):
        start = position + _LENGTH.size
        end = start + int.from_bytes(data[position:start], "little")
        if start > len(data) or end > len(data):
            raise ValueError(f"an end inside element {len(texts)}")
        try:
            texts.append(data[start:end].decode("utf-8", "surrogatepass"))
        except UnicodeDecodeError as error:
            raise ValueError(
                f"a byte that is not UTF-8 at {error.start} of element {len(texts)}"
            ) from error
        position = end
    return texts


def write_numbers(numbers: Iterable[float]) -> bytes:
    """Write an FP32 tensor: four bytes a number, little-endian, row by row."""
    return np.fromiter(numbers, dtype="<f4").tobytes()
