"""How far two rankings of the same things agree."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.errors import ShapeError


def kendall_tau(first: NDArray[Any], second: NDArray[Any]) -> float:
    """Correlate two rankings by the pairs that they put in the same order.

    Args:
        first: (things,) scores, any real dtype.
        second: (things,) scores of the same things.

    Returns:
        Kendall's tau-b in [-1, 1], 1 for the same ranking; 0 where it is not defined, because one
        of the two ties everything or there are fewer than two things.

    Raises:
        ShapeError: the two are not one-dimensional and of one length.

    Source:
        Kendall 1945, the b variant, which corrects for ties.
    """
    if first.ndim != 1 or first.shape != second.shape:
        raise ShapeError(f"expected two arrays (things,), got {first.shape} and {second.shape}")
    orders = [np.sign(np.subtract.outer(x.astype(np.float64), x)) for x in (first, second)]
    n_ordered = np.sqrt(np.prod([np.count_nonzero(order) for order in orders], dtype=np.float64))
    return float(np.sum(orders[0] * orders[1]) / n_ordered) if n_ordered else 0.0
