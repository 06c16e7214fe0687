"""From a summary to the JSON that answers for it."""

from service.api.schemas import (
    DocumentResult,
    EvidenceResult,
    ExplanationResult,
    PatternResult,
    ReasonResult,
    SentenceResult,
    StatisticsResult,
    WarningResult,
)
from service.api.string_index import StringIndex, StringIndexType
from service.inference.explain import Explanation
from service.inference.summarizer import Summary, SummarySentence

_DECIMALS = 6
"""A float32 has no more to say than this about a number between 0 and 1."""


def answer_document(
    document_id: str, text: str, summary: Summary, index_type: StringIndexType
) -> DocumentResult:
    """Write one summary as the API answers it.

    Args:
        document_id: of the caller.
        text: the caller's, unchanged.
        summary: of that text.
        index_type: unit of the offsets and lengths.
    """
    index = StringIndex(text, index_type)
    statistics = summary.statistics
    return DocumentResult(
        id=document_id,
        summary=summary.text,
        sentences=[_answer_sentence(sentence, index) for sentence in summary.sentences],
        statistics=StatisticsResult(
            characters_count=statistics.characters_count,
            sentences_count=statistics.sentences_count,
            tokens_count=statistics.tokens_count,
            truncated=statistics.truncated,
        ),
        warnings=[WarningResult(code=w.code, message=w.message) for w in summary.warnings],
        explanation=_answer_explanation(summary.explanation) if summary.explanation else None,
        all_scores=None
        if summary.all_scores is None
        else [_answer_sentence(sentence, index) for sentence in summary.all_scores],
    )


def _answer_sentence(sentence: SummarySentence, index: StringIndex) -> SentenceResult:
    start = index.translate(sentence.offset)
    end = index.translate(sentence.offset + sentence.length)
    return SentenceResult(
        text=sentence.text,
        rank_score=round(sentence.rank_score, _DECIMALS),
        offset=start,
        length=end - start,
        index=sentence.index,
    )


def _answer_explanation(explanation: Explanation) -> ExplanationResult:
    return ExplanationResult(
        method=explanation.method,
        selected=[
            ReasonResult(
                index=reason.index,
                evidence=[
                    EvidenceResult(index=e.index, weight=round(e.weight, _DECIMALS))
                    for e in reason.evidence
                ],
                patterns=[
                    PatternResult(name=p.name, share=round(p.share, _DECIMALS))
                    for p in reason.patterns
                ],
            )
            for reason in explanation.selected
        ],
        faithfulness=None if explanation.faithfulness is None else dict(explanation.faithfulness),
        notes=list(explanation.notes),
    )
