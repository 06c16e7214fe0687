"""A model that starts from some of a teacher's layers and all of its scorer."""

import dataclasses
from typing import Any

import torch

from service.errors import CheckpointError
from training.model.config import Plan
from training.model.extractive_model import ExtractiveModel


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
