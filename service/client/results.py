"""What the client gives back: typed, frozen, and tolerant of fields that a newer service adds."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel


class _Result(BaseModel):
    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, frozen=True, protected_namespaces=()
    )


class Sentence(_Result):
    """A sentence of the document: `text == document[offset : offset + length]`.

    Attributes:
        text: verbatim.
        rank_score: importance in [0, 1].
        offset: code points before it in the document.
        length: in code points.
        index: 0 for the document's first sentence.
    """

    text: str
    rank_score: float
    offset: int
    length: int
    index: int


class Statistics(_Result):
    """Sizes of the document: code points, sentences, tokens; truncated: some was not read."""

    characters_count: int
    sentences_count: int
    tokens_count: int
    truncated: bool


class SummaryWarning(_Result):
    """Something that the caller should know: a code for programs, a message for people."""

    code: str
    message: str


class Evidence(_Result):
    """Another sentence, and its weight: attention in [0, 1], or a signed drop of the score."""

    index: int
    weight: float


class PatternShare(_Result):
    """A pattern, and its heads' share in what a chosen sentence received."""

    name: str
    share: float


class Reason(_Result):
    """The reasons of one chosen sentence."""

    index: int
    evidence: tuple[Evidence, ...]
    patterns: tuple[PatternShare, ...]


class Explanation(_Result):
    """The reasons of all chosen sentences, and in `notes` what they do not prove."""

    method: str
    selected: tuple[Reason, ...]
    faithfulness: dict[str, float] | None = None
    notes: tuple[str, ...] = ()


class DocumentSummary(_Result):
    """The summary of one document.

    Attributes:
        id: the document's, or its position: "0", "1", …
        summary: the chosen sentences, joined by single spaces.
        sentences: the chosen sentences.
        statistics: sizes of the document.
        warnings: what the caller should know, such as InputTruncated.
        explanation: None unless asked for.
        all_scores: every sentence that was read; None unless asked for.
        model_version: of the model that chose.
    """

    id: str
    summary: str
    sentences: tuple[Sentence, ...]
    statistics: Statistics
    warnings: tuple[SummaryWarning, ...] = ()
    explanation: Explanation | None = None
    all_scores: tuple[Sentence, ...] | None = None
    model_version: str


class DocumentFailure(_Result):
    """Why one document of several has no summary.

    Attributes:
        id: the document's, or its position: "0", "1", …
        code: such as InvalidDocument, for programs.
        message: what was expected, what came, what to do.
    """

    id: str
    code: str
    message: str


class ModelInfo(_Result):
    """The loaded model; fields that are not listed here are attributes all the same."""

    model_config = ConfigDict(extra="allow")

    name: str
    version: str
    languages: tuple[str, ...]


class Limits(_Result):
    """What the service refuses; fields that are not listed here are attributes all the same."""

    model_config = ConfigDict(extra="allow")

    max_body_bytes: int = Field(ge=1)
    max_documents: int = Field(ge=1)
    max_characters: int = Field(ge=1)


class ServiceInfo(_Result):
    """What runs behind the address."""

    model: ModelInfo
    limits: Limits
    versions: dict[str, str] = {}
    quality: tuple[dict[str, Any], ...] = ()
