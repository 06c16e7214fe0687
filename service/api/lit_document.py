"""One answered document as HTML: its summary lit in the whole text, and its reasons.

Every value is escaped here and nowhere else; nothing is ever written as markup that came from a
caller or from a bundle.
"""

import math
import re
from collections.abc import Sequence
from html import escape

from service.api.schemas import (
    DocumentResult,
    EvidenceResult,
    ExplanationResult,
    PatternResult,
    ReasonResult,
    SentenceResult,
)
from service.inference.explain import ExplainMethod

TOP_LEVEL = 9
"""Steps of brightness; `lit.css` and `reading.js` have the same ones."""

N_COLOURS = 6
"""Colours of patterns in `lit.css`."""

PATTERN_LABELS = {
    "matching_token": "The same word elsewhere in the text",
    "intra_sentence": "Within the sentence",
    "previous_token": "The word before",
    "next_token": "The word after",
}
"""The patterns in words; one that is not listed keeps its name."""

FAITHFULNESS_LABELS = {
    "comprehensiveness": "Comprehensiveness: how far scores fall without the evidence",
    "sufficiency": "Sufficiency: how far scores fall with the evidence alone",
    "leaveOneOutKendallTau": (
        "Kendall’s tau between these weights and removing sentences, −1 to 1"
    ),
    "n": "Texts measured",
}

_NOT_IN_HTML = re.compile("[\0\ud800-\udfff]")


class LitDocument:
    """Writes one document.

    Args:
        number: of the document in its request, from 0; makes the anchors unique.
        text: of the document, as the caller sent it.
        result: its answer, with `allScores`, an explanation, and offsets in code points.
    """

    def __init__(self, number: int, text: str, result: DocumentResult) -> None:
        assert result.all_scores is not None, "asked for by explain_page_request"
        self._prefix = f"d{number}"
        self._text = text
        self._result = result
        self._sentences: Sequence[SentenceResult] = result.all_scores
        self._chosen = {sentence.index for sentence in result.sentences}
        self._top_score = max((s.rank_score for s in self._sentences), default=0.0)

    def render(self) -> str:
        """Write the document as one `<article>`."""
        explanation = self._result.explanation
        reasons = self._render_explanation(explanation) if explanation else ""
        return (
            f"<article>{self._render_warnings()}"
            f'<p class="prose summary" dir="auto" lang="">{show(self._result.summary)}</p>'
            f"<h2>In the text</h2>{self._render_legend()}"
            f'<div class="prose lit" lang="">{self._render_text()}</div>{reasons}</article>'
        )

    def _render_warnings(self) -> str:
        return "".join(
            f'<p class="notice"><strong>{show(warning.code)}</strong>: {show(warning.message)}</p>'
            for warning in self._result.warnings
        )

    def _render_legend(self) -> str:
        lost = len(_NOT_IN_HTML.findall(self._text))
        note = f" {lost} character(s) that HTML cannot hold are shown as \ufffd." if lost else ""
        return (
            '<p class="legend">The brighter a sentence, the higher its score, up to '
            f"{self._top_score:.2f} here. A numbered, underlined one is in the summary and leads "
            f"to its reasons.{note}</p>"
        )

    def _render_text(self) -> str:
        parts, end = [], 0
        for sentence in self._sentences:
            parts += [show(self._text[end : sentence.offset]), self._render_sentence(sentence)]
            end = sentence.offset + sentence.length
        rest = self._text[end:]
        unread = rest.lstrip()
        parts.append(show(rest.removesuffix(unread)))
        if unread:
            label = '<span class="unread-label" lang="en">Not read from here on</span>'
            parts.append(f'<span class="unread" dir="auto">{label}{show(unread)}</span>')
        return "".join(parts)

    def _render_sentence(self, sentence: SentenceResult) -> str:
        index = sentence.index
        level = self._find_level(sentence.rank_score)
        attributes = (
            f'id="{self._prefix}s{index}" dir="auto" data-number="{index + 1}" '
            f'title="Sentence {index + 1}, score {sentence.rank_score:.3f}"'
        )
        content = show(sentence.text)
        if index not in self._chosen:
            return f'<span class="sentence l{level}" {attributes}>{content}</span>'
        link = f'href="#{self._prefix}r{index}"'
        return f'<a class="sentence chosen l{level}" {link} {attributes}>{content}</a>'

    def _find_level(self, score: float) -> int:
        """Give the step of brightness: the score as a share of the highest one."""
        if self._top_score <= 0:
            return 0
        return math.floor(TOP_LEVEL * score / self._top_score + 0.5)  # as Math.round does

    def _render_explanation(self, explanation: ExplanationResult) -> str:
        is_signed = explanation.method is ExplainMethod.OCCLUSION
        reasons = "".join(self._render_reason(r, is_signed) for r in explanation.selected)
        notes = "".join(f"<li>{show(note)}</li>" for note in explanation.notes)
        return (
            f"<h2>Why these sentences</h2>{reasons}"
            f'<h2>What this does not prove</h2><ul class="notes">{notes}</ul>'
            f"{_render_faithfulness(explanation.faithfulness)}"
        )

    def _render_reason(self, reason: ReasonResult, is_signed: bool) -> str:
        sentence = self._sentences[reason.index]
        strongest = max((abs(e.weight) for e in reason.evidence), default=1.0)
        heading = "What removing a sentence does" if is_signed else "Sentences it drew on"
        evidence = "".join(
            self._render_evidence(e, abs(e.weight) / strongest, is_signed) for e in reason.evidence
        )
        return (
            f'<section class="reason" id="{self._prefix}r{reason.index}">'
            f'<blockquote dir="auto" lang="">{show(sentence.text)}</blockquote>'
            f'<p class="facts"><a href="#{self._prefix}s{reason.index}">Sentence '
            f"{reason.index + 1}</a> · score {sentence.rank_score:.3f}</p>"
            f'<h3>{heading}</h3><ol class="evidence-list">{evidence or "<li>None.</li>"}</ol>'
            f"<h3>By which pattern</h3>{_render_patterns(reason.patterns)}</section>"
        )

    def _render_evidence(self, evidence: EvidenceResult, share: float, is_signed: bool) -> str:
        side, sign = "looked-at", ""
        if is_signed:
            side, sign = ("competes", "−") if evidence.weight < 0 else ("supports", "+")
        quote = show(self._sentences[evidence.index].text)
        return (
            f'<li class="{side}"><a class="go" href="#{self._prefix}s{evidence.index}">'
            f'<span class="number">{evidence.index + 1}</span>'
            f'<span class="quote" dir="auto" lang="">{quote}</span></a><div class="measure">'
            f"{_render_bar([(share, 'weight-bar')])}"
            f'<span class="weight">{sign}{abs(evidence.weight):.3f}</span>'
            f"{side if is_signed else ''}</div></li>"
        )


