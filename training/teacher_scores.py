"""The teacher's scores of training documents: what the student's listwise loss follows, on disk.

One .npz file holds

    numbers    (documents,) int64 place of each document in its store
    lengths    (documents,) int64 sentences of each
    logits     (all sentences,) float32, one document after the other
    origin     what scored what: the hash of the teacher's tensors, and the source of the documents
               with the fingerprint of what encoded them; the precision where it is not float32
"""

import time
import zipfile
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from tqdm import tqdm

from service.errors import TrainingError
from training.data.examples import ExampleStore
from training.fit.validation import score_documents
from training.model.extractive_model import ExtractiveModel

ScoresByDocument = dict[int, npt.NDArray[np.float32]]

# Documents between two looks at the clock: seconds of work, and enough to batch by length.
_ROUND = 256
# A kill costs at most a minute of scoring; writing takes milliseconds.
_SAVE_EVERY_S = 60.0


def draw_documents(n_documents: int, n: int, seed: int) -> npt.NDArray[np.int64]:
    """Draw the documents to score, from all there are.

    Those that a fit shows first would be seen during the warm-up only, when nothing is learned yet.

    Args:
        n_documents: how many there are.
        n: how many to draw; all where there are fewer.
        seed: of the draw.

    Returns:
        (documents,) int64 places in the store, ascending.
    """
    return np.sort(np.random.default_rng(seed).permutation(n_documents)[:n])


def score_with_teacher(
    teacher: ExtractiveModel,
    teacher_sha256: str,
    store: ExampleStore,
    numbers: npt.NDArray[np.int64],
    path: Path,
    batch_tokens: int,
    precision: str = "float32",
) -> ScoresByDocument:
    """Score some documents, or those of them that a call which was stopped has not scored.

    Args:
        teacher: the fitted teacher.
        teacher_sha256: hash of its tensors, to know its scores by.
        store: training examples.
        numbers: (documents,) which ones.
        path: file of the scores; scores of another teacher or other documents are replaced.
        batch_tokens: most padded tokens of a batch.
        precision: "float32" or "bfloat16" (autocast).

    Returns:
        By document number, (sentences,) float32 logits.

    Raises:
        TrainingError: a score is not finite; the loss would pass over its document in silence.
    """
    origin = f"{teacher_sha256} {store.description['source']}"
    origin += f" {store.description['fingerprint']}"
    origin += "" if precision == "float32" else f" {precision}"
    wanted = set(numbers.tolist())
    scored = {n: row for n, row in read_scores(path, origin).items() if n in wanted}
    missing = np.array([n for n in numbers.tolist() if n not in scored], dtype=np.int64)
    if not len(missing):
        return scored
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    teacher = teacher.to(device)
    saved = time.monotonic()
    with tqdm(
        total=len(numbers), initial=len(scored), desc="teacher scores", unit=" documents"
    ) as bar:
        for at in range(0, len(missing), _ROUND):
            chosen = missing[at : at + _ROUND]
            found = score_documents(
                teacher, store, chosen, batch_tokens, device, bar, precision=precision
            )
            _refuse_unless_finite(found)
            scored |= found
            if time.monotonic() - saved > _SAVE_EVERY_S:
                write_scores(scored, path, origin)
                saved = time.monotonic()
    write_scores(scored, path, origin)
    return scored


def write_scores(scores: ScoresByDocument, path: Path, origin: str) -> None:
    """Write scores; a kill at any time leaves the old file or the new one, whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".draft.npz")
    np.savez(
        draft,
        numbers=np.array(list(scores), dtype=np.int64),
        lengths=np.array([len(row) for row in scores.values()], dtype=np.int64),
        logits=np.concatenate([*scores.values(), np.zeros(0, dtype=np.float32)]),
        origin=np.array(origin),
    )
    draft.replace(path)


def read_scores(path: Path, origin: str) -> ScoresByDocument:
    """Read scores.

    Args:
        path: a file of `write_scores`, or none.
        origin: what must have scored what.

    Returns:
        By document number, (sentences,) float32 logits; empty when there is no file, it is damaged,
        or its scores are of another origin: they can be made again.
    """
    try:
        with path.open("rb") as raw, np.load(raw) as file:
            if str(file["origin"]) != origin:
                return {}
            ends = np.cumsum(file["lengths"])[:-1]
            rows = np.split(file["logits"], ends)
            return dict(zip(file["numbers"].tolist(), rows, strict=True))
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return {}


def _refuse_unless_finite(scores: ScoresByDocument) -> None:
    for number, row in scores.items():
        if not np.isfinite(row).all():
            raise TrainingError(
                f"expected finite scores of the teacher, got {row.tolist()} for training document "
                f"{number}; fit the teacher again at lower rates"
            )
