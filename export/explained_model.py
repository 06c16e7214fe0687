"""The graph that is exported: one document in; scores, attention and pattern shares out.

Attention leaves the graph pooled by sentence, never as a map over tokens.

Source:
    Pattern shares follow Kobayashi et al. 2020 (arXiv:2004.10102): what counts is the norm of
    what a head writes, not its attention weight alone.
"""

import torch
from torch import Tensor, nn

from export.sentence_pooling import pool_cls, pool_copies, pool_tokens
from training.model.attention import PatternedAttention
from training.model.encoder import EncoderLayer
from training.model.extractive_model import ExtractiveModel, ModelRecord
from training.model.layout import Layout, lay_out_alone
from training.model.patterns import Pattern

FREE = "free"
# Names of what a last layer for the [CLS] alone reads, and of where the sentences lie.
SENTENCES = "sentences."
STARTS = f"{SENTENCES}starts"
LENGTHS = f"{SENTENCES}lengths"
CLS = f"{SENTENCES}cls"
READING = f"{SENTENCES}reading"
COPIES = f"{SENTENCES}copies"
OUTPUT_NAMES = ("scores", "document_attention", "matching_attention", "pattern_shares")


def pattern_names(model: ExtractiveModel) -> tuple[str, ...]:
    """Names of the columns of pattern_shares: carried patterns, then "free" if a head has none."""
    carried = {pattern for row in model.config.plan for pattern in row}
    names = [pattern.value for pattern in Pattern if pattern in carried]
    return (*names, FREE) if None in carried else tuple(names)


