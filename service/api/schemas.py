"""The JSON that is asked and answered: camelCase, unknown fields refused.

A text may hold anything that a JSON string can, NUL and lone surrogates too. So text fields carry
no constraint of pydantic, whose constrained strings take well-formed Unicode only.
"""

from typing import Annotated, Self, TypedDict

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictInt, StrictStr, model_validator
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

from service.api.string_index import StringIndexType
from service.inference.explain import ExplainMethod
from service.inference.summarizer import LongInput
from service.text.select import LengthRule, Order, Redundancy, read_length_rule

Identifier = Annotated[StrictStr, Field(min_length=1, max_length=128)]
Count = Annotated[StrictInt, Field(ge=1)]
Ratio = Annotated[float, Field(strict=True, gt=0, le=1, allow_inf_nan=False)]


class _Model(BaseModel):
    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, extra="forbid", frozen=True
    )


class SummarizerOptions(TypedDict):
    """Keyword arguments of `Summarizer.summarize`."""

    rule: LengthRule | None
    order: Order
    redundancy: Redundancy
    explain: ExplainMethod | None
    top_k: int
    return_all_scores: bool
    long_input: LongInput


class InputDocument(_Model):
    """One document of a batch."""

    id: Identifier | None = Field(
        None, description="Returned with the answer; without it, the position: 0, 1, …"
    )
    text: StrictStr = Field(description="The text, with at least one sentence.")
    language: Annotated[StrictStr, Field(max_length=35)] | None = Field(
        None, description="BCP 47 tag such as `en` or `en-GB`; refused if the model lacks it."
    )


class ExplainOptions(_Model):
    """Where reasons come from, and how many are given."""

    method: ExplainMethod = Field(
        ExplainMethod.ATTENTION,
        description="attention: where heads looked, nearly free. occlusion: signed effects, slow.",
    )
    top_k: Annotated[StrictInt, Field(ge=1, le=100)] = Field(
        5, description="Most evidence sentences for each chosen sentence."
    )


class SummarizeRequest(_Model):
    """What to summarize, and how."""

    documents: Annotated[list[InputDocument], Field(min_length=1, fail_fast=True)] | None = Field(
        None, description="The documents; or give `text` alone."
    )
    text: StrictStr | None = Field(None, description="Shorthand for a single document, id 0.")
    sentence_count: Count | None = Field(
        None,
        description="Sentences to choose; without a length rule, as many as the model's "
        "`defaultLength` in `/info` says.",
    )
    ratio: Ratio | None = Field(
        None, description="Share of the sentences to choose, rounded up; in (0, 1]."
    )
    max_characters: Count | None = Field(
        None, description="Most code points of the summary, joining spaces included."
    )
    sort_by: Order = Field(Order.OFFSET, description="As in the document, or best first.")
    string_index_type: StringIndexType = Field(
        StringIndexType.CODE_POINT, description="The unit of offset and length."
    )
    long_input: LongInput = Field(
        LongInput.FULL, description="What to do about a text that the model cannot read whole."
    )
    redundancy: Redundancy = Field(
        Redundancy.TRIGRAM, description="trigram: skip what repeats three words of a chosen one."
    )
    return_all_scores: StrictBool = Field(
        False, description="Also return every sentence that was read, with its score."
    )
    explain: ExplainOptions | None = Field(None, description="Ask for reasons.")

    @model_validator(mode="after")
    def _check_source(self) -> Self:
        if (self.documents is None) == (self.text is None):
            got = "neither" if self.text is None else "both"
            raise PydanticCustomError(
                "document_source",
                "expected either documents or text, got {got}; give one of them",
                {"got": got},
            )
        seen: set[str] = set()
        for i, document in enumerate(self.input_documents()):
            if document.id in seen:
                raise PydanticCustomError(
                    "duplicate_id",
                    "expected each id once, got one twice; a document without id has its position",
                    {"location": ("documents", i, "id")},
                )
            seen.add(str(document.id))
        return self

    @model_validator(mode="after")
    def _check_length_rules(self) -> Self:
        rules = {
            "sentenceCount": self.sentence_count,
            "ratio": self.ratio,
            "maxCharacters": self.max_characters,
        }
        given = [name for name, value in rules.items() if value is not None]
        if len(given) > 1:
            raise PydanticCustomError(
                "length_rules",
                "expected at most one of sentenceCount, ratio, maxCharacters, got {got}; keep one",
                {"got": " and ".join(given), "location": (given[1],)},
            )
        return self

    def input_documents(self) -> list[InputDocument]:
        """Give the documents, each with an id."""
        if self.documents is None:
            return [InputDocument(id="0", text=self.text or "")]
        return [
            document if document.id is not None else document.model_copy(update={"id": str(i)})
            for i, document in enumerate(self.documents)
        ]

    def text_location(self, i: int) -> tuple[str | int, ...]:
        """Say where in the body the text of the i-th document stands."""
        return ("text",) if self.documents is None else ("documents", i, "text")

    def length_rule(self) -> LengthRule | None:
        """Give the one length rule; None where the bundle's default holds."""
        return read_length_rule(self.sentence_count, self.ratio, self.max_characters)

    def summarizer_options(self) -> SummarizerOptions:
        """Give what `Summarizer.summarize` is asked for, for each document alike."""
        return {
            "rule": self.length_rule(),
            "order": self.sort_by,
            "redundancy": self.redundancy,
            "explain": self.explain.method if self.explain else None,
            "top_k": self.explain.top_k if self.explain else 1,
            "return_all_scores": self.return_all_scores,
            "long_input": self.long_input,
        }


