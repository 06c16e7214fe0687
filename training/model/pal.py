"""A Projected Attention Layer: a narrow attention beside a layer's own, whose heads carry patterns.

    x ──┬── attention ── norm ──┬── feed-forward ──┐
        │                       └─────────────── + ┼── norm ── out
        └── down ── attention with patterns ── up ── GELU ┘

A layer reads what its host layer reads, and what it says is added to the host's last residual. The
up-projection starts at zero, so a model with fresh layers scores as it did without them; all else
starts as any matrix does, so that a gradient reaches it as soon as the up-projection has moved.

Source:
    Li et al., arXiv:2112.05364, after Stickland & Murray 2019 (arXiv:1902.02671). The released
    code zeroes every matrix, and so no gradient ever reaches any of them.
"""

import torch.nn.functional as F
from torch import Tensor, nn

from training.model.attention import AttentionRecord, PatternedAttention
from training.model.config import ModelConfig, PalConfig
from training.model.layout import Layout


class ProjectedAttention(nn.Module):
    """Down-projection, attention with a pattern or none in each head, up-projection, GELU.

    Masked heads (matching, intra) learn their weights inside the pattern; previous and next are
    fixed.

    Args:
        config: of the model that it is put into.
        pal: its own width and plan.

    Attributes:
        down: from the model's width to its own.
        attention: over the narrow vectors; its output projection is the up-projection.
    """

    def __init__(self, config: ModelConfig, pal: PalConfig) -> None:
        super().__init__()
        self.down = nn.Linear(config.width, pal.width)
        self.attention = PatternedAttention(
            pal.width,
            pal.plan,
            output_width=config.width,
            unmatched=pal.unmatched,
            is_structured=config.is_structured,
        )
        nn.init.zeros_(self.attention.output.weight)
        nn.init.zeros_(self.attention.output.bias)

    def forward(self, x: Tensor, layout: Layout, record: AttentionRecord | None = None) -> Tensor:
        """Say what the host layer adds to its last residual.

        Args:
            x: (documents, tokens, width) float, what the host layer reads.
            layout: of the same batch.
            record: filled in when given.

        Returns:
            (documents, tokens, width) float; all 0 before the first step of a fit.
        """
        return F.gelu(self.attention(self.down(x), layout, record))
