"""Blocks: the stretches of a text that no sentence leaves, made by its line breaks.

A blank line ends a block, and so does a single line break, because headlines, bylines and bullets
end without a period. The exception is text that was hard-wrapped at a fixed width, such as mail:
there a line ends only because the next word did not fit. So a single line break is taken for a wrap
when

1. the first word of the next line would have made the line longer than the text's longest line, and
2. that longest line (of those up to `MAX_WIDTH`; longer ones were not wrapped) has at least
`MIN_WIDTH` characters, and
3. there are at least three such line breaks, and they are at least half of the text's single line
breaks.

Where 3 does not hold, a line break is still a wrap if the line ends in no final punctuation and the
next goes on in lower case. A line that begins with a bullet never continues the one before it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

MIN_WIDTH = 50
MAX_WIDTH = 100
MIN_WRAPS = 3

_BREAK = re.compile("\r\n|[\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029]")
_GAP = re.compile("[\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029]\\s*")
_BULLETS = ("- ", "* ", "•", "·", "– ", "— ", "‣", "◦", "▪", ">", "#", "|")
_ENDINGS = (".", "?", "!", ":", '"', "”")


class Line(NamedTuple):
    """A line with words, and what separates it from the next.

    Attributes:
        start: code point at which it begins.
        end: code point at which its line break begins, half open.
        is_last: it ends its paragraph: a blank line or the end of the text follows.
    """

    start: int
    end: int
    is_last: bool


def split_blocks(text: str) -> Iterator[tuple[int, int]]:
    """Cut a text at those line breaks that end a sentence.

    Args:
        text: any Unicode text.

    Yields:
        (start, end) in code points, ordered, half open; only white space lies outside them.
    """
    lines = _find_lines(text)
    width = max(
        (line.end - line.start for line in lines if line.end - line.start <= MAX_WIDTH), default=0
    )
    is_full = [_is_full(text, line, after, width) for line, after in pairwise(lines)]
    n_single = sum(not line.is_last for line in lines)
    is_hard_wrapped = sum(is_full) >= MIN_WRAPS and 2 * sum(is_full) >= n_single
    start = 0
    for full, (line, after) in zip(is_full, pairwise(lines), strict=True):
        if not full or not (is_hard_wrapped or _goes_on(text, line, after)):
            yield start, line.end
            start = after.start
    yield start, len(text)


def _find_lines(text: str) -> list[Line]:
    """Find the lines of a text; those without words go with the line break before them."""
    lines, start = [], 0
    for gap in _GAP.finditer(text):
        has_blank_line = gap.end() == len(text) or len(_BREAK.findall(gap[0])) > 1
        lines.append(Line(start, gap.start(), has_blank_line))
        start = gap.end()
    if start < len(text):
        lines.append(Line(start, len(text), True))
    return lines


def _is_full(text: str, line: Line, after: Line, width: int) -> bool:
    """Tell whether the first word of the next line had no room left in this one."""
    if line.is_last or width < MIN_WIDTH or line.end - line.start > width:
        return False
    first_word = text[after.start : min(after.end, after.start + MAX_WIDTH)].split(None, 1)[0]
    is_bullet = text.startswith(_BULLETS, after.start)
    return not is_bullet and line.end - line.start + 1 + len(first_word) > width


def _goes_on(text: str, line: Line, after: Line) -> bool:
    """Tell whether a line breaks off inside a sentence: no final mark, then a small letter."""
    return text[after.start].islower() and not text[
        max(0, line.end - 20) : line.end
    ].rstrip().endswith(_ENDINGS)
