"""The board: what the person decided about which head, kept in the decisions file as they go."""

import threading
from pathlib import Path
from typing import Any

from service.errors import CheckpointError, DataError
from training.mining.decisions import (
    Decision,
    Decisions,
    Evidence,
    JudgedDocuments,
    JudgedModel,
    Verdict,
    now,
    read_decisions,
    write_decisions,
)
from training.mining.explorer.relevance_table import Relevance
from training.mining.head_counts import check_head
from training.mining.predicates import Or, Predicate, parse
from training.model.patterns import Pattern

_PREDICATES = {
    Pattern.MATCHING_TOKEN: "same_token",
    Pattern.INTRA_SENTENCE: "same_sentence",
    Pattern.PREVIOUS_TOKEN: "previous",
    Pattern.NEXT_TOKEN: "next",
}
_PATTERNS = {text: pattern for pattern, text in _PREDICATES.items()}


def name_in_file(predicate: Predicate) -> str:
    """What the decisions file calls a predicate: a pattern's name where a head can carry it."""
    return str(_PATTERNS.get(str(predicate), predicate))


def read_name(name: str) -> Predicate:
    """The predicate that the decisions file calls so.

    Raises:
        PredicateError: it is neither a pattern's name nor a predicate.
    """
    is_pattern = name in set(Pattern)
    return parse(_PREDICATES[Pattern(name)] if is_pattern else name)


class Board:
    """The decisions about one model.

    Args:
        path: the decisions file; written at each decision, read here if it is there.
        model: the model.
        source: of the documents.
        by: who decides.

    Raises:
        DataError: the file is no decisions file, or about other documents.
        CheckpointError: it is about another model.
    """

    def __init__(self, path: Path, model: JudgedModel, source: str, by: str) -> None:
        self.path = path
        self.by = by
        self._lock = threading.Lock()
        self._looked_at: set[int] = set()
        self._decisions = Decisions(model, JudgedDocuments(source))
        if path.exists():
            self._decisions = read_decisions(path)
            try:
                self._decisions.check_model(model)
            except CheckpointError as error:
                raise CheckpointError(
                    f"{path}: {error}; or name another file with --decisions"
                ) from error
            if self._decisions.documents.source != source:
                raise DataError(
                    f"{path}: expected decisions over the documents {source!r}, got some over "
                    f"{self._decisions.documents.source!r}; name another file with --decisions"
                )

    def look_at(self, number: int) -> None:
        """Remember that the person opened a document; written with the next decision."""
        with self._lock:
            self._looked_at.add(number)

    def decide(
        self,
        layer: int,
        head: int,
        predicate: Predicate,
        verdict: Verdict,
        note: str,
        measured: Relevance,
    ) -> None:
        """Write a decision down, in place of an earlier one about the same pattern and head.

        Args:
            layer: from 0.
            head: from 0.
            predicate: what the person sees, or does not see, in the head.
            verdict: which of the two.
            note: the person's own words, "" for none.
            measured: of the predicate, over at least one document with a match.

        Raises:
            DataError: the model has no such head, or no document has a match.
        """
        if not measured.n_documents:
            raise DataError(
                f"expected a predicate that some token has a match for, got {str(predicate)!r}, "
                "which has none in any document"
            )
        check_head(self._decisions.model.heads_by_layer, layer, head)
        evidence = Evidence(
            relevance=float(measured.relevance[layer, head]),
            lift=float(measured.lift[layer, head]),
            z=float(measured.z[layer, head]),
            low=float(measured.low[layer, head]),
            high=float(measured.high[layer, head]),
            n_documents=measured.n_documents,
        )
        decision = Decision(
            layer=layer,
            head=head,
            pattern=name_in_file(predicate),
            verdict=verdict,
            by=self.by,
            at=now(),
            note=note,
            evidence=evidence,
        )
        with self._lock:
            self._keep(self._decisions.with_decision(decision))

    def take_back(self, layer: int, head: int, predicate: Predicate) -> None:
        """Forget the decision about a pattern in a head, if there is one."""
        with self._lock:
            self._keep(self._decisions.without((layer, head, name_in_file(predicate))))

    def explained(self) -> Predicate | None:
        """What the accepted patterns explain together; None while there is none."""
        names = dict.fromkeys(d.pattern for d in self._decisions.decisions if d.is_accepted)
        parts = tuple(read_name(name) for name in names)
        if not parts:
            return None
        return Or(parts) if len(parts) > 1 else parts[0]

    def to_json(self) -> dict[str, Any]:
        """For the page."""
        rows = [
            {
                "layer": item.layer,
                "head": item.head,
                "pattern": item.pattern,
                "predicate": str(read_name(item.pattern)),
                "canInject": item.injectable is not None,
                "verdict": str(item.verdict),
                "note": item.note,
                "by": item.by,
                "evidence": None
                if item.evidence is None
                else {
                    "relevance": item.evidence.relevance,
                    "lift": item.evidence.lift,
                    "low": item.evidence.low,
                    "high": item.evidence.high,
                    "nDocuments": item.evidence.n_documents,
                },
            }
            for item in self._decisions.decisions
        ]
        try:
            self._decisions.accepted()
            conflict = ""
        except DataError as error:
            conflict = str(error)
        with self._lock:
            looked_at = self._looked_at.union(self._decisions.documents.numbers)
        return {
            "path": str(self.path),
            "decisions": rows,
            "lookedAt": sorted(looked_at),
            "conflict": conflict,
        }

    def _keep(self, decisions: Decisions) -> None:
        kept = decisions.with_documents(tuple(self._looked_at))
        write_decisions(kept, self.path)
        self._decisions = kept
