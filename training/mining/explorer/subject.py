"""What the explorer opens: one fitted model of a run, and the validation documents to look at."""

import threading
from pathlib import Path
from typing import cast

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer

from service.errors import DataError
from training.data.examples import ExampleStore
from training.fit.checkpoint import load_model
from training.mining.subject import to_dense
from training.model.encoder import EncoderLayer
from training.model.extractive_model import ExtractiveModel
from training.recipe import read_recipe
from training.run import Run, Stage

DocumentNumbers = npt.NDArray[np.int64]


class Subject:
    """A model under the eyes of a person, whole after `open_subject`.

    Args:
        name: of the stage, "teacher" or "student".
        model: in eval mode, in the dense form: every head has its map of attention.
        store: prepared validation examples.
        tokenizer: that of the run.
        folder: where what is computed once may be kept.
        n_shown: documents to look at; the store's first.
        n_held: documents that a what-if is measured on; the store's last, never among those shown.

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
        folder: Path,
        n_shown: int,
        n_held: int,
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
        self.folder = folder
        self.lock = threading.Lock()
        n_held = min(n_held, max(1, len(store) // 3))
        n_shown = min(n_shown, len(store) - n_held)
        self.shown: DocumentNumbers = np.arange(n_shown)
        self.held: DocumentNumbers = np.arange(len(store) - n_held, len(store))

    @property
    def source(self) -> str:
        """Where the documents came from."""
        return str(self.store.description["source"])


def open_subject(
    run_path: Path,
    stage_name: str = "teacher",
    *,
    encoder: str | None = None,
    n_shown: int = 100,
    n_held: int = 60,
) -> Subject:
    """Open a model of a run.

    Args:
        run_path: the folder of the run.
        stage_name: "teacher" or "student".
        encoder: where the pretrained encoder is now, if not where the model says.
        n_shown: most documents to look at, at least 1.
        n_held: most documents to measure on, at least 1.

    Returns:
        The subject; documents are read from disk when they are asked for.

    Raises:
        DataError: no run folder, no prepared examples, or too few.
        RecipeError: its recipe cannot be read.
        CheckpointError: the model is not fitted yet, or its pretrained encoder is another one.
    """
    run = Run(run_path)
    if not run.recipe_path.exists():
        raise DataError(
            f"expected the folder of a run, with recipe.toml in it, at {run_path}; make one with "
            f"`patsum prepare RECIPE --run {run_path}`"
        )
    recipe = read_recipe(run.recipe_path)
    _, store = run.open_examples(recipe.data)
    stage: Stage = getattr(run, stage_name)
    stage.read_result()
    return Subject(
        stage_name,
        to_dense(load_model(stage.model_path, encoder)).requires_grad_(False),
        store,
        Tokenizer.from_file(str(run.tokenizer_path)),
        stage.path / "explorer",
        n_shown,
        n_held,
    )


def token_layers(model: ExtractiveModel) -> list[EncoderLayer]:
    """The layers over tokens, from the lowest."""
    return cast(list[EncoderLayer], list(model.encoder.layers))
