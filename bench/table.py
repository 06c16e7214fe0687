"""A table: a head and rows of texts, laid out for a terminal or as Markdown."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Table:
    """A titled table.

    Attributes:
        title: what it shows, in a few words.
        head: names of the columns.
        rows: of texts, each as long as the head.
        note: how to read it; may be empty.
    """

    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    note: str = ""

    def to_text(self) -> Iterator[str]:
        """Lay it out for a terminal: the first column left, the others right."""
        widths = [max(map(len, column)) for column in zip(self.head, *self.rows, strict=True)]
        yield self.title
        for row in (self.head, *self.rows):
            cells = [row[0].ljust(widths[0])]
            cells += [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
            yield "  " + "  ".join(cells).rstrip()
        if self.note:
            yield f"  {self.note}"

    def to_markdown(self) -> Iterator[str]:
        """Lay it out as Markdown."""
        yield f"**{self.title}**"
        yield ""
        yield f"| {' | '.join(self.head)} |"
        yield f"|---{'|---:' * (len(self.head) - 1)}|"
        for row in self.rows:
            yield f"| {' | '.join(cell.replace('|', '&#124;') for cell in row)} |"
        if self.note:
            yield ""
            yield self.note
