"""What a fixed matching head reads: the mean over the other copies of each token.

Without an array of tokens x tokens: the sum over all copies is taken once for each distinct token,
and a token's own value taken out.
"""

import torch
from torch import Tensor

from training.model.layout import Layout, take_rows
from training.model.patterns import Unmatched
from training.model.shapes import flatten_places, put_back

# Steps in 1 that running sums count in: as fine as float32 is just below 1. The sum of 32,768
# values below 2^24 stays within 63 bits; values of a head are a few.
_STEPS = float(2**24)


def mean_of_copies(value: Tensor, layout: Layout, unmatched: Unmatched) -> Tensor:
    """Give each token the mean value of the other copies of itself, without tokens x tokens.

    Args:
        value: (documents, tokens, width) float.
        layout: of the same batch.
        unmatched: what a token without a second copy gets: its own value, or the mean of its
            document.

    Returns:
        (documents, tokens, width) float32 or wider; without a token's own value, up to rounding.
    """
    value = value.to(torch.promote_types(value.dtype, torch.float32))  # many bfloat16 add up badly
    flat = flatten_places(value)
    sums = _sum_in_steps(flat, layout) if layout.is_alone else _sum_by_token(flat, layout)
    n_others = (layout.n_copies - 1).to(flat.dtype)  # U
    # Products with 0 or 1 and not `where`, which takes several times as long in onnxruntime.
    repeated = n_others.clamp(max=1.0)  # 1 or 0
    of_copy = repeated / n_others.clamp(min=1.0)
    of_itself = -of_copy
    if unmatched is Unmatched.SELF:
        of_itself = of_itself + (1.0 - repeated)
    means = take_rows(sums * of_copy[:, None], layout.copy_ids)
    means = put_back(means + flat * of_itself.index_select(0, layout.copy_ids)[:, None], value)
    if unmatched is Unmatched.SELF:
        return means
    of_document = (1.0 - repeated).index_select(0, layout.copy_ids)[:, None]
    real = (layout.sentence_ids >= 0)[:, None].to(flat.dtype)  # B 1 T
    mean = (real @ value) / real.sum(dim=-1, keepdim=True)  # B 1 W
    return means + mean * put_back(of_document, value)


def _sum_by_token(flat: Tensor, layout: Layout) -> Tensor:
    """(distinct tokens, width) sum over the places that hold each; has a gradient."""
    rows = layout.copy_ids[:, None].expand_as(flat)
    return flat.new_zeros(layout.n_copies.shape[0], flat.shape[1]).scatter_add(0, rows, flat)


def _sum_in_steps(flat: Tensor, layout: Layout) -> Tensor:
    """The same by a running sum, several times as fast in onnxruntime; has no gradient.

    It runs over whole numbers of steps, which add up without rounding: what other tokens hold
    cancels to the last bit.
    """
    steps = (flat * _STEPS).to(torch.int64).index_select(0, layout.by_token)
    ends = torch.cumsum(layout.n_copies, dim=0) - 1
    up_to = torch.cumsum(steps, dim=0).index_select(0, ends)
    before = torch.cat([torch.zeros_like(up_to[:1]), up_to[:-1]])
    return (up_to - before).to(flat.dtype) / _STEPS