class SentenceResult(_Model):
    """A sentence of the document: `text == document[offset : offset + length]`."""

    text: str
    rank_score: float = Field(description="Importance in [0, 1], six decimals.")
    offset: int = Field(description="Position in the document, in the asked unit.")
    length: int = Field(description="In the asked unit.")
    index: int = Field(description="0 for the document's first sentence.")


class StatisticsResult(_Model):
    """Sizes of the document."""

    characters_count: int = Field(description="Code points, whatever the asked unit.")
    sentences_count: int
    tokens_count: int = Field(description="Tokens that the whole text would need.")
    truncated: bool = Field(description="Some of the text was not read.")


class WarningResult(_Model):
    """Something that the caller should know."""

    code: str
    message: str


class EvidenceResult(_Model):
    """Another sentence, and its weight."""

    index: int
    weight: float = Field(description="attention: in [0, 1]; occlusion: signed drop of the score.")


class PatternResult(_Model):
    """A pattern, and its heads' share in what a chosen sentence received."""

    name: str
    share: float


class ReasonResult(_Model):
    """The reasons of one chosen sentence."""

    index: int
    evidence: list[EvidenceResult]
    patterns: list[PatternResult]


class ExplanationResult(_Model):
    """The reasons of all chosen sentences, and what they do not prove."""

    method: ExplainMethod
    selected: list[ReasonResult]
    faithfulness: dict[str, float] | None = Field(
        None, description="Measured for the model; absent when it was not."
    )
    notes: list[str]


class DocumentResult(_Model):
    """The summary of one document."""

    id: str
    summary: str = Field(description="The chosen sentences, joined by single spaces.")
    sentences: list[SentenceResult]
    statistics: StatisticsResult
    warnings: list[WarningResult]
    explanation: ExplanationResult | None = None
    all_scores: list[SentenceResult] | None = Field(
        None, description="With returnAllScores: every sentence that was read."
    )


class ErrorDetail(_Model):
    """Why a document has no summary."""

    code: str = Field(
        description="InvalidDocument, UnsupportedLanguage; in a stream also DeadlineExceeded, "
        "InternalError."
    )
    message: str
    target: str = Field(description="JSON pointer into the request.")


class DocumentError(_Model):
    """A document without a summary."""

    id: str
    error: ErrorDetail


class SummarizeResponse(_Model):
    """The summaries; every id of the request stands once, in `documents` or in `errors`."""

    id: str = Field(description="The X-Request-Id, as sent or made.")
    model_version: str
    documents: list[DocumentResult]
    errors: list[DocumentError]


class DocumentLine(_Model):
    """A line of an NDJSON answer: a summary."""

    id: str = Field(description="The X-Request-Id, as sent or made.")
    model_version: str
    document: DocumentResult


class ErrorLine(_Model):
    """A line of an NDJSON answer: a document without a summary."""

    id: str = Field(description="The X-Request-Id, as sent or made.")
    model_version: str
    error: DocumentError
