"""What the explorer opens: one fitted model of a run, and the validation documents to look at."""

import threading
from pathlib import Path
from typing import cast

import numpy as np
import numpy.typing as npt
import torch
from tokenizers import Tokenizer

from service.errors import DataError
from training.data.examples import ExampleStore
from training.fit.checkpoint import load_model
from training.mining.subject import Source, open_token_classes, to_dense
from training.mining.tokens import TokenClasses, Tokens
from training.model.config import ModelConfig
from training.model.encoder import EncoderLayer
from training.model.extractive_model import ExtractiveModel
from training.plan import Places, teacher_places
from training.recipe import read_recipe
from training.run import Run

DocumentNumbers = npt.NDArray[np.int64]


class Exhibit:
    """A model under the eyes of a person, whole after `open_exhibit`.

    Args:
        name: of the stage, "teacher" or "student".
        model: in eval mode, in the dense form: every head has its map of attention.
        store: prepared validation examples.
        tokenizer: that of the run.
        classes: of the tokenizer's vocabulary.
        folder: where what is computed once may be kept.
        n_shown: documents to look at; the store's first.
        n_held: documents that a what-if is measured on; the store's last, never among those shown.
        origins: of a student, the teacher's layer and head that each of its heads began as, by
            layer and head; None where that is not known.

    Attributes:
        shown: (documents,) int64 numbers of those to look at.
        held: (documents,) int64 numbers of those to measure on.
        lock: held while the model computes, for a what-if changes it meanwhile.

    Raises:
        DataError: the store has a single document.
    """

    def __init__(
        self,
        name: str,
        model: ExtractiveModel,
        store: ExampleStore,
        tokenizer: Tokenizer,
        classes: TokenClasses,
        folder: Path,
        n_shown: int,
        n_held: int,
        origins: Places | None = None,
    ) -> None:
        if len(store) < 2:
            raise DataError(
                f"expected at least 2 validation documents in {store.path}, one to look at and one "
                f"to measure on, got {len(store)}; prepare more with `patsum prepare`"
            )
        self.name = name
        self.model = model
        self.store = store
        self.tokenizer = tokenizer
        self.classes = classes
        self.folder = folder
        self.origins = origins
        self.lock = threading.Lock()
        n_held = min(n_held, max(1, len(store) // 3))
        n_shown = min(n_shown, len(store) - n_held)
        self.shown: DocumentNumbers = np.arange(n_shown)
        self.held: DocumentNumbers = np.arange(len(store) - n_held, len(store))

    def tokens(self, number: int) -> Tokens:
        """The tokens of a document of the store as predicates see them."""
        example = self.store[number]
        return self.classes.read(
            torch.from_numpy(example.token_ids), torch.from_numpy(example.sentence_ids)
        )

    @property
    def source(self) -> str:
        """Where the documents came from."""
        return str(self.store.description["source"])


def open_exhibit(
    run_path: Path,
    stage_name: str = "teacher",
    *,
    encoder: str | None = None,
    n_shown: int = 100,
    n_held: int = 60,
) -> Exhibit:
    """Open a model of a run.

    Args:
        run_path: the folder of the run.
        stage_name: "teacher" or "student".
        encoder: where the pretrained encoder is now, if not where the model says.
        n_shown: most documents to look at, at least 1.
        n_held: most documents to measure on, at least 1.

    Returns:
        The exhibit; documents are read from disk when they are asked for.

    Raises:
        DataError: no run folder, no prepared examples, or too few.
        RecipeError: its recipe cannot be read.
        CheckpointError: the model is not fitted yet, or its pretrained encoder or its
            tokenizer is another one.
    """
    run = Run(run_path)
    if not run.recipe_path.exists():
        raise DataError(
            f"expected the folder of a run, with recipe.toml in it, at {run_path}; make one with "
            f"`patsum prepare RECIPE --run {run_path}`"
        )
    source = Source(run=run_path, stage=stage_name, encoder=encoder)
    store, path = source.open_examples(), source.model_path()
    model = to_dense(load_model(path, encoder)).requires_grad_(False)
    return Exhibit(
        stage_name,
        model,
        store,
        Tokenizer.from_file(str(source.tokenizer_path())),
        open_token_classes(source, model),
        path.parent / "explorer",
        n_shown,
        n_held,
        _find_origins(run, model.config) if stage_name == "student" else None,
    )


def fitted_stages(run_path: Path) -> tuple[str, ...]:
    """The models of a run that there are to look into; "teacher" where there is none yet."""
    run = Run(run_path)
    stages = (("teacher", run.teacher), ("student", run.student))
    return tuple(name for name, stage in stages if stage.is_finished) or ("teacher",)


def _find_origins(run: Run, config: ModelConfig) -> Places | None:
    """Where a student's heads began; None for one that was made by another recipe."""
    recipe = read_recipe(run.recipe_path).student
    # A recipe without heads took all of a layer's: what the student has tells what the teacher had.
    taken = dict(zip(recipe.layers, config.heads_by_layer, strict=False))
    counts = [taken.get(layer, 0) for layer in range(1 + max(recipe.layers))]
    origins = teacher_places(recipe, counts)
    return origins if tuple(map(len, origins)) == config.heads_by_layer else None


def token_layers(model: ExtractiveModel) -> list[EncoderLayer]:
    """The layers over tokens, from the lowest."""
    return cast(list[EncoderLayer], list(model.encoder.layers))
