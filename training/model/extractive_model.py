"""The whole model: encoder and scorer, and the record of what its heads did."""

from dataclasses import dataclass

from torch import Tensor, nn

from training.model.attention import AttentionRecord
from training.model.config import ModelConfig
from training.model.encoder import Encoder
from training.model.layout import Layout, lay_out
from training.model.scorer import Scorer


@dataclass
class ModelRecord:
    """What every head of one forward pass did.

    Attributes:
        token_layers: one record a token layer.
        document_attention: one (documents, heads, sentences, sentences) float array a document
            layer.
    """

    token_layers: list[AttentionRecord]
    document_attention: list[Tensor]


class ExtractiveModel(nn.Module):
    """BERTSum: scores each sentence of a document.

    Args:
        config: its shape.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = Encoder(config)
        self.scorer = Scorer(config)

    def forward(
        self, token_ids: Tensor, sentence_ids: Tensor, record: ModelRecord | None = None
    ) -> Tensor:
        """Score the sentences of a batch of documents.

        Args:
            token_ids: (documents, tokens) int64.
            sentence_ids: (documents, tokens) int64, -1 for padding.
            record: filled in when given; see `new_record`.

        Returns:
            (documents, sentences) float logits; a document's surplus places hold no meaning.
        """
        return self.score(lay_out(token_ids, sentence_ids), record)

    def score(self, layout: Layout, record: ModelRecord | None = None) -> Tensor:
        """Score the sentences of a batch that is laid out; the rest as for `forward`."""
        sentences = self.encoder.read_sentences(layout, record.token_layers if record else None)
        attention = record.document_attention if record else None
        return self.scorer(sentences, layout, attention)  # type: ignore[no-any-return]

    def new_record(self) -> ModelRecord:
        """An empty record for one forward pass."""
        return ModelRecord([AttentionRecord() for _ in range(self.config.layers)], [])
