"""How sure a mean over documents is: percentile bootstrap, paired to compare two systems."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from service.errors import ShapeError

ScoreArray: TypeAlias = NDArray[np.float64]

# Draws held at a time: bounds memory to some 64 MB whatever the number of documents.
_DRAWS_AT_A_TIME: Final = 1 << 22


@dataclass(frozen=True)
class Interval:
    """A mean over documents with the interval that its bootstrap gives.

    Attributes:
        estimate: the mean over the documents, in the unit of the scores.
        low: lower end of the 95 % interval.
        high: upper end of the 95 % interval.
    """

    estimate: float
    low: float
    high: float


def mean_intervals(
    scores: ScoreArray, *, n_resamples: int = 10_000, seed: int = 0
) -> list[Interval]:
    """Bootstrap the mean of each column over documents.

    Args:
        scores: (documents, columns) float, a row a document, at least one row.
        n_resamples: how many times documents are drawn with replacement.
        seed: of the draws; all columns share them, so columns of one call are paired.

    Returns:
        One interval a column, 95 % by percentiles.

    Raises:
        ShapeError: scores is not two-dimensional or has no row.

    Source:
        Efron 1979; for summaries and translations, Koehn 2004.
    """
    if scores.ndim != 2 or len(scores) == 0:
        raise ShapeError(f"expected (documents, columns) with a document, got {scores.shape}")
    means = np.concatenate(list(_resample_means(scores, n_resamples, seed)))
    low, high = np.percentile(means, [2.5, 97.5], axis=0)
    return [
        Interval(float(estimate), float(lowest), float(highest))
        for estimate, lowest, highest in zip(scores.mean(axis=0), low, high, strict=True)
    ]


def paired_differences(
    ours: ScoreArray, theirs: ScoreArray, *, n_resamples: int = 10_000, seed: int = 0
) -> list[Interval]:
    """Bootstrap the mean difference of two systems that answered the same documents.

    Args:
        ours: (documents, columns) float scores of one system.
        theirs: (documents, columns) float scores of the other, rows in the same order.
        n_resamples: how many times documents are drawn with replacement.
        seed: of the draws.

    Returns:
        One interval a column, of ours - theirs.

    Raises:
        ShapeError: the two differ in shape, or are not (documents, columns).
    """
    if ours.shape != theirs.shape:
        raise ShapeError(f"expected two arrays of one shape, got {ours.shape} and {theirs.shape}")
    return mean_intervals(ours - theirs, n_resamples=n_resamples, seed=seed)


def _resample_means(scores: ScoreArray, n_resamples: int, seed: int) -> Iterator[ScoreArray]:
    """Yield (resamples, columns) means, some resamples at a time."""
    generator = np.random.default_rng(seed)
    n_documents = len(scores)
    step = max(1, _DRAWS_AT_A_TIME // n_documents)
    for start in range(0, n_resamples, step):
        size = min(step, n_resamples - start)
        draws = generator.integers(n_documents, size=(size, n_documents), dtype=np.int32)
        # Counting how often each document was drawn serves all columns with one product.
        draws += np.arange(size, dtype=np.int32)[:, None] * n_documents
        counts = np.bincount(draws.ravel(), minlength=size * n_documents)
        yield counts.reshape(size, n_documents) @ scores / n_documents
