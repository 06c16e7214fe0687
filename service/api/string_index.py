"""The unit that positions are counted in: code points, or the UTF-16 units of other languages."""

from bisect import bisect_left
from enum import StrEnum

_LAST_OF_ONE_UNIT = "\uffff"


class StringIndexType(StrEnum):
    """The unit of `offset` and `length`."""

    CODE_POINT = "UnicodeCodePoint"
    """Python, Go runes, Rust chars. A lone surrogate counts as one."""
    UTF16 = "Utf16CodeUnit"
    """JavaScript, Java, C#: a character beyond U+FFFF, such as an emoji, counts as two."""


class StringIndex:
    """Translates positions in one text from code points into the asked unit.

    Args:
        text: any Unicode text.
        index_type: the asked unit.
    """

    def __init__(self, text: str, index_type: StringIndexType) -> None:
        self._wide_offsets = (
            [i for i, character in enumerate(text) if character > _LAST_OF_ONE_UNIT]
            if index_type is StringIndexType.UTF16 and not text.isascii()
            else []
        )

    def translate(self, offset: int) -> int:
        """Give the position of a code point, counted from 0, in the asked unit."""
        return offset + bisect_left(self._wide_offsets, offset)
