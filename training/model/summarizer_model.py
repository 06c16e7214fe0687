"""The whole model: encoder and scorer; from a pretrained encoder, or from a teacher's layers."""

import dataclasses
from typing import Any

import torch
from torch import Tensor, nn

from service.errors import CheckpointError
from training.model.attention import AttentionRecord
from training.model.config import ModelConfig, Plan
from training.model.encoder import Encoder
from training.model.layout import lay_out
from training.model.scorer import Scorer


@dataclasses.dataclass
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
        layout = lay_out(token_ids, sentence_ids)
        tokens = self.encoder(layout, record.token_layers if record else None)
        attention = record.document_attention if record else None
        return self.scorer(tokens, layout, attention)  # type: ignore[no-any-return]

    def new_record(self) -> ModelRecord:
        """An empty record for one forward pass."""
        return ModelRecord([AttentionRecord() for _ in range(self.config.layers)], [])


def from_pretrained_encoder(name_or_path: str, **changes: Any) -> ExtractiveModel:
    """Make a teacher from a BERT-like pretrained encoder; the scorer is new.

    Args:
        name_or_path: a model of the hub or a local folder, as for
            `transformers.AutoModel.from_pretrained`.
        changes: fields of ModelConfig that differ from the encoder's own, such as document_layers.

    Returns:
        A model without patterns, all its layers and heads those of the encoder.

    Raises:
        CheckpointError: the encoder cannot be loaded or is not BERT-like.
    """
    from transformers import AutoModel

    try:
        source = AutoModel.from_pretrained(name_or_path)
    except (OSError, ValueError) as error:
        raise CheckpointError(
            f"expected a pretrained encoder at {name_or_path!r} (a hub name or a folder): {error}"
        ) from error
    shape = source.config
    is_roberta = shape.model_type in {"roberta", "xlm-roberta", "camembert"}
    if not (is_roberta or shape.model_type == "bert"):
        raise CheckpointError(
            f"expected a BERT-like encoder (bert, roberta, xlm-roberta, camembert), "
            f"got {shape.model_type!r}; choose another --encoder"
        )
    positions = getattr(shape, "position_embedding_type", None) or "absolute"
    if (shape.hidden_act, positions) != ("gelu", "absolute"):
        raise CheckpointError(
            "expected an encoder with GELU and absolute positions, "
            f"got {shape.hidden_act!r} and {positions!r}; choose another --encoder"
        )
    free: Plan = ((None,) * shape.num_attention_heads,) * shape.num_hidden_layers
    config = ModelConfig(
        vocabulary=shape.vocab_size,
        width=shape.hidden_size,
        heads=shape.num_attention_heads,
        feed_forward=shape.intermediate_size,
        max_positions=shape.max_position_embeddings,
        position_offset=(shape.pad_token_id + 1) if is_roberta else 0,
        token_types=shape.type_vocab_size,
        norm_eps=shape.layer_norm_eps,
        plan=free,
    )
    model = ExtractiveModel(dataclasses.replace(config, **changes))
    model.encoder.load_state_dict(_rename_encoder_state(source.state_dict()))
    return model


_ENCODER_NAMES = (
    ("embeddings.word_embeddings.", "embeddings.words."),
    ("embeddings.position_embeddings.", "embeddings.positions."),
    ("embeddings.token_type_embeddings.", "embeddings.token_types."),
    ("embeddings.LayerNorm.", "embeddings.norm."),
    ("encoder.layer.", "layers."),
    (".attention.self.", ".attention."),
    (".attention.output.dense.", ".attention.output."),
    (".attention.output.LayerNorm.", ".attention_norm."),
    (".intermediate.dense.", ".up."),
    (".output.dense.", ".down."),
    (".output.LayerNorm.", ".norm."),
)


def _rename_encoder_state(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Give the weights of a BERT of transformers the names of ours; its pooler is left out."""
    renamed = {}
    for name, weight in state.items():
        if name.startswith("pooler.") or name.endswith(".position_ids"):
            continue
        for theirs, ours in _ENCODER_NAMES:
            name = name.replace(theirs, ours)
        if not name.endswith("embeddings.token_type_ids"):
            renamed[name] = weight
    return renamed


def student_from_teacher(
    teacher: ExtractiveModel, layers: tuple[int, ...], **changes: Any
) -> ExtractiveModel:
    """Make a student that starts from some of a teacher's layers and all of its scorer.

    Args:
        teacher: the model to copy from.
        layers: the teacher's layers that become the student's, in order.
        changes: fields of ModelConfig that differ, `plan` among them (one row a student layer).

    Returns:
        The student; its embeddings and scorer are copies of the teacher's where the shapes agree.

    Raises:
        CheckpointError: a layer number is outside the teacher, or the plan has another shape.
    """
    outside = [layer for layer in layers if not 0 <= layer < teacher.config.layers]
    if outside or not layers:
        raise CheckpointError(
            f"expected layers of a teacher with {teacher.config.layers} "
            f"(0 to {teacher.config.layers - 1}), got {list(layers)}"
        )
    plan: Plan = changes.pop("plan", ((None,) * teacher.config.heads,) * len(layers))
    if len(plan) != len(layers) or any(len(row) != teacher.config.heads for row in plan):
        raise CheckpointError(
            f"expected a plan of {len(layers)} layers x {teacher.config.heads} heads, "
            f"got {len(plan)} x {sorted({len(row) for row in plan})}"
        )
    student = ExtractiveModel(dataclasses.replace(teacher.config, plan=plan, **changes))
    state = teacher.state_dict()
    for number, layer in enumerate(layers):
        for name in list(teacher.encoder.layers[layer].state_dict()):
            state[f"student.{number}.{name}"] = state[f"encoder.layers.{layer}.{name}"]
    wanted = student.state_dict()
    copied = {}
    for name in wanted:
        source = name
        if name.startswith("encoder.layers."):
            source = "student." + name.removeprefix("encoder.layers.")
        if source in state and state[source].shape == wanted[name].shape:
            copied[name] = state[source].clone()
    with torch.no_grad():
        student.load_state_dict({**wanted, **copied})
    return student
