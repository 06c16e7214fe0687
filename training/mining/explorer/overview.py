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
_DOCUMENTS_AT_A_TIME = 32

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
    """Read the overview of an exhibit, or compute what of it is missing.

    Some documents at a time are written down, so that a start that was stopped goes on there.

    Args:
        exhibit: the model and its documents.
        model_sha256: an overview of another model is not read.
        show_progress: draw a bar on stderr while computing.
    """
    path = exhibit.folder / "overview.json"
    key = {"format": _FORMAT, "model": model_sha256, "source": exhibit.source}
    overview = _read(path, key)
    numbers = np.concatenate([exhibit.shown, exhibit.held])
    wanted = np.array([n for n in numbers if int(n) not in overview.logits], dtype=np.int64)
    with tqdm(
        total=len(wanted),
        desc=f"{exhibit.name} reads",
        unit=" documents",
        disable=not (show_progress and len(wanted)),
    ) as bar:
        for at in range(0, len(wanted), _DOCUMENTS_AT_A_TIME):
            some = wanted[at : at + _DOCUMENTS_AT_A_TIME]
            logits = score_documents(
                exhibit.model, exhibit.store, some, _BATCH_TOKENS, torch.device("cpu"), bar
            )
            overview.logits.update(logits)
            for number, scored in logits.items():
                rouge1 = mean_rouge({number: scored}, exhibit.store)[0]
                overview.rouge1[number] = float(rouge1)
            _write(path, key, overview)
    return overview


def _read(path: Path, key: dict[str, Any]) -> Overview:
    """What is kept of this model; empty if the file cannot be read."""
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
        if table["key"] != key:
            return Overview({}, {})
        rows = table["documents"]
        return Overview(
            {row["number"]: np.array(row["logits"], dtype=np.float32) for row in rows},
            {row["number"]: row["rouge1"] for row in rows},
        )
    except (OSError, ValueError, KeyError, TypeError):
        return Overview({}, {})  # computed anew


def _write(path: Path, key: dict[str, Any], overview: Overview) -> None:
    rows = [
        {"number": n, "rouge1": overview.rouge1[n], "logits": logits.tolist()}
        for n, logits in sorted(overview.logits.items())
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".draft")
    draft.write_text(json.dumps({"key": key, "documents": rows}), encoding="utf-8")
    draft.replace(path)
