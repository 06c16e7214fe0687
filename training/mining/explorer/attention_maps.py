"""The attention maps of single documents, a few at a time, in the forms that the page draws."""

import threading
from collections import OrderedDict
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from training.mining.attention_maps import attention_maps
from training.mining.explorer.exhibit import Exhibit
from training.mining.head_grid import stack_layers
from training.mining.relevance import global_relevance


@dataclass(frozen=True, eq=False)
class DocumentMaps:
    """What every head of the token layers did in one document.

    Attributes:
        weights: one a layer: (its heads, tokens, tokens) float32 attention, rows sum to 1.
    """

    weights: tuple[Tensor, ...]

    def row_bytes(self, layer: int, head: int) -> bytes:
        """One head's map for the page.

        Returns:
            For each token as little-endian float32 the largest weight of its row, then tokens x
            tokens bytes, 255 for that largest weight: within 0.2 % of it.
        """
        weights = self.weights[layer][head]
        largest = weights.amax(dim=-1)
        shares = weights / largest.clamp(min=1e-12)[:, None]
        levels = (shares * 255).round().to(torch.uint8)
        return largest.numpy().astype("<f4").tobytes() + levels.numpy().tobytes()

    def thumbnail_bytes(self, size: int) -> bytes:
        """All heads' maps, small.

        Pixels hold the largest weight under them, for a mean would lose a diagonal; the brightness
        is its square root, as a share of the head's largest.

        Args:
            size: pixels of an edge.

        Returns:
            size x size bytes a head, layer by layer.
        """
        heads = torch.cat([F.adaptive_max_pool2d(maps, (size, size)) for maps in self.weights])
        roots = heads.sqrt()
        largest = roots.amax(dim=(-2, -1), keepdim=True).clamp(min=1e-12)
        return (roots / largest * 255).round().to(torch.uint8).numpy().tobytes()

    def relevance(self, mask: Tensor) -> npt.NDArray[np.float64] | None:
        """How much of each head's attention lies inside a mask, over the tokens with a place.

        Args:
            mask: (tokens, tokens) bool.

        Returns:
            (layers, heads) float64 in [0, 1], NaN where a layer has no such head; None where no
            token has a place.
        """
        if not mask.any():
            return None
        rows = [global_relevance(heads, mask).clamp(0, 1).numpy() for heads in self.weights]
        return stack_layers(rows)


class MapCache:
    """Computes maps when they are asked for, and keeps the latest.

    Args:
        exhibit: the model and its documents.
        n_kept: documents whose maps are kept; one of 512 tokens takes layers x heads MiB.
    """

    def __init__(self, exhibit: Exhibit, n_kept: int = 4) -> None:
        self._exhibit = exhibit
        self._n_kept = n_kept
        self._kept: OrderedDict[int, DocumentMaps] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, number: int) -> DocumentMaps:
        """The maps of a document; one thread computes at a time."""
        with self._lock:
            if number in self._kept:
                self._kept.move_to_end(number)
                return self._kept[number]
            maps = compute_maps(self._exhibit, number)
            self._kept[number] = maps
            if len(self._kept) > self._n_kept:
                self._kept.popitem(last=False)
            return maps


def compute_maps(exhibit: Exhibit, number: int) -> DocumentMaps:
    """Let the model read one document and keep what its heads did."""
    example = exhibit.store[number]
    token_ids = torch.from_numpy(example.token_ids)
    sentence_ids = torch.from_numpy(example.sentence_ids)
    with exhibit.lock:
        return DocumentMaps((*attention_maps(exhibit.model, token_ids, sentence_ids),))
