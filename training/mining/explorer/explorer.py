"""The explorer behind its page: everything that the page can ask, without HTTP."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from service.errors import DataError
from training.mining.candidates import LIBRARY
from training.mining.decisions import JudgedModel, Verdict
from training.mining.explorer.attention_maps import DocumentMaps, MapCache
from training.mining.explorer.board import Board, name_in_file
from training.mining.explorer.document_view import first_words, view_document
from training.mining.explorer.exhibit import Exhibit
from training.mining.explorer.head_change import Change, HeadChange, check_changes
from training.mining.explorer.head_importance import open_importance
from training.mining.explorer.jobs import Job, Jobs
from training.mining.explorer.overview import open_overview
from training.mining.explorer.relevance_table import RelevanceTable
from training.mining.explorer.what_if import measure_changes
from training.mining.head_counts import check_head
from training.mining.head_grid import to_rows
from training.mining.predicates import Not, Predicate, parse
from training.model.patterns import Unmatched

THUMBNAIL_SIZE = 48


class Explorer:
    """One model, its documents, and what a person does with them.

    What takes long once (scores of all documents, importance of all heads) is read from the run
    folder, or computed here with a progress bar.

    Args:
        exhibit: the model and its documents.
        decisions_path: the decisions file.
        by: who decides.
        show_progress: draw bars on stderr.

    Raises:
        DataError: the decisions file is none, or about other documents.
        CheckpointError: it is about another model.
    """

    def __init__(
        self, exhibit: Exhibit, decisions_path: Path, by: str, *, show_progress: bool = True
    ) -> None:
        self.exhibit = exhibit
        judged = JudgedModel.describe(exhibit.model)
        self.board = Board(decisions_path, judged, exhibit.source, by)
        self.jobs = Jobs()
        self._model_sha256 = judged.sha256
        self._overview = open_overview(exhibit, judged.sha256, show_progress=show_progress)
        self._importance = open_importance(exhibit, judged.sha256, show_progress=show_progress)
        self._table = RelevanceTable(exhibit, judged.sha256)
        self._maps = MapCache(exhibit)
        self._first_words = {int(n): first_words(exhibit.store, int(n)) for n in exhibit.shown}
        self._maps.of(int(exhibit.shown[0]))  # the first view is there at once

    def close(self) -> None:
        """End the jobs."""
        self.jobs.close()

    def describe(self) -> dict[str, Any]:
        """What the page needs first."""
        config = self.exhibit.model.config
        n_tokens = self.exhibit.store.n_tokens()
        held = [self._overview.rouge1[int(number)] for number in self.exhibit.held]
        return {
            "run": self.exhibit.folder.resolve().parents[1].name,
            "stage": self.exhibit.name,
            "model": self._model_sha256[:12],
            "source": self.exhibit.source,
            "layers": config.layers,
            "heads": list(config.heads_by_layer),
            "plan": [[None if p is None else str(p) for p in row] for row in config.plan],
            "origins": self.exhibit.origins,
            "thumbnailSize": THUMBNAIL_SIZE,
            "nHeld": len(self.exhibit.held),
            "heldRouge1": float(np.mean(held)),
            "importance": self._importance,
            "library": list(LIBRARY),
            "documents": [
                {
                    "number": number,
                    "firstWords": words,
                    "nTokens": int(n_tokens[number]),
                    "rouge1": round(self._overview.rouge1[number], 2),
                }
                for number, words in self._first_words.items()
            ],
        }

    def view(self, number: int) -> dict[str, Any]:
        """One document for reading; it then counts as looked at."""
        logits = self._overview.logits[self._check(number)]
        view = view_document(self.exhibit.store, number, self.exhibit.tokenizer, logits)
        self.board.look_at(number)
        return {**view, "rouge1": self._overview.rouge1[number]}

    def thumbnails(self, number: int) -> bytes:
        """See `DocumentMaps.thumbnail_bytes`."""
        return self._maps_of(number).thumbnail_bytes(THUMBNAIL_SIZE)

    def head(self, number: int, layer: int, head: int) -> bytes:
        """See `DocumentMaps.row_bytes`.

        Raises:
            DataError: no such document or head.
        """
        check_head(self.exhibit.model.config.heads_by_layer, layer, head)
        return self._maps_of(number).row_bytes(layer, head)

    def parse(self, text: str) -> dict[str, Any]:
        """Read a predicate.

        Raises:
            PredicateError: it is none.
        """
        predicate = parse(text)
        measured = self._table.get(predicate)
        return {
            "text": str(predicate),
            "description": predicate.describe(),
            "name": name_in_file(predicate),
            "over": None if measured is None else measured.to_json(),
        }

    def matches(self, number: int, text: str) -> bytes:
        """The pairs that a predicate holds for: tokens x tokens bits, row by row, padded to bytes.

        Raises:
            PredicateError: it is none.
            DataError: no such document.
        """
        predicate = parse(text)
        mask = predicate.mask(self.exhibit.tokens(self._check(number)))
        return np.packbits(mask.numpy().reshape(-1)).tobytes()

    def relevance(self, number: int, text: str) -> dict[str, Any]:
        """How relevant a predicate is to every head in one document.

        Raises:
            PredicateError: it is none.
            DataError: no such document.
        """
        return self._measure(parse(text), number)

    def residual(self, number: int) -> dict[str, Any] | None:
        """The attention of every head that no accepted pattern explains; None without a pattern."""
        explained = self.board.explained()
        return None if explained is None else self._measure(Not(explained), number)

    def measured(self) -> dict[str, Any]:
        """What was measured over all shown documents, by predicate."""
        return self._table.to_json()

    def start_relevance(self, texts: Sequence[str]) -> Job:
        """Measure predicates over all shown documents.

        Raises:
            PredicateError: one is none.
        """
        predicates = [parse(text) for text in texts]

        def work(job: Job) -> dict[str, Any]:
            self._table.measure(predicates, job.track)
            found = {str(item): self._table.get(item) for item in predicates}
            return {text: row.to_json() for text, row in found.items() if row is not None}

        what = str(predicates[0]) if len(predicates) == 1 else f"{len(predicates)} predicates"
        return self.jobs.start(f"GR of {what} in the {self.exhibit.name}", work)

    def start_what_if(self, changes: Sequence[HeadChange]) -> Job:
        """Measure the model with some heads changed.

        Raises:
            DataError: the changes are not possible.
        """
        check_changes(self.exhibit.model, changes)
        logits = self._overview.logits

        def work(job: Job) -> dict[str, Any]:
            return measure_changes(self.exhibit, changes, logits, job)

        return self.jobs.start(f"What if: {_name(changes)}", work)

    def decide(self, layer: int, head: int, text: str, verdict: Verdict, note: str) -> None:
        """Write a decision down.

        Raises:
            PredicateError: the text is no predicate.
            DataError: it was not measured yet, no token has a match, or there is no such head.
        """
        predicate = parse(text)
        measured = self._table.get(predicate)
        if measured is None:
            raise DataError(
                f"expected a predicate that was measured over the documents, got {text!r}; measure "
                "it first"
            )
        self.board.decide(layer, head, predicate, verdict, note, measured)

    def take_back(self, layer: int, head: int, text: str) -> None:
        """Forget a decision.

        Raises:
            PredicateError: the text is no predicate.
        """
        self.board.take_back(layer, head, parse(text))

    def describe_board(self) -> dict[str, Any]:
        """The decisions, and for each pattern the share of pairs that it leaves."""
        board = self.board.to_json()
        for row in board["decisions"]:
            measured = self._table.get(parse(row["predicate"]))
            row["density"] = None if measured is None else measured.density
        return board

    def _maps_of(self, number: int) -> DocumentMaps:
        return self._maps.of(self._check(number))

    def _measure(self, predicate: Predicate, number: int) -> dict[str, Any]:
        """`relevance` by layer and head, null where no token has a match, and `uniform`."""
        maps = self._maps_of(number)
        mask = predicate.mask(self.exhibit.tokens(number))
        relevance = maps.relevance(mask)
        has_place = mask.any(dim=-1)
        return {
            "relevance": None if relevance is None else to_rows(relevance),
            "uniform": float(mask[has_place].float().mean()) if has_place.any() else 0.0,
        }

    def _check(self, number: int) -> int:
        """Raise if a document is not among those shown."""
        if number not in self._first_words:
            raise DataError(
                f"expected a document from 0 to {len(self._first_words) - 1}, got {number}"
            )
        return number


def read_change(
    layer: int, head: int, change: Change, predicate: str | None, unmatched: Unmatched
) -> HeadChange:
    """Make a change from what the page sends.

    Raises:
        PredicateError: the predicate's text is none.
    """
    parsed = None if predicate is None else parse(predicate)
    return HeadChange(layer, head, change, parsed, unmatched)


def _name(changes: Sequence[HeadChange]) -> str:
    if len(changes) > 1:
        return f"{len(changes)} heads"
    only = changes[0]
    to = "" if only.predicate is None else f" to {only.predicate}"
    return f"{only.change} layer {only.layer}, head {only.head}{to}"
