"""Validation while fitting: mean ROUGE of the top three sentences over some prepared documents."""

from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from service.text.select import LengthRule, Order, Redundancy, in_order, select_sentences
from training.data.examples import ExampleStore
from training.evaluate.rouge import rouge_scores
from training.fit.batches import iterate_in_order, make_batch
from training.model.extractive_model import ExtractiveModel

_RULE = LengthRule(sentence_count=3)


def score_documents(
    model: ExtractiveModel,
    store: ExampleStore,
    numbers: npt.NDArray[np.int64],
    batch_tokens: int,
    device: torch.device,
    progress: Any = None,
    *,
    precision: str = "float32",
) -> dict[int, npt.NDArray[np.float32]]:
    """Score some documents with a model in eval mode.

    Args:
        model: on `device`.
        store: prepared examples.
        numbers: (documents,) which ones.
        batch_tokens: most padded tokens of a batch.
        device: where the model is.
        progress: a tqdm bar that counts documents, or None.
        precision: "float32" or "bfloat16" (autocast).

    Returns:
        By document number, (sentences,) float32 logits.
    """
    was_training = model.training
    model.eval()
    scored: dict[int, npt.NDArray[np.float32]] = {}
    with torch.inference_mode():
        for group in iterate_in_order(store.n_tokens(), numbers, batch_tokens):
            batch = make_batch(store, group).to(device)
            with torch.autocast(device.type, torch.bfloat16, enabled=precision == "bfloat16"):
                logits = model(batch.token_ids, batch.sentence_ids)
            logits = logits.float().cpu().numpy()
            for row, number in enumerate(group):
                scored[int(number)] = logits[row, : int(batch.mask[row].sum())]
            if progress is not None:
                progress.update(len(group))
    model.train(was_training)
    return scored


def mean_rouge(
    scored: dict[int, npt.NDArray[np.float32]],
    store: ExampleStore,
    redundancy: Redundancy = Redundancy.TRIGRAM,
) -> npt.NDArray[np.float64]:
    """Mean ROUGE-1, -2, -L F1 (0 to 100) of the selected sentences.

    Args:
        scored: by document number, (sentences,) float32 logits.
        store: the documents' texts.
        redundancy: how sentences that repeat others are passed over.

    Returns:
        (3,) float64.
    """
    mean: npt.NDArray[np.float64] = rouge_by_document(scored, store, redundancy).mean(axis=0)
    return mean


def rouge_by_document(
    scored: dict[int, npt.NDArray[np.float32]],
    store: ExampleStore,
    redundancy: Redundancy = Redundancy.TRIGRAM,
) -> npt.NDArray[np.float64]:
    """ROUGE-1, -2, -L F1 (0 to 100) of each document's selected sentences.

    Args:
        scored: by document number, (sentences,) float32 logits.
        store: the documents' texts.
        redundancy: how sentences that repeat others are passed over.

    Returns:
        (documents, 3) float64, in the order of `scored`.
    """
    figures = []
    for number, logits in scored.items():
        row = store.article(number)
        chosen = select_sentences(logits, row["sentences"], _RULE, redundancy)
        summary = [row["sentences"][index] for index in in_order(chosen, Order.OFFSET)]
        figures.append(rouge_scores(summary, row["summary"]))
    return np.array(figures, dtype=np.float64)


def lead_logits(
    store: ExampleStore, numbers: npt.NDArray[np.int64]
) -> dict[int, npt.NDArray[np.float32]]:
    """Scores that rank the sentences in document order: Lead-3, to compare with."""
    return {
        int(number): -np.arange(len(store[int(number)].soft_labels), dtype=np.float32)
        for number in numbers
    }