class ExplainedModel(nn.Module):
    """An extractive model that also tells where its heads looked.

    Args:
        model: the student; it is not changed.
        has_taps: also return every layer's input and gathered heads, and what a last layer for
            the [CLS] alone reads of its input, so that they bear names in the graph.
    """

    def __init__(self, model: ExtractiveModel, *, has_taps: bool = False) -> None:
        super().__init__()
        self.model = model.eval()
        self.has_taps = has_taps
        names = pattern_names(model)
        for number, layer in enumerate(model.encoder.layers):
            attention = layer.attention
            assert isinstance(attention, PatternedAttention)
            n_heads, width = attention.n_heads, attention.head_width
            order = list(attention.head_order)
            columns = attention.output.weight.detach().unflatten(1, (n_heads, width))  # D H d
            gram = torch.einsum("dhi,dhj->hij", columns, columns)[order]  # H d d
            carried = [_name_of(model.config.plan[number][head]) for head in order]
            members = torch.tensor([[float(name == c) for name in names] for c in carried])  # H P
            self.register_buffer(f"gram_{number}", gram)
            self.register_buffer(f"members_{number}", members)

    def output_names(self) -> tuple[str, ...]:
        """Names of what `forward` returns, in order."""
        if not self.has_taps:
            return OUTPUT_NAMES
        taps = [
            f"layer{number}.{what}"
            for number in range(self.model.config.layers)
            for what in ("input", "heads")
        ]
        last = self.model.encoder.layers[-1]
        assert isinstance(last, EncoderLayer)
        if self.model.config.is_last_for_cls and last.has_cls_form:
            patterns = {group.pattern for group in last.attention.groups}
            n_readings = len(patterns - {Pattern.MATCHING_TOKEN}) + 1  # and the mean
            taps += [STARTS, LENGTHS, CLS, *(f"{READING}{number}" for number in range(n_readings))]
            if Pattern.MATCHING_TOKEN in patterns:
                taps.append(COPIES)
        return (*OUTPUT_NAMES, *taps)

    def forward(self, token_ids: Tensor, sentence_ids: Tensor) -> tuple[Tensor, ...]:
        """Score one document.

        Args:
            token_ids: (tokens,) int64.
            sentence_ids: (tokens,) int64, 0, 0, 1, 1, …; no padding.

        Returns:
            scores (sentences,) in [0, 1]; document_attention and matching_attention (sentences,
            sentences), rows sum to 1; pattern_shares (sentences, patterns), rows sum to 1; then the
            taps, if asked for, (1, tokens, width) each; of a model whose last layer is there for
            the [CLS] alone, (1, sentences, width) the heads of that, then the sentences' starts
            and lengths, (sentences,) int64, what it reads, (sentences, some width) each, and
            copies, (1, width).
        """
        record = self.model.new_record()
        layout = lay_out_alone(token_ids[None], sentence_ids[None])
        logits = self.model.score(layout, record)[0]
        outputs = (
            torch.sigmoid(logits),
            *self._sentence_attention(record, layout),
            self._pattern_shares(record, layout.starts),
        )
        if not self.has_taps:
            return outputs
        taps = [
            tap
            for layer in record.token_layers
            for tap in (layer.x, layer.gathered)
            if tap is not None
        ]
        last = record.token_layers[-1]
        if last.readings:
            taps += [layout.starts, layout.lengths, *last.readings]
        if last.copies is not None:
            taps.append(last.copies)
        return (*outputs, *taps)

    def _sentence_attention(self, record: ModelRecord, layout: Layout) -> tuple[Tensor, Tensor]:
        """Attention among sentences, of the document layers and of the matching heads.

        Where a model has only one of the two kinds, it stands for both; where it has none, every
        sentence looks at itself.
        """
        # Means over the one document, too: taking it out would copy the widest arrays there are.
        over_sentences = [layer.mean(dim=(0, 1)) for layer in record.document_attention]
        document = _mean_of_layers(over_sentences) if over_sentences else None
        matching = self._matching_attention(record, layout)
        if document is None and matching is None:
            places = torch.arange(layout.starts.shape[0])
            document = (places[None, :] == places[:, None]).float()
        first = document if document is not None else matching
        second = matching if matching is not None else document
        assert first is not None
        assert second is not None
        return first, second

    def _matching_attention(self, record: ModelRecord, layout: Layout) -> Tensor | None:
        """(sentences, sentences) mean over the layers with matching heads; None without any."""
        pooled = []
        last = record.token_layers[-1]
        for layer in record.token_layers:
            is_for_cls = layer is last and self.model.config.is_last_for_cls
            if layer.cls_weights is not None:
                learned = layer.cls_weights.mean(dim=(0, 1))
                if is_for_cls:
                    pooled.append(pool_cls(layout, learned))
                else:
                    pooled.append(pool_copies(layout, learned, self.model.config.unmatched))
            elif Pattern.MATCHING_TOKEN in layer.weights:
                weights = layer.weights[Pattern.MATCHING_TOKEN].mean(dim=(0, 1))
                pooled.append(pool_tokens(weights, layout, is_for_cls=is_for_cls))
        return _mean_of_layers(pooled) if pooled else None

    def _pattern_shares(self, record: ModelRecord, starts: Tensor) -> Tensor:
        """Norms of what each pattern's heads write into a sentence's [CLS], as shares."""
        total: Tensor | float = 0.0
        for number, layer in enumerate(record.token_layers):
            assert layer.gathered is not None
            gram, members = self.get_buffer(f"gram_{number}"), self.get_buffer(f"members_{number}")
            heads = layer.gathered.flatten(0, 1)
            heads = heads if layer.is_for_cls else heads.index_select(0, starts)  # S H*d
            n_heads, width = gram.shape[:2]
            heads = heads.reshape(-1, n_heads, width).transpose(0, 1)  # H S d
            squares = ((heads @ gram) * heads).sum(dim=-1).clamp(min=0.0)  # H S
            total = total + squares.sqrt().T @ members  # S P
        assert isinstance(total, Tensor)
        return total / total.sum(dim=-1, keepdim=True).clamp(min=1e-12)


def _mean_of_layers(maps: list[Tensor]) -> Tensor:
    return sum(maps[1:], maps[0]) / len(maps)


def _name_of(pattern: Pattern | None) -> str:
    return FREE if pattern is None else pattern.value
