"""Every head's importance over the shown documents: computed once, document by document."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from training.fit.batches import make_batch
from training.mining.explorer.exhibit import Exhibit, token_layers
from training.mining.head_grid import from_rows, to_rows
from training.mining.importance import (
    SCORES,
    DocumentImportance,
    measure_importance,
    summarize_importance,
)

_FORMAT = 1
_N_RESAMPLES = 2_000


def open_importance(
    exhibit: Exhibit, model_sha256: str, *, show_progress: bool = True
) -> dict[str, Any]:
    """Read the heads' importance, or compute what of it is missing.

    Each document is written down as soon as it is measured, so that a start that was stopped goes
    on there.

    Args:
        exhibit: the model and its documents.
        model_sha256: figures of another model are not read.
        show_progress: draw a bar on stderr while computing.

    Returns:
        JSON: by name of the score `mean`, `low` and `high`, each by layer and head; null where a
        layer has no such head.
    """
    path = exhibit.folder / "importance.jsonl"
    key = {"format": _FORMAT, "model": model_sha256, "source": exhibit.source}
    measured = _read(path, key)
    wanted = [int(number) for number in exhibit.shown if int(number) not in measured]
    if wanted:
        path.parent.mkdir(parents=True, exist_ok=True)
        if not measured:
            path.write_text(json.dumps(key) + "\n", encoding="utf-8")
        bar = tqdm(wanted, desc="importance", unit=" documents", disable=not show_progress)
        with path.open("a", encoding="utf-8") as file, _learning(exhibit):
            for number in bar:
                batch = make_batch(exhibit.store, np.array([number]))
                measured[number] = measure_importance(exhibit.model, batch)
                file.write(json.dumps(_to_json(number, measured[number])) + "\n")
                file.flush()
    shown = [measured[int(number)] for number in exhibit.shown]
    importance = summarize_importance(shown, {"n": len(shown)}, _N_RESAMPLES, 0)
    return {name: importance.grids[name].to_json() for name in SCORES}


@contextmanager
def _learning(exhibit: Exhibit) -> Iterator[None]:
    """Let the attention's weights take gradients for a while."""
    attentions = [layer.attention for layer in token_layers(exhibit.model)]
    for attention in attentions:
        attention.requires_grad_(True)
    try:
        yield
    finally:
        for attention in attentions:
            attention.requires_grad_(False)


def _to_json(number: int, one: DocumentImportance) -> dict[str, Any]:
    scores = {name: to_rows(getattr(one, name), n_digits=17) for name in SCORES}
    return {"number": number, "loss": one.loss, **scores}


def _read(path: Path, key: dict[str, Any]) -> dict[int, DocumentImportance]:
    """What was measured of this model, by document; nothing if the file cannot be read."""
    measured = {}
    try:
        with path.open(encoding="utf-8") as file:
            if json.loads(file.readline()) != key:
                return {}
            for line in file:
                row = json.loads(line)
                taylor, michel = from_rows(row["taylor"]), from_rows(row["michel"])
                measured[row["number"]] = DocumentImportance(taylor, michel, row["loss"])
    except (OSError, ValueError, KeyError, TypeError):
        return {}  # computed anew
    return measured
