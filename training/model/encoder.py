"""The token encoder: a BERT whose heads may carry patterns."""

from collections.abc import Callable, Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from training.model.attention import AttentionRecord, PatternedAttention
from training.model.config import Activation, ModelConfig, Positions
from training.model.layout import Layout
from training.model.pal import ProjectedAttention

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
        if self._config.positions is Positions.SENTENCE:
            places = layout.places.view(ids.shape)
        else:
            places = torch.arange(ids.shape[1], device=ids.device)[None]
        rows = (places + self._config.position_offset).clamp(max=self.positions.num_embeddings - 1)
        embedded = self.words(ids) + self.positions(rows)
        n_types = self._config.token_types
        alternates = n_types > 1 and self._config.positions is Positions.DOCUMENT
        types = layout.sentence_ids.clamp(min=0) % 2 if alternates else torch.zeros_like(ids)
        return self.norm(embedded + self.token_types(types))  # type: ignore[no-any-return]


class EncoderLayer(nn.Module):
    """Attention and feed-forward, each followed by its residual and layer norm, as in BERT.

    A Projected Attention Layer, where there is one, reads the layer's input and joins in the last
    residual.
    """

    def __init__(self, config: ModelConfig, layer: int) -> None:
        super().__init__()
        self.attention = PatternedAttention(
            config.width,
            config.plan[layer],
            head_width=config.head_width,
            fixed=config.fixed,
            unmatched=config.unmatched,
            is_structured=config.is_structured,
            control=config.control,
        )
        self.attention_norm = nn.LayerNorm(config.width, eps=config.norm_eps)
        self.up = nn.Linear(config.width, config.feed_forward)
        self.down = nn.Linear(config.feed_forward, config.width)
        self.norm = nn.LayerNorm(config.width, eps=config.norm_eps)
        self.pal = None if config.pal is None else ProjectedAttention(config, config.pal)
        self._activate = _ACTIVATIONS[config.activation]

    def forward(self, x: Tensor, layout: Layout, record: AttentionRecord | None = None) -> Tensor:
        """Map (documents, tokens, width) to the same shape."""
        attended = self.attention_norm(x + self.attention(x, layout, record))
        inner: Tensor = self._activate(self.up(attended))
        total = attended + self.down(inner)
        if self.pal is not None:
            total = total + self._ask_pal(self.pal, x, layout, record)
        return self.norm(total)  # type: ignore[no-any-return]

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

    def forward(self, layout: Layout, records: list[AttentionRecord] | None = None) -> Tensor:
        """Encode every token of a batch.

        Args:
            layout: of the batch.
            records: one a layer, filled in when given.

        Returns:
            (documents, tokens, width) float.
        """
        x: Tensor = self.embeddings(layout)
        for number, layer in enumerate(self.layers):
            x = layer(x, layout, records[number] if records is not None else None)
        return x
