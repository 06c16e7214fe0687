"""How relevant predicates are to every head over all shown documents, kept in the run folder."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from training.fit.batches import make_batch
from training.mining.explorer.exhibit import Exhibit
from training.mining.head_grid import from_rows, to_rows
from training.mining.predicates import Predicate
from training.mining.relevance import (
    DocumentRelevance,
    Thresholds,
    measure_relevance,
    summarize_predicate,
)

FloatArray = npt.NDArray[np.float64]
Track = Callable[[Iterable[int], int], Iterator[int]]
"""Goes through document numbers, of so many, and shows how far it is."""

_FORMAT = 1
_N_RESAMPLES = 2_000


@dataclass(frozen=True, eq=False)
class Relevance:
    """One predicate over many documents; see `PredicateRelevance`.

    Attributes:
        relevance: (layers, heads) float64, GR: the mean over documents; here and in the others NaN
            where a layer has no such head.
        low: lower ends of its 95 % bootstrap interval.
        high: upper ends.
        lift: (layers, heads) GR over that of uniform attention.
        z: (layers, heads) standard deviations above the mean over all heads.
        carries: (layers, heads) 1.0 where the head clears the thresholds of carrying it, else 0.0.
        uniform: GR of a head that looks everywhere alike.
        density: share of all pairs that the predicate holds for, mean over documents.
        n_documents: those in which some token has a place to look at; with none, all is 0.
    """

    relevance: FloatArray
    low: FloatArray
    high: FloatArray
    lift: FloatArray
    z: FloatArray
    carries: FloatArray
    uniform: float
    density: float
    n_documents: int

    @classmethod
    def over(
        cls, predicate: Predicate, place: int, measured: Sequence[DocumentRelevance]
    ) -> "Relevance":
        """Put documents together.

        Args:
            predicate: which.
            place: its place in the measured arrays.
            measured: at least one document.
        """
        density = float(np.mean([one.n_pairs[place] / one.n_tokens**2 for one in measured]))
        found = summarize_predicate(predicate, place, measured, Thresholds(), _N_RESAMPLES, 0)
        nothing = 0.0 * measured[0].inside[place]  # where there is no head, NaN stays
        if found is None:
            return cls(*(nothing,) * 6, uniform=0.0, density=density, n_documents=0)
        carries = nothing.copy()
        for layer, head in found.carriers:
            carries[layer, head] = 1.0
        return cls(
            found.gr.mean,
            found.gr.low,
            found.gr.high,
            found.lift,
            found.z,
            carries,
            found.uniform,
            density,
            found.n,
        )

    def to_json(self) -> dict[str, Any]:
        """For the page and for the folder."""
        values = {item.name: getattr(self, item.name) for item in fields(self)}
        return {
            name: to_rows(value) if isinstance(value, np.ndarray) else value
            for name, value in values.items()
        }

    @classmethod
    def from_json(cls, table: Mapping[str, Any]) -> "Relevance":
        """Read what `to_json` gave."""
        values: dict[str, Any] = {
            name: from_rows(value) if isinstance(value, list) else value
            for name, value in table.items()
        }
        return cls(**values)


class RelevanceTable:
    """Relevance over the shown documents by predicate, kept in the run folder.

    Args:
        exhibit: the model and its documents.
        model_sha256: figures of another model are not read.
    """

    def __init__(self, exhibit: Exhibit, model_sha256: str) -> None:
        self._exhibit = exhibit
        self._path = exhibit.folder / "relevance.json"
        self._key = {
            "format": _FORMAT,
            "model": model_sha256,
            "source": exhibit.source,
            "documents": len(exhibit.shown),
        }
        self._found = self._read()

    def get(self, predicate: Predicate) -> Relevance | None:
        """What was measured of a predicate; None if nothing was."""
        return self._found.get(str(predicate))

    def to_json(self) -> dict[str, Any]:
        """All that was measured, by predicate."""
        return {text: relevance.to_json() for text, relevance in self._found.items()}

    def measure(self, predicates: Sequence[Predicate], track: Track) -> None:
        """Measure predicates in one pass over the shown documents, and keep what is found.

        Args:
            predicates: those measured before are left out.
            track: goes through the documents.
        """
        wanted = [item for item in dict.fromkeys(predicates) if self.get(item) is None]
        if not wanted:
            return
        numbers = [int(number) for number in self._exhibit.shown]
        measured = [self._measure(wanted, number) for number in track(numbers, len(numbers))]
        found = {str(p): Relevance.over(p, place, measured) for place, p in enumerate(wanted)}
        self._found = {**self._found, **found}
        self._write()

    def _measure(self, predicates: Sequence[Predicate], number: int) -> DocumentRelevance:
        batch = make_batch(self._exhibit.store, np.array([number]))
        with self._exhibit.lock:
            return measure_relevance(
                self._exhibit.model, self._exhibit.classes, predicates, (), batch
            )

    def _read(self) -> dict[str, Relevance]:
        try:
            table = json.loads(self._path.read_text(encoding="utf-8"))
            if table.pop("key") != self._key:
                return {}
            return {text: Relevance.from_json(row) for text, row in table["found"].items()}
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return {}  # measured anew

    def _write(self) -> None:
        table = {"key": self._key, "found": self.to_json()}
        self._path.parent.mkdir(parents=True, exist_ok=True)
        draft = self._path.with_suffix(".draft")
        draft.write_text(json.dumps(table), encoding="utf-8")
        draft.replace(self._path)
