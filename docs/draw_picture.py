"""Draws docs/picture.svg: what the embedded bundle makes of one text, and its heads.

python docs/draw_picture.py
"""

import html
import textwrap
from collections.abc import Iterator
from pathlib import Path

from service import Summarizer

TEXT = (
    "The harbour of Port Ellin reopened on Monday after six weeks of repairs. Fishing boats left "
    "before dawn, and the first ferry followed at nine. The January storm had torn away forty "
    "metres of the northern breakwater. Engineers filled the gap with 3,000 concrete blocks, some "
    "brought from as far as Norway. The work cost 2.1 million pounds, a third more than planned. "
    "Mayor Ida Strand called it money well spent. Some shop owners disagree: they lost the whole "
    "spring season. The council will decide in June whether to pay them damages."
)
COLOURS = {
    "matching_token": ("#c2410c", "matching token"),
    "intra_sentence": ("#1d4ed8", "same sentence"),
    "previous_token": ("#047857", "previous token"),
    "next_token": ("#65a30d", "next token"),
    None: ("#9ca3af", "free"),
}
FONT = 'font-family="Helvetica, Arial, sans-serif"'


def draw_text(summarizer: Summarizer) -> Iterator[str]:
    """The sentences, brighter the higher they score; a bar marks those chosen."""
    summary = summarizer.summarize(TEXT, return_all_scores=True)
    chosen = {sentence.index for sentence in summary.sentences}
    scored = sorted(summary.all_scores or (), key=lambda sentence: sentence.index)
    top = max(sentence.rank_score for sentence in scored)
    y = 40
    for sentence in scored:
        lines = textwrap.wrap(sentence.text, 62)
        height = 19 * len(lines) + 8
        glow = sentence.rank_score / top
        yield (
            f'<rect x="24" y="{y}" width="476" height="{height}" rx="4" '
            f'fill="#fbbf24" fill-opacity="{0.75 * glow:.2f}"/>'
        )
        if sentence.index in chosen:
            yield f'<rect x="16" y="{y}" width="4" height="{height}" rx="2" fill="#b45309"/>'
        for number, line in enumerate(lines):
            yield (
                f'<text x="32" y="{y + 18 + 19 * number}" font-size="14" {FONT} fill="#111827">'
                f"{html.escape(line)}</text>"
            )
        yield (
            f'<text x="508" y="{y + 18}" font-size="12" {FONT} fill="#6b7280">'
            f"{sentence.rank_score:.2f}</text>"
        )
        y += height + 3


def draw_heads(summarizer: Summarizer) -> Iterator[str]:
    """One square a head, coloured by what it may look at."""
    patterns = summarizer.bundle.manifest.model.patterns
    for layer, row in enumerate(patterns):
        y = 40 + 30 * layer
        yield (
            f'<text x="580" y="{y + 16}" font-size="12" {FONT} fill="#6b7280">layer {layer}</text>'
        )
        for head, pattern in enumerate(row):
            yield (
                f'<rect x="{630 + 24 * head}" y="{y}" width="21" height="21" rx="3" '
                f'fill="{COLOURS[pattern][0]}"/>'
            )
    y = 60 + 30 * len(patterns)
    for pattern in sorted({p for row in patterns for p in row}, key=str):
        colour, name = COLOURS[pattern]
        yield f'<rect x="630" y="{y}" width="14" height="14" rx="3" fill="{colour}"/>'
        yield f'<text x="652" y="{y + 12}" font-size="13" {FONT} fill="#374151">{name}</text>'
        y += 22


def draw() -> str:
    """The whole picture."""
    summarizer = Summarizer()
    titles = (
        (24, "The text, lit by score; the bar marks what is returned"),
        (580, "Where each attention head may look"),
    )
    parts = [
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 940 360" width="940" height="360">',
        '<rect width="940" height="360" fill="#ffffff"/>',
        *(
            f'<text x="{x}" y="26" font-size="14" font-weight="bold" {FONT} fill="#111827">'
            f"{title}</text>"
            for x, title in titles
        ),
        *draw_text(summarizer),
        *draw_heads(summarizer),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


if __name__ == "__main__":
    Path(__file__).with_name("picture.svg").write_text(draw(), encoding="utf-8")
