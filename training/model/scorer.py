"""The scorer: token vectors to one logit a sentence, through a small transformer over sentences.

Source:
    Liu, "Fine-tune BERT for Extractive Summarization" (arXiv:1903.10318), the inter-sentence
    transformer. Ours reads the mean of a sentence's tokens beside its [CLS], and learns the
    sentences' positions; pre-norm.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from training.model.config import ModelConfig
from training.model.encoder import SentenceVectors
from training.model.layout import Layout, to_table
from training.model.projection import project_together
from training.model.shapes import join_heads, split_heads


class DocumentLayer(nn.Module):
    """One pre-norm transformer layer over the sentences of a document."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.attention_norm = nn.LayerNorm(width)
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, width)
        self.value = nn.Linear(width, width)
        self.output = nn.Linear(width, width)
        self.norm = nn.LayerNorm(width)
        self.up = nn.Linear(width, 4 * width)
        self.down = nn.Linear(4 * width, width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor]:
        """Let sentences look at each other.

        Args:
            x: (documents, sentences, width) float.
            mask: (documents, sentences) bool, True for a real sentence; None where all are.

        Returns:
            The new vectors, and (documents, heads, sentences, sentences) float attention.
        """
        read = self.attention_norm(x)
        projected = project_together(
            read, *((layer, slice(None)) for layer in (self.query, self.key, self.value))
        )
        width = int(x.shape[-1]) // self.heads
        q, k, v = split_heads(projected, width).split(self.heads, dim=1)
        scores = (q @ k.transpose(-1, -2)) / width**0.5  # B H S S
        if mask is not None:
            scores = scores.masked_fill(~mask[:, None, None, :], float("-inf"))
        weights = torch.softmax(scores, dim=-1)
        x = x + self.dropout(self.output(join_heads(self.dropout(weights) @ v)))
        x = x + self.dropout(self.down(F.gelu(self.up(self.norm(x)))))
        return x, weights


class Scorer(nn.Module):
    """Sentence vectors in, one logit a sentence out."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self._has_document_layers = config.document_layers > 0
        if not self._has_document_layers:
            self.score = nn.Linear(config.width, 1)
            return
        width = config.document_width
        self.reduce = nn.Linear(2 * config.width, width)
        self.positions = nn.Embedding(config.document_positions, width)
        self.norm = nn.LayerNorm(width)
        self.layers = nn.ModuleList(
            DocumentLayer(width, config.document_heads, config.dropout)
            for _ in range(config.document_layers)
        )
        self.dropout = nn.Dropout(config.dropout)
        self.score = nn.Linear(width, 1)

    def forward(
        self, sentences: SentenceVectors, layout: Layout, records: list[Tensor] | None = None
    ) -> Tensor:
        """Score the sentences of a batch.

        Args:
            sentences: of the batch.
            layout: likewise.
            records: when given, each document layer's attention is appended.

        Returns:
            (documents, sentences) float logits; meaningless where `layout.table_mask` is False.
        """
        if not self._has_document_layers:
            scores: Tensor = self.score(sentences.cls).squeeze(-1)
            return to_table(scores, layout)
        both = torch.cat([sentences.cls, sentences.mean], dim=-1)
        reduced = self.reduce(to_table(both, layout))  # B S W
        places = torch.arange(reduced.shape[1], device=both.device)
        places = places.clamp(max=self.positions.num_embeddings - 1)
        vectors = self.dropout(reduced + self.positions(places))
        mask = None if layout.is_alone else layout.table_mask
        for layer in self.layers:
            vectors, weights = layer(vectors, mask)
            if records is not None:
                records.append(weights)
        return self.score(self.norm(vectors)).squeeze(-1)  # type: ignore[no-any-return]
