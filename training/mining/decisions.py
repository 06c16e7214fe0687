"""The decisions file: which patterns a person found in which heads of one model, on what evidence.

A JSON file, such as

    {"format": 1,
     "model": {"sha256": "3f2a…", "layers": 6, "heads": 12},
     "documents": {"source": "val.jsonl (9c1e…), 400 drawn with seed 0", "numbers": [0, 3, 7]},
     "decisions": [
       {"layer": 2, "head": 7, "pattern": "matching_token", "verdict": "accepted",
        "note": "the [CLS] too", "by": "Ada", "at": "2026-11-25T06:00:00Z",
        "evidence": {"relevance": 0.31, "lift": 24.0, "z": 5.2, "low": 0.29, "high": 0.33,
                     "n_documents": 60}}]}

Where layers have different numbers of heads, `heads` is a list, one number a layer, such as [4, 7].

A pattern is the name of one that a head can carry (`Pattern`) or the text of any predicate; only
the former can be injected. A head has one decision a pattern: a later one replaces it.
"""

import dataclasses
import datetime as dt
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated

from pydantic import AwareDatetime, ConfigDict, Field, TypeAdapter, ValidationError

from service.errors import CheckpointError, DataError
from training.fit.tensor_hash import hash_tensors
from training.mining.head_counts import HeadCounts, check_head, describe_heads
from training.model.extractive_model import ExtractiveModel
from training.model.patterns import Pattern

FORMAT = 1

# Strict: a number is no string. Unknown keys are errors, for a typo must not lose a decision.
_STRICT = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)

Count = Annotated[int, Field(ge=1)]
Place = Annotated[int, Field(ge=0)]
Text = Annotated[str, Field(min_length=1, pattern=r"\S")]


class Verdict(StrEnum):
    """What a person decided about a pattern in a head."""

    ACCEPTED = "accepted"
    REJECTED = "rejected"


@dataclass(frozen=True)
class JudgedModel:
    """The model that the decisions are about.

    Attributes:
        sha256: `hash_tensors` of its weights, as they are once it is loaded.
        layers: its token layers, at least 1.
        heads: heads of each, at least 1; one number a layer where they differ.
    """

    __pydantic_config__ = _STRICT

    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    layers: Count
    heads: Count | tuple[Count, ...]

    def __post_init__(self) -> None:
        """Write one number for layers that are alike, so that equal models compare equal."""
        if isinstance(self.heads, int) or len(self.heads) != self.layers:
            return  # a list of another length is for `read_decisions` to refuse
        if len(set(self.heads)) == 1:
            object.__setattr__(self, "heads", self.heads[0])

    @classmethod
    def describe(cls, model: ExtractiveModel) -> "JudgedModel":
        """Describe a model as it is in memory; hashing takes a moment."""
        sha256 = hash_tensors(model.state_dict())
        counts = model.config.heads_by_layer
        return cls(sha256, len(counts), counts)

    @property
    def heads_by_layer(self) -> HeadCounts:
        """Heads of each layer."""
        return (self.heads,) * self.layers if isinstance(self.heads, int) else self.heads


@dataclass(frozen=True)
class JudgedDocuments:
    """The prepared documents that the person looked at.

    Attributes:
        source: where they came from, as `ExampleStore.description` has it.
        numbers: their places in that store, from 0, ascending, each once.
    """

    __pydantic_config__ = _STRICT

    source: str
    numbers: tuple[Place, ...] = ()


@dataclass(frozen=True)
class Evidence:
    """What was measured of one pattern in one head when the person decided.

    Attributes:
        relevance: GR, the mean attention inside the pattern, 0 to 1.
        lift: relevance over that of uniform attention, at least 0.
        z: standard deviations of the relevance above the mean over all heads.
        low: lower end of the 95 % bootstrap interval of the relevance over documents.
        high: its upper end.
        n_documents: how many documents were measured, at least 1.
    """

    __pydantic_config__ = _STRICT

    relevance: Annotated[float, Field(ge=0, le=1)]
    lift: Annotated[float, Field(ge=0)]
    z: float
    low: float
    high: float
    n_documents: Annotated[int, Field(ge=1)]


@dataclass(frozen=True)
class Decision:
    """One pattern in one head, accepted or rejected.

    Attributes:
        layer: from 0.
        head: from 0.
        pattern: name of a `Pattern`, or text of a predicate.
        verdict: what was decided.
        note: the person's own words, "" for none.
        by: who decided.
        at: when.
        evidence: what was measured; None where nothing was.
    """

    __pydantic_config__ = _STRICT

    layer: Place
    head: Place
    pattern: Text
    verdict: Verdict
    by: Text
    at: AwareDatetime
    note: str = ""
    evidence: Evidence | None = None

    @property
    def key(self) -> tuple[int, int, str]:
        """What it is about: layer, head and pattern."""
        return self.layer, self.head, self.pattern

    @property
    def is_accepted(self) -> bool:
        """The person saw the pattern there."""
        return self.verdict is Verdict.ACCEPTED

    @property
    def injectable(self) -> Pattern | None:
        """The pattern that a head can carry by this name; None for any other predicate."""
        return Pattern(self.pattern) if self.pattern in set(Pattern) else None