def show(text: str) -> str:
    """Write a text so that HTML shows it and never reads it as markup.

    NUL and lone surrogates, which HTML in UTF-8 cannot hold, become U+FFFD; a carriage return is
    kept, which the parser would turn into a line feed.
    """
    return _NOT_IN_HTML.sub("\ufffd", escape(text)).replace("\r", "&#13;")


def _render_bar(parts: Sequence[tuple[float, str]]) -> str:
    """Draw shares side by side; SVG attributes need no inline style."""
    rectangles, left = "", 0.0
    for share, name in parts:
        place = f'x="{100 * left:.2f}%" width="{100 * share:.2f}%" height="100%"'
        rectangles += f'<rect class="{name}" {place}/>'
        left += share
    return f'<svg class="bar" aria-hidden="true">{rectangles}</svg>'


def _render_patterns(patterns: Sequence[PatternResult]) -> str:
    bar = _render_bar([(p.share, f"p{i % N_COLOURS}") for i, p in enumerate(patterns)])
    items = "".join(
        f'<li><span class="key p{i % N_COLOURS}" aria-hidden="true"></span>'
        f'<span class="name">{show(PATTERN_LABELS.get(p.name, p.name))}</span>'
        f'<span class="weight">{100 * p.share:.0f} %</span></li>'
        for i, p in enumerate(patterns)
    )
    return f'{bar}<ul class="pattern-list">{items}</ul>'


def _render_faithfulness(faithfulness: dict[str, float] | None) -> str:
    if not faithfulness:
        return ""
    rows = "".join(
        f"<dt>{show(FAITHFULNESS_LABELS.get(name, name))}</dt>"
        f"<dd>{value if float(value).is_integer() else f'{value:.3f}'}</dd>"
        for name, value in faithfulness.items()
    )
    return f'<dl class="faithfulness">{rows}</dl>'
