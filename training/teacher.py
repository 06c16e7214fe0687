"""The teacher: a BERT-like encoder fine-tuned as BERTSum.

Source:
    Liu & Lapata 2019 (arXiv:1908.08345), with the inter-sentence transformer of Liu 2019
    (arXiv:1903.10318).
"""

from typing import Any

import torch
from tokenizers import Tokenizer

from service.errors import CheckpointError
from training.fit.checkpoint import save_model
from training.fit.loop import Fit
from training.model.extractive_model import ExtractiveModel
from training.model.pretrained import from_pretrained_encoder
from training.pretrained_tokenizer import load_pretrained_tokenizer
from training.recipe import Recipe, TeacherRecipe
from training.run import Run


def make_teacher(recipe: TeacherRecipe, encoder: str | None = None) -> ExtractiveModel:
    """Make a teacher that has not been fitted yet.

    Args:
        recipe: its shape, and what stays frozen.
        encoder: pretrained encoder in place of the recipe's, a hub name or a folder.

    Returns:
        The model; its embeddings and lowest `frozen_layers` layers do not learn.

    Raises:
        CheckpointError: the encoder cannot be loaded or is not BERT-like.
    """
    model = from_pretrained_encoder(
        encoder or recipe.encoder,
        document_layers=recipe.document_layers,
        document_width=recipe.document_width,
        document_heads=recipe.document_heads,
        document_positions=recipe.document_positions,
        dropout=recipe.dropout,
    )
    model.encoder.embeddings.requires_grad_(False)
    for layer in list(model.encoder.layers)[: recipe.frozen_layers]:
        layer.requires_grad_(False)
    return model


def fit_teacher(run: Run, recipe: Recipe, encoder: str | None = None) -> dict[str, Any]:
    """Fit the teacher of a run, or finish fitting it, and write it down.

    Args:
        run: with prepared examples.
        recipe: the experiment.
        encoder: where the recipe's pretrained encoder is, if not where the recipe says; the written
            model names the recipe's.

    Returns:
        The figures of `run.teacher`.

    Raises:
        DataError: the examples are missing, or do not fit the run's text encoder.
        CheckpointError: the encoder cannot be loaded or is another one than that of the examples.
        TrainingError: the fit diverges.
    """
    if run.teacher.is_finished:
        return run.teacher.read_result()
    train, validation = run.open_examples(recipe.data)
    _refuse_other_vocabulary(run, encoder or recipe.teacher.encoder)
    torch.manual_seed(recipe.teacher.fit.seed)  # the scorer's new weights are drawn here
    model = make_teacher(recipe.teacher, encoder)
    result = Fit(model, recipe.teacher.fit, train, validation, run.teacher.path).run().to_json()
    result |= {"recipe": recipe.name, "encoder": recipe.teacher.encoder}
    result["validation"] = {"data": validation.description["source"], "n": len(validation)}
    save_model(
        model.cpu(),
        run.teacher.model_path,
        base=recipe.teacher.encoder,
        note=f"validation ROUGE-1 {result['rouge1']:.2f}",
        base_at=encoder,
    )
    run.teacher.write_result(result)
    return result


def _refuse_other_vocabulary(run: Run, encoder: str) -> None:
    """Raise if the examples' token ids mean other pieces to the encoder than to the run."""
    ours = Tokenizer.from_file(str(run.tokenizer_path)).get_vocab()
    if load_pretrained_tokenizer(encoder).get_vocab() != ours:
        raise CheckpointError(
            f"expected the encoder whose tokenizer the examples were prepared with, got "
            f"{encoder!r} with another vocabulary; give `patsum prepare` and `patsum teacher` "
            "the same --encoder"
        )
