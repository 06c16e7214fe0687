"""What a change of heads costs or gains on the held documents: loss and ROUGE-1."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from training.data.examples import ExampleStore
from training.evaluate.significance import Interval, paired_differences
from training.fit.batches import make_batch
from training.fit.losses import label_loss
from training.fit.validation import mean_rouge
from training.mining.explorer.exhibit import Exhibit
from training.mining.explorer.head_change import HeadChange, changed_heads, check_changes, to_json
from training.mining.explorer.jobs import Job


def measure_changes(
    exhibit: Exhibit,
    changes: Sequence[HeadChange],
    before: Mapping[int, npt.NDArray[np.float32]],
    job: Job,
) -> dict[str, Any]:
    """Measure a model with some heads changed on the held documents, beside itself unchanged.

    Args:
        exhibit: the model and its documents.
        changes: all made at once.
        before: (sentences,) float32 logits of the unchanged model by held document.
        job: counts the documents.

    Returns:
        JSON: the changes, `n` documents, and for `loss` (cross entropy to the oracle's choice) and
        `rouge1` (F1, 0 to 100) the means `before` and `after`, and their difference with the 95 %
        interval of its paired bootstrap over documents.

    Raises:
        DataError: the changes are not possible in this model.
        Cancelled: the person stopped it.
    """
    check_changes(exhibit.model, changes)
    rows = []
    for number in job.track([int(n) for n in exhibit.held], len(exhibit.held)):
        batch = make_batch(exhibit.store, np.array([number]))
        tokens = exhibit.tokens(number)
        record = exhibit.model.new_record()
        with (
            exhibit.lock,
            torch.inference_mode(),
            changed_heads(exhibit.model, changes, tokens),
        ):
            after = exhibit.model(batch.token_ids, batch.sentence_ids, record)[0].numpy()
        rows.append(
            [
                *measure_logits(exhibit.store, number, before[number]),
                *measure_logits(exhibit.store, number, after),
            ]
        )
    figures = np.array(rows)  # documents, (loss, rouge1) before and after
    differences = paired_differences(figures[:, 2:], figures[:, :2], n_resamples=2_000)
    means = figures.mean(axis=0)
    return {
        "changes": to_json(changes),
        "n": len(rows),
        "loss": _report(means[0], means[2], differences[0]),
        "rouge1": _report(means[1], means[3], differences[1]),
    }


def measure_logits(
    store: ExampleStore, number: int, logits: npt.NDArray[np.float32]
) -> tuple[float, float]:
    """Loss and ROUGE-1 (0 to 100) of one document's logits, (sentences,) float32."""
    batch = make_batch(store, np.array([number]))
    loss = label_loss(torch.from_numpy(logits)[None], batch, 0.0)
    return float(loss), float(mean_rouge({number: logits}, store)[0])


def _report(before: float, after: float, difference: Interval) -> dict[str, float]:
    return {
        "before": float(before),
        "after": float(after),
        "difference": difference.estimate,
        "low": difference.low,
        "high": difference.high,
    }
