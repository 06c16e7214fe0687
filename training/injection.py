"""The injected teacher: the fitted teacher with patterns beside its own attention, fitted further.

Source:
    Li et al., arXiv:2112.05364, section on injecting patterns into the original model.
"""

import dataclasses
from typing import Any

import torch

from training.fit.checkpoint import load_model, read_base, save_model
from training.fit.loop import Fit
from training.fit.tensor_hash import hash_tensors
from training.model.config import PalConfig
from training.model.extractive_model import ExtractiveModel
from training.model.patterns import Unmatched
from training.plan import read_head, read_name
from training.recipe import InjectionRecipe, Recipe
from training.run import Run


def inject_patterns(
    recipe: InjectionRecipe, teacher: ExtractiveModel, frozen_layers: int
) -> ExtractiveModel:
    """Put fresh Projected Attention Layers beside a teacher's attention; it scores as before.

    Args:
        recipe: what their heads carry.
        teacher: the model to copy.
        frozen_layers: how many of its lowest layers keep their own weights, as while the teacher
            was fitted; the new layers learn everywhere.

    Returns:
        The model; its embeddings do not learn.

    Raises:
        RecipeError: an unknown pattern or rule.
    """
    plan = tuple(read_head(name, "heads") for name in recipe.heads)
    pal = PalConfig(recipe.width, plan, read_name(Unmatched, recipe.unmatched, "unmatched"))
    model = ExtractiveModel(dataclasses.replace(teacher.config, pal=pal if plan else None))
    model.load_state_dict({**model.state_dict(), **teacher.state_dict()})
    model.encoder.embeddings.requires_grad_(False)
    for layer in list(model.encoder.layers)[:frozen_layers]:
        layer.requires_grad_(False)
        if layer.pal is not None:
            layer.pal.requires_grad_(True)
    return model


def fit_injected(run: Run, recipe: Recipe, encoder: str | None = None) -> dict[str, Any]:
    """Fit the teacher of a run further with patterns beside it, or finish it, and write it down.

    Args:
        run: with prepared examples and a fitted teacher.
        recipe: the experiment.
        encoder: where the teacher's pretrained encoder is, if not where its file says.

    Returns:
        The figures of `run.injected`.

    Raises:
        DataError: the examples are missing, or do not fit the run's text encoder.
        CheckpointError: the teacher is missing, or is not the one that this was begun with.
        RecipeError: [injection] names what there is not.
        TrainingError: the fit diverges.
    """
    if run.injected.is_finished:
        return run.injected.read_result()
    train, validation = run.open_examples(recipe.data)
    run.teacher.read_result()
    teacher = load_model(run.teacher.model_path, base=encoder)
    fit = recipe.injection.fit
    torch.manual_seed(fit.seed)  # the new layers' weights are drawn here
    model = inject_patterns(recipe.injection, teacher, recipe.teacher.frozen_layers)
    fitted = Fit(
        model,
        fit,
        train,
        validation,
        run.injected.path,
        teacher_sha256=hash_tensors(teacher.state_dict()),
        pal_rate=recipe.injection.rate if recipe.injection.heads else None,
    )
    result = fitted.run().to_json()
    result |= {"recipe": recipe.name, "heads": list(recipe.injection.heads)}
    result["validation"] = {"data": validation.description["source"], "n": len(validation)}
    save_model(
        model.cpu(),
        run.injected.model_path,
        base=read_base(run.teacher.model_path),
        note=f"validation ROUGE-1 {result['rouge1']:.2f}",
        base_at=encoder,
    )
    run.injected.write_result(result)
    return result
