"""The student: some of the teacher's layers, a pattern in each head, distilled from the teacher.

Source:
    Li et al., arXiv:2112.05364, patterns in a smaller model's own heads; initialised by copying
    layers (Shleifer & Rush 2020).
"""

from typing import Any, TypeVar

import torch

from service.errors import RecipeError
from training.fit.checkpoint import load_model, save_model
from training.fit.loop import Fit
from training.fit.tensor_hash import hash_tensors
from training.model.config import Plan, Positions
from training.model.extractive_model import ExtractiveModel
from training.model.inherited import student_from_teacher
from training.model.patterns import Pattern, Unmatched
from training.recipe import Recipe, StudentRecipe
from training.run import Run
from training.teacher_scores import draw_documents, score_with_teacher

_FREE = "free"
_Kind = TypeVar("_Kind", Pattern, Positions, Unmatched)


def make_student(recipe: StudentRecipe, teacher: ExtractiveModel) -> ExtractiveModel:
    """Make a student that has not been fitted yet.

    Args:
        recipe: the layers it starts from and the pattern of each head.
        teacher: the model to copy from.

    Returns:
        The model; its embeddings do not learn.

    Raises:
        RecipeError: an unknown pattern, position or rule.
        CheckpointError: layers or heads that the teacher does not have.
    """
    student = student_from_teacher(
        teacher,
        recipe.layers,
        plan=read_plan(recipe),
        positions=_read(Positions, recipe.positions, "positions"),
        unmatched=_read(Unmatched, recipe.unmatched, "unmatched"),
        fixed=frozenset(_read(Pattern, name, "fixed") for name in recipe.fixed),
    )
    student.encoder.requires_grad_(True)
    student.encoder.embeddings.requires_grad_(False)
    return student


def distill_student(run: Run, recipe: Recipe, encoder: str | None = None) -> dict[str, Any]:
    """Distil the teacher of a run into its student, or finish doing so, and write it down.

    Args:
        run: with prepared examples and a fitted teacher.
        recipe: the experiment.
        encoder: where the teacher's pretrained encoder is, if not where the recipe says.

    Returns:
        The figures of `run.student`.

    Raises:
        DataError: the examples are missing, or do not fit the run's text encoder.
        CheckpointError: the teacher is missing, has not the layers or heads that are asked for, or
            is not the one that the student was begun with.
        RecipeError: [student] names what there is not.
        TrainingError: the fit diverges.
    """
    if run.student.is_finished:
        return run.student.read_result()
    train, validation = run.open_examples(recipe.data)
    run.teacher.read_result()
    fit = recipe.student.fit
    teacher = load_model(run.teacher.model_path, base=encoder)
    teacher_sha256 = hash_tensors(teacher.state_dict())
    torch.manual_seed(fit.seed)  # what is not copied is drawn here
    student = make_student(recipe.student, teacher)
    scores = None
    if recipe.student.teacher_documents:
        scores = score_with_teacher(
            teacher,
            teacher_sha256,
            train,
            draw_documents(len(train), recipe.student.teacher_documents, fit.seed),
            run.student.path / "teacher_scores.npz",
            fit.batch_tokens,
        )
    fitted = Fit(
        student,
        fit,
        train,
        validation,
        run.student.path,
        teacher_logits=scores,
        teacher_sha256=teacher_sha256,
    )
    result = fitted.run().to_json()
    result |= {"recipe": recipe.name, "teacher_documents": len(scores or ())}
    result["validation"] = {"data": validation.description["source"], "n": len(validation)}
    note = f"validation ROUGE-1 {result['rouge1']:.2f}"
    save_model(student.cpu(), run.student.model_path, note=note)
    run.student.write_result(result)
    return result


def read_plan(recipe: StudentRecipe) -> Plan:
    """Turn a recipe's names into the pattern of each head of each layer.

    Args:
        recipe: its `plan` has one row for all layers, or one a layer.

    Returns:
        (layers, heads) patterns, None for a free head.

    Raises:
        RecipeError: no row, a number of rows that fits neither, or an unknown name.
    """
    rows = recipe.plan
    if len(rows) == 1:
        rows = rows * len(recipe.layers)
    if len(rows) != len(recipe.layers):
        raise RecipeError(
            f"plan: expected 1 row or {len(recipe.layers)} (one for each of layers), "
            f"got {len(rows)}"
        )
    return tuple(
        tuple(None if name == _FREE else _read(Pattern, name, "plan") for name in row)
        for row in rows
    )


def _read(kind: type[_Kind], name: str, where: str) -> _Kind:
    try:
        return kind(name)
    except ValueError:
        known = ", ".join(repr(str(item)) for item in kind)
        raise RecipeError(f"{where}: expected one of {known}, got {name!r}") from None
