"""What the model makes of every document: computed once, then kept in the run folder."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from tqdm import tqdm

from training.fit.validation import mean_rouge, score_documents
from training.mining.explorer.exhibit import Exhibit

_FORMAT = 1
_BATCH_TOKENS = 4_096

Logits = dict[int, npt.NDArray[np.float32]]


@dataclass(frozen=True, eq=False)
class Overview:
    """What a model makes of the documents.

    Attributes:
        logits: (sentences,) float32 by document, of those shown and those held.
        rouge1: F1 (0 to 100) of the model's summary by document.
    """

    logits: Logits
    rouge1: dict[int, float]


def open_overview(exhibit: Exhibit, model_sha256: str, *, show_progress: bool = True) -> Overview:
    """Read the overview of an exhibit, or compute it and keep it.

    Args:
        exhibit: the model and its documents.
        model_sha256: an overview of another model is not read.
        show_progress: draw a bar on stderr while computing.
    """
    path = exhibit.folder / "overview.json"
    key = {
        "format": _FORMAT,
        "model": model_sha256,
        "source": exhibit.source,
        "documents": [len(exhibit.shown), len(exhibit.held)],
    }
    kept = _read(path, key)
    if kept is not None:
        return kept
    numbers = np.concatenate([exhibit.shown, exhibit.held])
    with tqdm(
        total=len(numbers),
        desc=f"{exhibit.name} reads",
        unit=" documents",
        disable=not show_progress,
    ) as bar:
        logits = score_documents(
            exhibit.model, exhibit.store, numbers, _BATCH_TOKENS, torch.device("cpu"), bar
        )
    rouge1 = {n: float(mean_rouge({n: logits[n]}, exhibit.store)[0]) for n in logits}
    _write(path, key, Overview(logits, rouge1))
    return Overview(logits, rouge1)


def _read(path: Path, key: dict[str, Any]) -> Overview | None:
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
        if table["key"] != key:
            return None
        rows = table["documents"]
        return Overview(
            {row["number"]: np.array(row["logits"], dtype=np.float32) for row in rows},
            {row["number"]: row["rouge1"] for row in rows},
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None  # computed anew


def _write(path: Path, key: dict[str, Any], overview: Overview) -> None:
    rows = [
        {"number": n, "rouge1": overview.rouge1[n], "logits": logits.tolist()}
        for n, logits in sorted(overview.logits.items())
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".draft")
    draft.write_text(json.dumps({"key": key, "documents": rows}), encoding="utf-8")
    draft.replace(path)
