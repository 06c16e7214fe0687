"""From a run folder to a bundle: trace, quantize, verify, pack."""

import dataclasses
import json
import math
from pathlib import Path

import numpy as np
import numpy.typing as npt

from export.crop import crop_positions
from export.pack import pack_bundle, refuse_other_folder
from export.placements import explain_plan
from export.quantize import quantize
from export.to_onnx import Backend, export_onnx
from export.verify import Limits, verify
from service.errors import CheckpointError, ExportError
from service.inference.bundle import Bundle
from training.data.examples import ExampleStore
from training.fit.checkpoint import load_model
from training.model.config import ModelConfig
from training.recipe import read_recipe
from training.run import Run, Stage

# Enough for scales that the next documents do not change; a minute of nothing else.
_CALIBRATION_DOCUMENTS = 128


def export_run(
    folder: Path,
    out: Path | None = None,
    *,
    variant: str | None = None,
    encoder: str | None = None,
    backend: Backend = Backend.OPTIMUM,
    max_tokens: int | None = None,
    max_sentences: int | None = None,
    weights: str = "int8",
    n_documents: int = 200,
    limits: Limits | None = None,
) -> Bundle:
    """Make a bundle of a run's student.

    The float and int8 graphs and `verification.json` stay in `export` beside the student's folder.

    Args:
        folder: a run whose student is finished.
        out: bundle folder to write; `bundle` beside the student's folder when not given, or
            `bundle-float32`.
        variant: in place of the run's student, that of one fit of an ablation in it:
            "NAME/VARIANT/seed-N".
        encoder: where the pretrained encoder of a compact student is, if not where the file says.
        backend: what traces the graph.
        max_tokens: most tokens that the service reads; as in training when not given.
        max_sentences: most sentences that it reads; those of `EncoderSettings` when not given.
        weights: the number format that is packed, "int8" or "float32".
        n_documents: validation documents to compare the forms on; fewer if there are fewer.
        limits: how far apart the forms may be; the defaults of `Limits` when not given.

    Returns:
        The bundle, verified.

    Raises:
        DataError: `out` is a folder of something else, or the validation examples or the decisions
            that the student follows are missing.
        CheckpointError: the student is missing.
        ExportError: the service would read further than the model can, a form differs from the
            trained model by more than its limit, or the model is one of a comparison only.
    """
    run = Run(folder)
    student = run.student if variant is None else _find_variant(run, variant)
    beside = student.path.parent
    out = out or beside / ("bundle" if weights == "int8" else f"bundle-{weights}")
    refuse_other_folder(out)
    result = student.read_result()
    recipe = read_recipe(run.recipe_path)
    encoder_files = run.encoder_files(recipe.data)
    settings = encoder_files.settings
    settings = dataclasses.replace(
        settings,
        max_tokens=settings.max_tokens if max_tokens is None else max_tokens,
        max_sentences=settings.max_sentences if max_sentences is None else max_sentences,
    )
    encoder_files = dataclasses.replace(encoder_files, settings=settings)
    model = crop_positions(load_model(student.model_path, encoder), encoder_files.settings)
    _refuse_comparison(model.config)
    reasons = None  # a variant's own recipe is not the run's, and neither are its reasons
    if variant is None:
        reasons = explain_plan(recipe, run.open_decisions(recipe.student), model.config.plan)
    train, validation = run.open_examples(recipe.data)
    export_folder = beside / "export"
    float_path, int8_path = export_folder / "float.onnx", export_folder / "int8.onnx"
    (export_folder / "verification.json").unlink(missing_ok=True)  # of an export before
    export_onnx(model, float_path, backend)
    quantize(float_path, int8_path, _calibration_inputs(train))
    n_compared = min(n_documents, len(validation))
    numbers = np.linspace(0, len(validation) - 1, n_compared).astype(int).tolist()
    limits = limits or Limits()
    if weights == "float32":  # what rounding would lose does not matter
        limits = dataclasses.replace(limits, min_kendall_tau=-1.0, max_rouge1_loss=math.inf)
    measured = verify(model, float_path, int8_path, validation, numbers, limits)
    (export_folder / "verification.json").write_text(
        json.dumps(measured.to_json(), indent=2) + "\n"
    )
    return pack_bundle(
        out,
        name=recipe.name if variant is None else variant.replace("/", "-"),
        model=model,
        model_path={"int8": int8_path, "float32": float_path}[weights],
        weights=weights,
        encoder_files=encoder_files,
        reasons=reasons,
        training={
            "recipe": recipe.name,
            "base_encoder": recipe.teacher.encoder,
            "training_data": train.description["source"],
            **({"texts": recipe.texts} if recipe.texts else {}),
            "teacher": run.teacher.read_result(),
            "student": result,
            "verification": measured.to_json(),
        },
    )


def _find_variant(run: Run, variant: str) -> Stage:
    """The student of one fit of an ablation.

    Raises:
        CheckpointError: there is none.
    """
    ablations = run.path / "ablations"
    student = Run(ablations / variant).student
    if not student.is_finished:
        there = sorted(
            str(path.parent.parent.relative_to(ablations))
            for path in ablations.glob("*/*/seed-*/student/result.json")
        )
        raise CheckpointError(
            f"expected a fitted student as NAME/VARIANT/seed-N in {ablations}, got {variant!r}; "
            f"there are: {', '.join(there) or 'none, see `patsum ablate`'}"
        )
    return student


def _calibration_inputs(train: ExampleStore) -> list[dict[str, npt.NDArray[np.int64]]]:
    """Training documents from all over the store, as the graph takes them."""
    step = max(1, len(train) // _CALIBRATION_DOCUMENTS)
    examples = [train[number] for number in range(0, len(train), step)[:_CALIBRATION_DOCUMENTS]]
    return [{"token_ids": e.token_ids, "sentence_ids": e.sentence_ids} for e in examples]


def _refuse_comparison(config: ModelConfig) -> None:
    """Raise if the explanations of a bundle would not tell where the model looks."""
    if config.control is not None:
        raise ExportError(
            f"expected a student that looks where its patterns say, got one with the control "
            f"{config.control!s}; distil one without `control` in [student]"
        )
    if config.pal is not None:
        raise ExportError(
            "expected a student without Projected Attention Layers, whose attention a bundle does "
            "not explain; export the student of `patsum distill`"
        )