@dataclass(frozen=True)
class Decisions:
    """All that was decided about one model.

    Attributes:
        model: the model.
        documents: what the person looked at.
        decisions: by layer, head and pattern, one each.
    """

    __pydantic_config__ = _STRICT

    model: JudgedModel
    documents: JudgedDocuments
    decisions: tuple[Decision, ...] = ()

    def with_decision(self, decision: Decision) -> "Decisions":
        """Add a decision in place of an earlier one about the same pattern in the same head.

        Raises:
            DataError: the model has no such head.
        """
        check_head(self.model.heads_by_layer, decision.layer, decision.head)
        kept = self.without(decision.key).decisions
        return dataclasses.replace(
            self, decisions=tuple(sorted([*kept, decision], key=lambda item: item.key))
        )

    def without(self, key: tuple[int, int, str]) -> "Decisions":
        """Take back the decision about a pattern in a head, if there is one.

        Args:
            key: layer, head and pattern.
        """
        kept = tuple(item for item in self.decisions if item.key != key)
        return dataclasses.replace(self, decisions=kept)

    def with_documents(self, numbers: tuple[int, ...]) -> "Decisions":
        """Add documents to those that the person looked at.

        Args:
            numbers: places in the store that `documents.source` names.
        """
        seen = tuple(sorted({*self.documents.numbers, *numbers}))
        return dataclasses.replace(
            self, documents=dataclasses.replace(self.documents, numbers=seen)
        )

    def accepted(self) -> Mapping[tuple[int, int], Pattern]:
        """The accepted patterns that can be injected, by layer and head.

        Raises:
            DataError: a head has several; it can carry but one.
        """
        found: dict[tuple[int, int], Pattern] = {}
        for item in self.decisions:
            if not item.is_accepted or item.injectable is None:
                continue
            place = item.layer, item.head
            if place in found:
                raise DataError(
                    f"layer {item.layer}, head {item.head}: expected at most one accepted pattern "
                    f"that a head can carry, got {found[place]!s} and {item.pattern}; reject one"
                )
            found[place] = item.injectable
        return found

    def check_model(self, model: JudgedModel) -> None:
        """Check that the decisions are about this model.

        Raises:
            CheckpointError: they are about another one.
        """
        if self.model == model:
            return
        raise CheckpointError(
            f"expected decisions about the model {_name_model(model)}, got decisions about "
            f"{_name_model(self.model)}; take the decisions that were made with this model, or "
            "make some with `patsum explore`"
        )


def read_decisions(path: Path) -> Decisions:
    """Read a decisions file.

    Raises:
        DataError: there is none, or it is no decisions file, of another format, has two decisions
            about one pattern in one head, or one about a head that the model has not.
    """
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(f"expected a decisions file at {path}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"expected JSON in the decisions file {path}: {error}") from error
    found = table.pop("format", None) if isinstance(table, dict) else None
    if found != FORMAT:
        raise DataError(f"{path}: expected a decisions file of format {FORMAT}, got {found!r}")
    try:
        # Through JSON again: there a strict enum, tuple or time may be written as what JSON has.
        decisions = TypeAdapter(Decisions).validate_json(json.dumps(table))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise DataError(f"{path}: {where}: {first['msg']}, got {first['input']!r}") from None
    counts = decisions.model.heads_by_layer
    if len(counts) != decisions.model.layers:
        raise DataError(
            f"{path}: model.heads: expected one number, or {decisions.model.layers} (one a layer), "
            f"got {list(counts)}"
        )
    keys = [item.key for item in decisions.decisions]
    for item in decisions.decisions:
        check_head(counts, item.layer, item.head, f"{path}: ")
        if keys.count(item.key) > 1:
            raise DataError(
                f"{path}: expected one decision about {item.pattern!r} in layer {item.layer}, "
                f"head {item.head}, got {keys.count(item.key)}; keep one"
            )
    return decisions


def write_decisions(decisions: Decisions, path: Path) -> None:
    """Write a decisions file; a kill at any time leaves the old file or the new one, whole."""
    table = {"format": FORMAT, **TypeAdapter(Decisions).dump_python(decisions, mode="json")}
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".draft")
    with draft.open("w", encoding="utf-8") as file:
        file.write(json.dumps(table, indent=1, ensure_ascii=False) + "\n")
        file.flush()
        os.fsync(file.fileno())  # hours of a person's looking hang on it
    draft.replace(path)


def now() -> dt.datetime:
    """The time of a decision made now, to the second, UTC."""
    return dt.datetime.now(dt.UTC).replace(microsecond=0)


def _name_model(model: JudgedModel) -> str:
    return f"{model.sha256[:12]} ({describe_heads(model.heads_by_layer)})"
