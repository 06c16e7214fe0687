"""The student: some of the teacher's layers, a pattern in each head, distilled from the teacher.

Source:
    Li et al., arXiv:2112.05364, patterns in a smaller model's own heads; initialised by copying
    layers (Shleifer & Rush 2020).
"""

from typing import Any

import torch

from training.fit.checkpoint import load_model, save_model
from training.fit.loop import Fit
from training.fit.tensor_hash import hash_tensors
from training.mining.decisions import Decisions, JudgedModel
from training.model.config import Activation, Positions
from training.model.controls import Control
from training.model.extractive_model import ExtractiveModel
from training.model.inherited import student_from_teacher
from training.model.patterns import Pattern, Unmatched
from training.plan import one_for_each, place_patterns, read_name, read_plan
from training.recipe import Recipe, StudentRecipe
from training.run import Run
from training.teacher_scores import draw_documents, score_with_teacher


def make_student(
    recipe: StudentRecipe, teacher: ExtractiveModel, decisions: Decisions | None = None
) -> ExtractiveModel:
    """Make a student that has not been fitted yet.

    Args:
        recipe: the layers it starts from and the pattern of each head.
        teacher: the model to copy from.
        decisions: where a person found patterns in the teacher; they take the place of the plan.

    Returns:
        The model; its embeddings do not learn.

    Raises:
        RecipeError: an unknown pattern, position, activation, control or rule; the student starts
            from no head with an accepted pattern.
        CheckpointError: layers, heads or document layers that the teacher does not have, or a
            larger width or feed-forward block than its own; decisions about another model.
        DataError: several accepted patterns for one head.
    """
    if decisions is None:
        plan = read_plan(recipe)
    else:
        decisions.check_model(JudgedModel.describe(teacher))
        plan = place_patterns(recipe, decisions.accepted(), teacher.config.heads_by_layer)
    changes: dict[str, Any] = {}
    if recipe.width:
        changes["width"] = recipe.width
    if recipe.feed_forward:
        changes["feed_forward"] = one_for_each(recipe.feed_forward, recipe.layers)
    if recipe.activation:
        changes["activation"] = read_name(Activation, recipe.activation, "activation")
    if recipe.control:
        changes["control"] = read_name(Control, recipe.control, "control")
    student = student_from_teacher(
        teacher,
        recipe.layers,
        one_for_each(recipe.heads, recipe.layers),
        recipe.document_layers,
        **changes,
        plan=plan,
        is_last_for_cls=recipe.is_last_for_cls,
        positions=read_name(Positions, recipe.positions, "positions"),
        unmatched=read_name(Unmatched, recipe.unmatched, "unmatched"),
        fixed=frozenset(read_name(Pattern, name, "fixed") for name in recipe.fixed),
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
        DataError: the examples are missing, or do not fit the run's text encoder; the decisions
            are missing or malformed.
        CheckpointError: the teacher is missing, has not the layers or heads that are asked for, or
            is not the one that the student was begun with or the decisions are about.
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
    student = make_student(recipe.student, teacher, run.open_decisions(recipe.student))
    scores = None
    if recipe.student.teacher_documents:
        scores = score_with_teacher(
            teacher,
            teacher_sha256,
            train,
            draw_documents(len(train), recipe.student.teacher_documents, fit.seed),
            run.teacher_scores_path,
            fit.batch_tokens,
            fit.precision,
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
