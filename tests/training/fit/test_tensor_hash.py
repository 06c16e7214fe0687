"""The hash of tensors: the same for the same, another for any other."""

import pytest
import torch

from training.fit.tensor_hash import hash_tensors

TENSORS = {"a": torch.arange(6.0).reshape(2, 3), "b": torch.tensor(1.0)}


def test_order_does_not_matter():
    assert hash_tensors(TENSORS) == hash_tensors(dict(reversed(TENSORS.items())))


@pytest.mark.parametrize(
    "changes",
    [
        {"a": TENSORS["a"] + 1e-6},
        {"a": TENSORS["a"].reshape(3, 2)},
        {"b": torch.tensor(1.0, dtype=torch.float16)},
        {"c": torch.zeros(0)},
    ],
)
def test_every_difference_counts(changes):
    assert hash_tensors({**TENSORS, **changes}) != hash_tensors(TENSORS)
