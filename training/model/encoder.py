"""The token encoder: a BERT whose heads may carry patterns."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from training.model.attention import AttentionRecord, PatternedAttention
from training.model.cls_attention import attend_from_cls, can_attend_from_cls
from training.model.config import Activation, ModelConfig, Positions
from training.model.layout import Layout, mean_of_sentences, take_rows
from training.model.pal import ProjectedAttention
from training.model.shapes import flatten_places

_ACTIVATIONS: Mapping[Activation, Callable[[Tensor], Tensor]] = {
    Activation.GELU: F.gelu,
    Activation.RELU: F.relu,
}


class TokenEmbeddings(nn.Module):
    """Word, position and segment embeddings with their layer norm."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.words = nn.Embedding(config.vocabulary, config.width)
        self.positions = nn.Embedding(config.max_positions, config.width)
        if config.token_types:
            self.token_types = nn.Embedding(config.token_types, config.width)
        self.norm = nn.LayerNorm(config.width, eps=config.norm_eps)
        self._config = config

    def forward(self, layout: Layout) -> Tensor:
        """Embed every token.

        Args:
            layout: of the batch.

        Returns:
            (documents, tokens, width) float.
        """
        ids = layout.token_ids
        counts_in_document = self._config.positions is Positions.DOCUMENT
        if counts_in_document:
            places = torch.arange(ids.shape[1], device=ids.device)[None]
        else:
            places = layout.places.reshape(int(ids.shape[0]), -1)
        rows = (places + self._config.position_offset).clamp(max=self.positions.num_embeddings - 1)
        embedded = self.words(ids) + self.positions(rows)
        if self._config.token_types:
            alternates = self._config.token_types > 1 and counts_in_document
            types = layout.sentence_ids.clamp(min=0) % 2 if alternates else torch.zeros_like(ids)
            embedded = embedded + self.token_types(types)
        return self.norm(embedded)  # type: ignore[no-any-return]


@dataclass(frozen=True)
class SentenceVectors:
    """What an encoder says of each sentence.

    Attributes:
        cls: (all sentences, width) float, the vector of its [CLS] after the last layer.
        mean: (all sentences, width) float, the mean over its tokens, after the last layer or, where
            that is there for the [CLS] alone, before it.
    """

    cls: Tensor
    mean: Tensor


class EncoderLayer(nn.Module):
    """Attention and feed-forward, each followed by its residual and layer norm, as in BERT.

    Without neurons, attention with its residual and one layer norm is all.

    A Projected Attention Layer, where there is one, reads the layer's input and joins in the last
    residual.
    """

    def __init__(self, config: ModelConfig, layer: int) -> None:
        super().__init__()
        self.attention = PatternedAttention(
            config.width,
            config.plan[layer],
            head_width=config.width_of_head,
            fixed=config.fixed,
            unmatched=config.unmatched,
            is_structured=config.is_structured,
            control=config.control,
        )
        n_neurons = config.feed_forward[layer]
        self._has_feed_forward = n_neurons > 0
        if self._has_feed_forward:
            self.attention_norm = nn.LayerNorm(config.width, eps=config.norm_eps)
            self.up = nn.Linear(config.width, n_neurons)
            self.down = nn.Linear(n_neurons, config.width)
        self.norm = nn.LayerNorm(config.width, eps=config.norm_eps)
        self.pal = None if config.pal is None else ProjectedAttention(config, config.pal)
        self._activate = _ACTIVATIONS[config.activation]

    def forward(self, x: Tensor, layout: Layout, record: AttentionRecord | None = None) -> Tensor:
        """Map (documents, tokens, width) to the same shape."""
        total = self._feed_forward(x + self.attention(x, layout, record))
        if self.pal is not None:
            total = total + self._ask_pal(self.pal, x, layout, record)
        return self.norm(total)  # type: ignore[no-any-return]

    @property
    def has_cls_form(self) -> bool:
        """Whether `read_sentences` computes less than the whole layer."""
        return self.pal is None and can_attend_from_cls(self.attention)

    def read_sentences(
        self, x: Tensor, layout: Layout, record: AttentionRecord | None = None
    ) -> SentenceVectors:
        """Map (documents, tokens, width) to the rows of the [CLS] alone, and the means before."""
        flat = flatten_places(x)
        if not self.has_cls_form:
            whole = take_rows(flatten_places(self(x, layout, record)), layout.starts)
            return SentenceVectors(whole, mean_of_sentences(flat, layout))
        cls = take_rows(flat, layout.starts)
        read, mean = attend_from_cls(self.attention, x, cls, layout, record)
        # With an axis for one document, as elsewhere: by it the exporter knows what to quantize.
        return SentenceVectors(self.norm(self._feed_forward((cls + read)[None]))[0], mean)

    def _feed_forward(self, residual: Tensor) -> Tensor:
        if not self._has_feed_forward:
            return residual
        attended: Tensor = self.attention_norm(residual)
        inner: Tensor = self.down(self._activate(self.up(attended)))
        return attended + inner

    def _ask_pal(
        self, pal: ProjectedAttention, x: Tensor, layout: Layout, record: AttentionRecord | None
    ) -> Tensor:
        if record is not None:
            record.pal = AttentionRecord()
        said: Tensor = pal(x, layout, record.pal if record is not None else None)
        return said


class Encoder(nn.Module):
    """Embeddings and the stack of layers."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.embeddings = TokenEmbeddings(config)
        self.layers = nn.ModuleList(EncoderLayer(config, layer) for layer in range(config.layers))
        self._is_last_for_cls = config.is_last_for_cls

    def forward(self, layout: Layout, records: list[AttentionRecord] | None = None) -> Tensor:
        """Encode every token of a batch.

        Args:
            layout: of the batch.
            records: one a layer, filled in when given.

        Returns:
            (documents, tokens, width) float.
        """
        return self._run_layers(len(self.layers), layout, records)

    def read_sentences(
        self, layout: Layout, records: list[AttentionRecord] | None = None
    ) -> SentenceVectors:
        """Encode every sentence of a batch; arguments as for `forward`."""
        if not self._is_last_for_cls:
            flat = flatten_places(self(layout, records))
            return SentenceVectors(take_rows(flat, layout.starts), mean_of_sentences(flat, layout))
        x = self._run_layers(len(self.layers) - 1, layout, records)
        last = self.layers[-1]
        assert isinstance(last, EncoderLayer)
        return last.read_sentences(x, layout, records[-1] if records is not None else None)

    def _run_layers(
        self, n_layers: int, layout: Layout, records: list[AttentionRecord] | None
    ) -> Tensor:
        x: Tensor = self.embeddings(layout)
        for number, layer in enumerate(self.layers[:n_layers]):
            x = layer(x, layout, records[number] if records is not None else None)
        return x
