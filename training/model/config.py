"""The shape of a summarization model, teacher or student, as one frozen value."""

from dataclasses import dataclass
from enum import StrEnum

from training.model.controls import Control
from training.model.patterns import Pattern, Unmatched

Plan = tuple[tuple[Pattern | None, ...], ...]


class Activation(StrEnum):
    """What stands between the two matrices of a feed-forward block."""

    GELU = "gelu"
    RELU = "relu"


class Positions(StrEnum):
    """What a token's position embedding counts from."""

    DOCUMENT = "document"
    SENTENCE = "sentence"


@dataclass(frozen=True)
class PalConfig:
    """The Projected Attention Layers beside a model's own attention, one a token layer.

    Attributes:
        width: of the narrow vectors inside them, a multiple of the number of heads.
        plan: the pattern of each head, the same in every layer; None for a free one.
        unmatched: where a token without a second copy looks.
    """

    width: int = 256
    plan: tuple[Pattern | None, ...] = tuple(Pattern)
    unmatched: Unmatched = Unmatched.SELF


@dataclass(frozen=True)
class ModelConfig:
    """A BERT-like encoder of tokens under a small transformer over sentences.

    Attributes:
        vocabulary: number of token ids.
        width: size of a token vector.
        feed_forward: inner size of each layer's feed-forward block; 0 for none.
        activation: inside them.
        head_width: size of a head's Q, K and V; None for width / heads of the first layer.
        max_positions: rows of the position table; a token further on uses the last row.
        position_offset: first row of the position table that is used (2 in RoBERTa, 0 in BERT).
        token_types: rows of the segment table; with 2, sentences alternate, with 0 there is none.
        norm_eps: epsilon of the layer norms.
        positions: where positions count from.
        plan: for each layer the pattern of each head, None for a free one.
        fixed: patterns whose heads weigh their places alike; those of matching_token keep Q and K
            for the [CLS].
        unmatched: where a token without a second copy looks.
        document_layers: layers over sentences; 0 is a linear scorer on [CLS].
        document_width: size of a sentence vector there.
        document_heads: heads of those layers.
        document_positions: rows of the sentence position table; a sentence further on uses the
            last row.
        dropout: probability in the document layers.
        is_last_for_cls: the last token layer is there for the [CLS] alone: the means of sentences
            that the scorer reads are of that layer's input.
        is_structured: compute pattern heads in the structured form.
        pal: Projected Attention Layers; None for a model without.
        control: what is taken away from the patterns, to compare with; None for nothing.
    """

    vocabulary: int
    width: int
    feed_forward: tuple[int, ...]
    max_positions: int
    plan: Plan
    activation: Activation = Activation.GELU
    head_width: int | None = None
    position_offset: int = 0
    token_types: int = 1
    norm_eps: float = 1e-12
    positions: Positions = Positions.DOCUMENT
    fixed: frozenset[Pattern] = frozenset({Pattern.PREVIOUS_TOKEN, Pattern.NEXT_TOKEN})
    unmatched: Unmatched = Unmatched.SELF
    document_layers: int = 2
    document_width: int = 256
    document_heads: int = 4
    document_positions: int = 24
    dropout: float = 0.1
    is_last_for_cls: bool = False
    is_structured: bool = True
    pal: PalConfig | None = None
    control: Control | None = None

    @property
    def layers(self) -> int:
        """Token layers."""
        return len(self.plan)

    @property
    def heads(self) -> int:
        """Attention heads of the layer that has the most."""
        return max(self.heads_by_layer)

    @property
    def heads_by_layer(self) -> tuple[int, ...]:
        """Attention heads of each layer."""
        return tuple(map(len, self.plan))

    @property
    def width_of_head(self) -> int:
        """Size of a head's Q, K and V, whether it is given or follows from the width."""
        return self.head_width or self.width // len(self.plan[0])
