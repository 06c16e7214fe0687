"""What the client sends: documents and options as JSON."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypedDict

from pydantic.alias_generators import to_camel

from service.errors import InputError

_SPLIT_PAIR = re.compile("[\ud800-\udbff][\udc00-\udfff]")


class SummaryOptions(TypedDict, total=False):
    """How to summarize; what is left out is the service's default.

    Attributes:
        sentence_count: sentences to choose; at most one of this, ratio and max_characters.
        ratio: share of the sentences to choose, in (0, 1].
        max_characters: most code points of the summary.
        sort_by: as in the document, or best first.
        long_input: what to do about a text that the model cannot read whole.
        redundancy: whether to skip what repeats a chosen sentence.
        return_all_scores: also return every sentence that was read.
        explain: ask for reasons, and where they come from.
        top_k: most evidence sentences for each chosen one; with explain only.
    """

    sentence_count: int
    ratio: float
    max_characters: int
    sort_by: Literal["Offset", "Rank"]
    long_input: Literal["full", "truncate", "reject"]
    redundancy: Literal["trigram", "none"]
    return_all_scores: bool
    explain: Literal["attention", "occlusion"]
    top_k: int


@dataclass(frozen=True)
class Document:
    """A text to summarize.

    Attributes:
        text: any Unicode text.
        id: returned with the answer; None for the position: "0", "1", … It may occur twice.
        language: BCP 47 tag such as "en"; refused if the model lacks it.
    """

    text: str
    id: str | None = None
    language: str | None = None


@dataclass(frozen=True)
class Item:
    """A document as it is sent.

    Attributes:
        id: what the caller knows it by.
        wire_id: what the service knows it by; no other item has it.
        text: as the caller gave it.
        content: JSON.
    """

    id: str
    wire_id: str
    text: str
    content: bytes


def make_item(position: int, document: Document | str) -> Item:
    """Write a document as it is sent.

    Args:
        position: of the document among the caller's, from 0.
        document: the document, or its text.

    Raises:
        InputError: the text holds a surrogate pair as two characters, which JSON cannot say.
    """
    if isinstance(document, str):
        document = Document(document)
    if not document.text.isascii() and _SPLIT_PAIR.search(document.text):
        raise InputError(
            "expected a text with each surrogate pair as one character, got one as two; "
            "join it with text.encode('utf-16', 'surrogatepass').decode('utf-16', 'surrogatepass')",
            "/text",
        )
    wire_id = str(position)
    fields = {"id": wire_id, "text": document.text}
    if document.language is not None:
        fields["language"] = document.language
    item_id = wire_id if document.id is None else document.id
    return Item(item_id, wire_id, document.text, _write_json(fields))


def write_body(items: Sequence[Item], options: SummaryOptions) -> bytes:
    """Write the body of a request.

    Args:
        items: the documents, none with the wire_id of another.
        options: how to summarize them.

    Raises:
        InputError: an unknown option, or top_k without explain.
    """
    unknown = sorted(options.keys() - SummaryOptions.__annotations__.keys())
    if unknown:
        raise InputError(f"expected an option of SummaryOptions, got {unknown[0]}; mend its name")
    if "top_k" in options and "explain" not in options:
        raise InputError("expected top_k beside explain, got it alone; ask for reasons, or drop it")
    fields = {to_camel(name): value for name, value in options.items()}
    if "explain" in options:
        top_k = {"topK": fields.pop("topK")} if "topK" in fields else {}
        fields["explain"] = {"method": options["explain"], **top_k}
    documents = b'{"documents":[' + b",".join(item.content for item in items) + b"]"
    rest = _write_json(fields)[1:]
    return documents + (b"," if fields else b"") + rest


def _write_json(value: object) -> bytes:
    """Write JSON in UTF-8; where a lone surrogate stands in it, with escapes."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError:
        return json.dumps(value, allow_nan=False, separators=(",", ":")).encode("ascii")
