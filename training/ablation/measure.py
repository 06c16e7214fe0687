"""What one model scores on every validation document, with trigram blocking and without."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from service.text.select import Redundancy
from training.data.examples import ExampleStore
from training.fit.validation import lead_logits, rouge_by_document, score_documents
from training.model.extractive_model import ExtractiveModel


@dataclass(frozen=True, eq=False)
class Measured:
    """ROUGE-1, -2, -L F1 (0 to 100) of three sentences of each validation document.

    Attributes:
        blocked: (documents, 3) float64, with trigram blocking.
        unblocked: (documents, 3) float64, without.
    """

    blocked: npt.NDArray[np.float64]
    unblocked: npt.NDArray[np.float64]


def measure_model(model: ExtractiveModel, store: ExampleStore, batch_tokens: int) -> Measured:
    """Measure a model on all documents of a store.

    Args:
        model: moved to where torch computes.
        store: the documents.
        batch_tokens: most padded tokens of a batch.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    numbers = np.arange(len(store))
    scored = score_documents(model.to(device), store, numbers, batch_tokens, device)
    return _measure({number: scored[number] for number in numbers.tolist()}, store)


def measure_lead(store: ExampleStore) -> Measured:
    """Measure Lead-3 on all documents of a store."""
    return _measure(lead_logits(store, np.arange(len(store))), store)


def write_measured(measured: Measured, path: Path) -> None:
    """Write figures; a kill at any time leaves no file or a whole one."""
    table = {"blocked": measured.blocked.tolist(), "unblocked": measured.unblocked.tolist()}
    draft = path.with_suffix(".draft")
    draft.write_text(json.dumps(table) + "\n", encoding="utf-8")
    draft.replace(path)


def read_measured(path: Path) -> Measured:
    """Read figures of `write_measured`."""
    table = json.loads(path.read_text(encoding="utf-8"))
    return Measured(np.array(table["blocked"]), np.array(table["unblocked"]))


def _measure(scored: dict[int, npt.NDArray[np.float32]], store: ExampleStore) -> Measured:
    return Measured(
        rouge_by_document(scored, store, Redundancy.TRIGRAM),
        rouge_by_document(scored, store, Redundancy.NONE),
    )
