"""Does the exported model still say what the trained one said?

torch, float ONNX     scores equal within a tolerance
float ONNX, int8      the same ranking (Kendall tau) and the same ROUGE-1
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime
import torch
from tqdm import tqdm

from service.errors import ExportError
from training.data.examples import ExampleStore
from training.evaluate.rank_agreement import kendall_tau
from training.fit.validation import mean_rouge
from training.model.extractive_model import ExtractiveModel

_INT8_HINT = (
    ". Few documents can miss by chance: compare more (--verify-documents), or pack the unrounded "
    "form (--weights float32)"
)


@dataclass(frozen=True)
class Limits:
    """How far apart the forms of one model may be.

    Attributes:
        max_score_difference: largest difference of a score between torch and float ONNX.
        min_kendall_tau: least mean rank agreement of int8 with float.
        max_rouge1_loss: most mean ROUGE-1 (0 to 100) that int8 may lose.
    """

    max_score_difference: float = 1e-4
    min_kendall_tau: float = 0.95
    max_rouge1_loss: float = 0.15


@dataclass(frozen=True)
class Verification:
    """What was measured; see `Limits` for the units.

    Attributes:
        documents: how many documents were compared.
        score_difference: largest, torch against float ONNX.
        kendall_tau: mean over documents, int8 against float ONNX.
        rouge1_float: mean ROUGE-1 of float ONNX.
        rouge1_int8: mean ROUGE-1 of int8.
    """

    documents: int
    score_difference: float
    kendall_tau: float
    rouge1_float: float
    rouge1_int8: float

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        return asdict(self)


def verify(
    model: ExtractiveModel,
    float_path: Path,
    int8_path: Path,
    store: ExampleStore,
    numbers: Sequence[int],
    limits: Limits | None = None,
) -> Verification:
    """Compare the three forms of one model on some documents.

    Args:
        model: as trained.
        float_path: its float ONNX file.
        int8_path: its int8 ONNX file.
        store: prepared examples.
        numbers: which documents.
        limits: how far apart they may be; the defaults when not given.

    Returns:
        What was measured.

    Raises:
        ExportError: past a limit; says which, and what was measured.
    """
    limits = limits or Limits()
    sessions = [_open(float_path), _open(int8_path)]
    model.eval()
    differences, taus = [], []
    scored: list[dict[int, npt.NDArray[np.float32]]] = [{}, {}]
    for number in tqdm(numbers, desc="verify", unit=" documents"):
        example = store[number]
        inputs = {"token_ids": example.token_ids, "sentence_ids": example.sentence_ids}
        with torch.inference_mode():
            logits = model(*(torch.from_numpy(array)[None] for array in inputs.values()))
        for found, session in zip(scored, sessions, strict=True):
            found[number] = session.run(["scores"], inputs)[0]
            _refuse_non_finite(number, found[number])
        differences.append(np.abs(torch.sigmoid(logits)[0].numpy() - scored[0][number]).max())
        if len(example.soft_labels) > 1:
            taus.append(kendall_tau(scored[0][number], scored[1][number]))
    rouge = [float(mean_rouge(found, store)[0]) for found in scored]
    result = Verification(
        documents=len(numbers),
        score_difference=float(np.max(differences)),
        kendall_tau=float(np.mean(taus)) if taus else 1.0,
        rouge1_float=rouge[0],
        rouge1_int8=rouge[1],
    )
    _refuse_past(limits, result)
    return result


def _refuse_non_finite(number: int, scores: npt.NDArray[np.float32]) -> None:
    if not np.isfinite(scores).all():
        raise ExportError(
            f"expected finite scores, got {scores} for validation document {number}; "
            "the trained weights or their rounding are broken, and nothing was packed"
        )


def _refuse_past(limits: Limits, result: Verification) -> None:
    loss = result.rouge1_float - result.rouge1_int8
    checks = (
        ("score difference, torch to ONNX", result.score_difference, limits.max_score_difference),
        ("1 - Kendall tau, float to int8", 1 - result.kendall_tau, 1 - limits.min_kendall_tau),
        ("ROUGE-1 lost, float to int8", loss, limits.max_rouge1_loss),
    )
    for name, measured, limit in checks:
        if not measured <= limit:
            hint = _INT8_HINT if name.endswith("int8") else ""
            raise ExportError(
                f"{name}: expected at most {limit:.4g}, got {measured:.4g} over "
                f"{result.documents} documents; nothing was packed{hint}"
            )


def _open(path: Path) -> onnxruntime.InferenceSession:
    return onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
