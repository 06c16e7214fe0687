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
from training.model.layout import Layout, take_rows


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

    def forward(self, x: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Let sentences look at each other.

        Args:
            x: (documents, sentences, width) float.
            mask: (documents, sentences) bool, True for a real sentence.

        Returns:
            The new vectors, and (documents, heads, sentences, sentences) float attention.
        """
        read = self.attention_norm(x)
        q, k, v = (
            layer(read).unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for layer in (self.query, self.key, self.value)
        )
        scores = (q @ k.transpose(-1, -2)) / q.shape[-1] ** 0.5  # B H S S
        weights = torch.softmax(scores.masked_fill(~mask[:, None, None, :], float("-inf")), dim=-1)
        gathered = (self.dropout(weights) @ v).transpose(1, 2).flatten(2)
        x = x + self.dropout(self.output(gathered))
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

    def forward(self, x: Tensor, layout: Layout, records: list[Tensor] | None = None) -> Tensor:
        """Score the sentences of a batch.

        Args:
            x: (documents, tokens, width) float token vectors.
            layout: of the batch.
            records: when given, each document layer's attention is appended.

        Returns:
            (documents, sentences) float logits; meaningless where `layout.table_mask` is False.
        """
        flat = x.flatten(0, 1)
        cls = take_rows(flat, layout.starts)  # G D
        if not self._has_document_layers:
            return self.score(cls).squeeze(-1)[layout.table_index]  # type: ignore[no-any-return]
        mean = mean_of_sentences(flat, layout)
        reduced = self.reduce(torch.cat([cls, mean], dim=-1)[layout.table_index])  # B S W
        places = torch.arange(reduced.shape[1], device=x.device)
        places = places.clamp(max=self.positions.num_embeddings - 1)
        vectors = self.dropout(reduced + self.positions(places))
        for layer in self.layers:
            vectors, weights = layer(vectors, layout.table_mask)
            if records is not None:
                records.append(weights)
        return self.score(self.norm(vectors)).squeeze(-1)  # type: ignore[no-any-return]


def mean_of_sentences(flat: Tensor, layout: Layout) -> Tensor:
    """Average the vectors of each sentence's tokens.

    Args:
        flat: (documents * tokens, width) float.
        layout: of the same batch.

    Returns:
        (all sentences, width) float32 or wider; padding, which belongs to the sentence before, does
        not count.
    """
    flat = flat.to(torch.promote_types(flat.dtype, torch.float32))  # many bfloat16 add up badly
    is_real = (layout.sentence_ids >= 0).reshape(-1, 1).to(flat.dtype)
    sums = flat.new_zeros(layout.starts.shape[0], flat.shape[1])
    sums = sums.scatter_add(0, layout.group_ids[:, None].expand(flat.shape), flat * is_real)
    lengths = layout.block_mask.sum(dim=1, keepdim=True).to(flat.dtype)
    return sums / lengths
