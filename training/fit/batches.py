"""Batches of prepared examples: documents of like length together, in an order a seed decides."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from training.data.examples import ExampleStore

# Documents sorted by length together: enough for batches with little padding, few enough that a
# batch is not always of the same documents.
_POOL = 1_024


@dataclass(frozen=True)
class Batch:
    """Documents padded to one length.

    Attributes:
        numbers: (documents,) place of each in its store.
        token_ids: (documents, tokens) int64.
        sentence_ids: (documents, tokens) int64, -1 for padding.
        soft_labels: (documents, sentences) float32 in [0, 1], 0 where there is no sentence; NaN
            for the sentences of a document without a summary.
        mask: (documents, sentences) bool, True for a sentence.
        teacher_logits: (documents, sentences) float32, or None; NaN where the teacher has not
            scored.
    """

    numbers: npt.NDArray[np.int64]
    token_ids: Tensor
    sentence_ids: Tensor
    soft_labels: Tensor
    mask: Tensor
    teacher_logits: Tensor | None = None

    def to(self, device: torch.device) -> "Batch":
        """The same batch on another device."""
        logits = None if self.teacher_logits is None else self.teacher_logits.to(device)
        return Batch(
            self.numbers,
            self.token_ids.to(device),
            self.sentence_ids.to(device),
            self.soft_labels.to(device),
            self.mask.to(device),
            logits,
        )


def make_batch(
    store: ExampleStore,
    numbers: npt.NDArray[np.int64],
    teacher_logits: dict[int, npt.NDArray[np.float32]] | None = None,
) -> Batch:
    """Pad some documents of a store to one length.

    Args:
        store: prepared examples.
        numbers: (documents,) which ones.
        teacher_logits: by document number, (sentences,) float32.

    Returns:
        The batch, on the CPU.
    """
    examples = [store[int(number)] for number in numbers]
    n_tokens = max(len(example.token_ids) for example in examples)
    n_sentences = max(len(example.soft_labels) for example in examples)
    token_ids = np.zeros((len(examples), n_tokens), dtype=np.int64)
    sentence_ids = np.full((len(examples), n_tokens), -1, dtype=np.int64)
    soft = np.zeros((len(examples), n_sentences), dtype=np.float32)
    mask = np.zeros((len(examples), n_sentences), dtype=bool)
    logits = np.full((len(examples), n_sentences), np.nan, dtype=np.float32)
    for row, example in enumerate(examples):
        token_ids[row, : len(example.token_ids)] = example.token_ids
        sentence_ids[row, : len(example.sentence_ids)] = example.sentence_ids
        soft[row, : len(example.soft_labels)] = example.soft_labels
        mask[row, : len(example.soft_labels)] = True
        scored = (teacher_logits or {}).get(int(numbers[row]))
        if scored is not None:
            logits[row, : len(scored)] = scored
    return Batch(
        numbers=numbers,
        token_ids=torch.from_numpy(token_ids),
        sentence_ids=torch.from_numpy(sentence_ids),
        soft_labels=torch.from_numpy(soft),
        mask=torch.from_numpy(mask),
        teacher_logits=torch.from_numpy(logits) if teacher_logits is not None else None,
    )


def plan_epoch(
    n_tokens: npt.NDArray[np.int64], batch_tokens: int, seed: int, epoch: int
) -> list[npt.NDArray[np.int64]]:
    """Decide one epoch's batches.

    Documents are shuffled, sorted by length within pools of about a thousand, cut into batches of
    at most `batch_tokens` padded tokens, and the batches shuffled.

    Args:
        n_tokens: (documents,) length of each document.
        batch_tokens: most tokens of a batch, padding included; a longer document is a batch alone.
        seed: of the experiment.
        epoch: from 0.

    Returns:
        Document numbers, one array a batch; every document exactly once.
    """
    generator = np.random.default_rng([seed, epoch])
    order = generator.permutation(len(n_tokens))
    batches: list[npt.NDArray[np.int64]] = []
    for at in range(0, len(order), _POOL):
        pool = order[at : at + _POOL]
        pool = pool[np.argsort(n_tokens[pool], kind="stable")]
        batches += _cut(pool, n_tokens, batch_tokens)
    return [batches[number] for number in generator.permutation(len(batches))]


def iterate_in_order(
    n_tokens: npt.NDArray[np.int64], numbers: npt.NDArray[np.int64], batch_tokens: int
) -> Iterator[npt.NDArray[np.int64]]:
    """Batch the given documents by length, for scoring; the order is fixed."""
    by_length = numbers[np.argsort(n_tokens[numbers], kind="stable")]
    yield from _cut(by_length, n_tokens, batch_tokens)


def _cut(
    numbers: npt.NDArray[np.int64], n_tokens: npt.NDArray[np.int64], batch_tokens: int
) -> list[npt.NDArray[np.int64]]:
    """Cut documents sorted by length into batches."""
    batches: list[npt.NDArray[np.int64]] = []
    begin = 0
    for end in range(1, len(numbers) + 1):
        is_last = end == len(numbers)
        if is_last or (end + 1 - begin) * n_tokens[numbers[end]] > batch_tokens:
            batches.append(numbers[begin:end])
            begin = end
    return batches
