"""One or several linear layers that read the same vectors, as one product."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def project_together(x: Tensor, *picked: tuple[nn.Linear, slice | Tensor]) -> Tensor:
    """Give some rows of several linear layers, one after the other.

    Args:
        x: (..., width) float.
        picked: each layer with those of its outputs that are wanted.

    Returns:
        (..., all wanted outputs) float.
    """
    weight = torch.cat([layer.weight[rows] for layer, rows in picked])
    return F.linear(x, weight, torch.cat([layer.bias[rows] for layer, rows in picked]))
