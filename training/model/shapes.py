"""Arrays of places and of heads, reshaped.

Sizes are taken as numbers where they can be, and one of them follows from the others, so that the
exported graph reshapes by a constant: a size that is looked up costs five nodes each time.
"""

from torch import Tensor


def flatten_places(array: Tensor) -> Tensor:
    """(documents, tokens, width) to (documents * tokens, width)."""
    return array.reshape(-1, int(array.shape[-1]))


def put_back(rows: Tensor, like: Tensor) -> Tensor:
    """(documents * tokens, width) to (documents, tokens, width), as many documents as `like`."""
    return rows.reshape(int(like.shape[0]), -1, int(rows.shape[-1]))


def split_heads(array: Tensor, width: int) -> Tensor:
    """(documents, places, heads * width) to (documents, heads, places, width)."""
    n_documents, n_heads = int(array.shape[0]), int(array.shape[-1]) // width
    return array.reshape(n_documents, -1, n_heads, width).transpose(1, 2)


def join_heads(heads: Tensor) -> Tensor:
    """(documents, heads, places, width) to (documents, places, heads * width)."""
    n_documents, n_heads, width = (int(heads.shape[axis]) for axis in (0, 1, 3))
    return heads.transpose(1, 2).reshape(n_documents, -1, n_heads * width)
