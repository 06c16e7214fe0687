"""How relevant predicates are to every head: in one document, and over all that are shown."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from training.evaluate.significance import mean_intervals
from training.mining.explorer.attention_maps import DocumentMaps, compute_maps
from training.mining.explorer.subject import Subject
from training.mining.predicates import Predicate
from training.mining.tokens import TokenClasses, Tokens

FloatArray = npt.NDArray[np.float64]
Track = Callable[[Iterable[int], int], Iterator[int]]
"""Goes through document numbers, of so many, and shows how far it is."""

_FORMAT = 1


@dataclass(frozen=True, eq=False)
class DocumentRelevance:
    """One predicate in one document.

    Attributes:
        relevance: (layers, heads) float64 in [0, 1], the attention inside the predicate, a mean
            over the tokens that have a place to look at; None where no token has.
        uniform: the same for a head that looks everywhere alike.
        density: share of all pairs that the predicate holds for, 0 to 1.
    """

    relevance: FloatArray | None
    uniform: float
    density: float

    @classmethod
    def measure(cls, maps: DocumentMaps, mask: Tensor) -> "DocumentRelevance":
        """Measure a mask, (tokens, tokens) bool, in a document's maps.

        Source:
            GR of Li et al., arXiv:2112.05364; rows that can match nothing are left out, as there
            for tokens that occur once.
        """
        has_place = mask.any(dim=-1)
        density = float(mask.float().mean())
        if not has_place.any():
            return cls(None, 0.0, density)
        inside = maps.share_inside(mask)[:, :, has_place].double().mean(dim=-1)
        uniform = float(mask[has_place].double().mean())
        return cls(inside.clamp(0, 1).numpy(), uniform, density)

    def to_json(self) -> dict[str, Any]:
        """For the page; `relevance` is null where no token has a place to look at."""
        found = None if self.relevance is None else self.relevance.round(5).tolist()
        return {"relevance": found, "uniform": self.uniform, "density": self.density}


@dataclass(frozen=True, eq=False)
class Relevance:
    """One predicate over many documents.

    Attributes:
        relevance: (layers, heads) float64, GR: the mean over documents.
        low: lower ends of its 95 % bootstrap interval.
        high: upper ends.
        uniform: GR of a head that looks everywhere alike; 0 where no document has a match.
        density: share of all pairs, mean over documents.
        n_documents: those in which some token has a place to look at.
    """

    relevance: FloatArray
    low: FloatArray
    high: FloatArray
    uniform: float
    density: float
    n_documents: int

    @classmethod
    def over(
        cls, found: Sequence[DocumentRelevance], shape: tuple[int, int], n_resamples: int = 2_000
    ) -> "Relevance":
        """Put documents together.

        Args:
            found: at least one document.
            shape: (layers, heads).
            n_resamples: draws of the bootstrap.
        """
        density = float(np.mean([item.density for item in found]))
        with_place = [item for item in found if item.relevance is not None]
        if not with_place:
            nothing = np.zeros(shape)
            return cls(nothing, nothing, nothing, 0.0, density, 0)
        rows = np.stack([item.relevance.reshape(-1) for item in with_place])  # type: ignore[union-attr]
        intervals = mean_intervals(rows, n_resamples=n_resamples)
        estimate, low, high = (
            np.array([getattr(item, name) for item in intervals]).reshape(shape)
            for name in ("estimate", "low", "high")
        )
        uniform = float(np.mean([item.uniform for item in with_place]))
        return cls(estimate, low, high, uniform, density, len(with_place))

    @property
    def lift(self) -> FloatArray:
        """(layers, heads) relevance over that of uniform attention."""
        return self.relevance / max(self.uniform, 1e-12)

    @property
    def z(self) -> FloatArray:
        """(layers, heads) standard deviations above the mean over all heads."""
        mean, deviation = float(self.relevance.mean()), float(self.relevance.std())
        return (self.relevance - mean) / max(deviation, 1e-12)

    def to_json(self) -> dict[str, Any]:
        """For the page and for the folder."""
        arrays = {name: getattr(self, name) for name in ("relevance", "low", "high")}
        return {
            **{name: array.round(5).tolist() for name, array in arrays.items()},
            "uniform": self.uniform,
            "density": self.density,
            "nDocuments": self.n_documents,
        }

    @classmethod
    def from_json(cls, table: Mapping[str, Any]) -> "Relevance":
        """Read what `to_json` gave."""
        relevance, low, high = (np.array(table[name]) for name in ("relevance", "low", "high"))
        figures = table["uniform"], table["density"], table["nDocuments"]
        return cls(relevance, low, high, *figures)


class RelevanceTable:
    """Relevance over the shown documents by predicate, kept in the run folder.

    Args:
        subject: the model and its documents.
        classes: of the model's vocabulary.
        model_sha256: figures of another model are not read.
    """

    def __init__(self, subject: Subject, classes: TokenClasses, model_sha256: str) -> None:
        self._subject = subject
        self._classes = classes
        self._path = subject.folder / "relevance.json"
        self._key = {
            "format": _FORMAT,
            "model": model_sha256,
            "source": subject.source,
            "documents": len(subject.shown),
        }
        self._found = self._read()

    def get(self, predicate: Predicate) -> Relevance | None:
        """What was measured of a predicate; None if nothing was."""
        return self._found.get(str(predicate))

    def to_json(self) -> dict[str, Any]:
        """All that was measured, by predicate."""
        return {text: relevance.to_json() for text, relevance in self._found.items()}

    def tokens_of(self, number: int) -> Tokens:
        """The tokens of a document as predicates see them."""
        return read_tokens(self._subject, self._classes, number)

    def measure(self, predicates: Sequence[Predicate], track: Track) -> None:
        """Measure predicates in one pass over the shown documents, and keep what is found.

        Args:
            predicates: those measured before are left out.
            track: goes through the documents.
        """
        wanted = [item for item in dict.fromkeys(predicates) if self.get(item) is None]
        if not wanted:
            return
        found: dict[Predicate, list[DocumentRelevance]] = {item: [] for item in wanted}
        for number in track([int(n) for n in self._subject.shown], len(self._subject.shown)):
            maps, tokens = compute_maps(self._subject, number), self.tokens_of(number)
            for predicate in wanted:
                mask = predicate.mask(tokens)
                found[predicate].append(DocumentRelevance.measure(maps, mask))
        config = self._subject.model.config
        shape = config.layers, config.heads
        for predicate, documents in found.items():
            self._found[str(predicate)] = Relevance.over(documents, shape)
        self._write()

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


def read_tokens(subject: Subject, classes: TokenClasses, number: int) -> Tokens:
    """The tokens of a document of the store as predicates see them."""
    example = subject.store[number]
    return classes.read(torch.from_numpy(example.token_ids), torch.from_numpy(example.sentence_ids))
