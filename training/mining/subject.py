"""What is mined: a fitted model, and the documents that it is looked at on."""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer
from tqdm import tqdm

from service.errors import CheckpointError, DataError
from training.data.examples import ExampleStore
from training.fit.batches import Batch, make_batch
from training.fit.checkpoint import load_model
from training.fit.tensor_hash import hash_tensors
from training.mining.tokens import TokenClasses
from training.model.extractive_model import ExtractiveModel
from training.recipe import read_recipe
from training.run import Run

Measured = TypeVar("Measured")

# Fewer documents have no interval worth the name.
_LEAST_DOCUMENTS = 2


@dataclass(frozen=True)
class Source:
    """Where model, documents and tokenizer are: a run folder, or each by itself.

    Attributes:
        run: folder of a run; None when the other paths are given.
        stage: which model of the run, "teacher" or "student".
        checkpoint: in place of the run's model.
        examples: folder of prepared examples in place of the run's validation examples.
        tokenizer: tokenizer.json that they were prepared with, in place of the run's.
        encoder: where the pretrained encoder of a compact checkpoint is, if not where it says.
    """

    run: Path | None = None
    stage: str = "teacher"
    checkpoint: Path | None = None
    examples: Path | None = None
    tokenizer: Path | None = None
    encoder: str | None = None

    @property
    def name(self) -> str:
        """What to call the model in file names."""
        return self.stage if self.checkpoint is None else self.checkpoint.stem

    def model_path(self) -> Path:
        """Find the model.

        Raises:
            CheckpointError: neither a checkpoint nor a run is given, or the run's stage has no
                finished model.
        """
        if self.checkpoint is not None:
            return self.checkpoint
        if self.run is None:
            raise CheckpointError("expected a run folder or --checkpoint FILE, got neither")
        run = Run(self.run)
        stage = {"teacher": run.teacher, "student": run.student}[self.stage]
        stage.read_result()
        return stage.model_path

    def open_examples(self) -> ExampleStore:
        """Open the documents.

        Raises:
            DataError: neither examples nor a run are given, or they are missing or do not fit.
            RecipeError: the run's recipe cannot be read.
        """
        if self.examples is not None:
            return ExampleStore(self.examples)
        if self.run is None:
            raise DataError("expected a run folder or --examples FOLDER, got neither")
        run = Run(self.run)
        return run.open_examples(read_recipe(run.recipe_path).data)[1]

    def tokenizer_path(self) -> Path:
        """Find the tokenizer.

        Raises:
            DataError: neither a tokenizer nor a run is given.
        """
        if self.tokenizer is not None:
            return self.tokenizer
        if self.run is None:
            raise DataError("expected a run folder or --tokenizer FILE, got neither")
        return Run(self.run).tokenizer_path


@dataclass(frozen=True, eq=False)
class Subject:
    """A model and some documents.

    Attributes:
        model: in the dense form, in eval mode.
        store: all documents that there are.
        numbers: (documents,) int64 which ones are looked at, in the order of their draw: a run
            with fewer looks at the first of them.
        identity: for reports: which model, which documents.
    """

    model: ExtractiveModel
    store: ExampleStore
    numbers: npt.NDArray[np.int64]
    identity: dict[str, Any]

    def measure(self, measure: Callable[[Batch], Measured], title: str) -> list[Measured]:
        """Measure document by document, with a progress bar.

        Ctrl-C ends it early and keeps what is measured: the documents so far are a draw as well.

        Args:
            measure: called with a batch of one document.
            title: of the bar.

        Returns:
            One result a document, those of the first of `numbers`.

        Raises:
            KeyboardInterrupt: before the second document was measured.
        """
        measured: list[Measured] = []
        numbers = tqdm(self.numbers, desc=title, unit=" documents")
        try:
            # One by one into the list, so that an interrupt leaves what is there.
            measured.extend(measure(make_batch(self.store, np.array([n]))) for n in numbers)
        except KeyboardInterrupt:
            if len(measured) < _LEAST_DOCUMENTS:
                raise
        return measured

    def identify(self, n_measured: int) -> dict[str, Any]:
        """What a report says of where its figures come from."""
        return {
            **self.identity,
            "n": n_measured,
            "documents": [int(number) for number in self.numbers[:n_measured]],
        }


def open_subject(source: Source, documents: int, seed: int) -> Subject:
    """Load the model and draw the documents.

    Args:
        source: where they are.
        documents: how many to draw; all that there are when there are fewer.
        seed: of the draw.

    Returns:
        The subject.

    Raises:
        CheckpointError: there is no model, or its vocabulary is smaller than the documents need.
        DataError: the documents are missing, or fewer than two.
        RecipeError: the run's recipe cannot be read.
    """
    path = source.model_path()
    store = source.open_examples()
    if len(store) < _LEAST_DOCUMENTS:
        raise DataError(
            f"expected at least {_LEAST_DOCUMENTS} documents in {store.path}, got {len(store)}"
        )
    model = to_dense(load_model(path, source.encoder))
    numbers = np.random.default_rng(seed).permutation(len(store))[:documents]
    highest = max(int(store[int(number)].token_ids.max()) for number in numbers)
    if highest >= model.config.vocabulary:
        raise CheckpointError(
            f"{path} knows {model.config.vocabulary} tokens, but {store.path} holds token "
            f"{highest}: they were encoded for another model; prepare them with its tokenizer"
        )
    identity = {
        "model": {"name": source.name, "sha256": hash_tensors(model.state_dict())},
        "examples": {key: store.description[key] for key in ("source", "fingerprint")},
        "seed": seed,
    }
    return Subject(model, store, numbers, identity)


def to_dense(model: ExtractiveModel) -> ExtractiveModel:
    """The same model in the dense form, in which every head has an attention map.

    A last layer that is there for the [CLS] alone is computed for all tokens, too: of its maps,
    only the rows of the [CLS] reach the scorer.
    """
    if model.config.is_structured:
        dense = ExtractiveModel(dataclasses.replace(model.config, is_structured=False))
        dense.load_state_dict(model.state_dict())
        model = dense
    return model.eval()


def open_token_classes(source: Source, model: ExtractiveModel) -> TokenClasses:
    """Read the classes of the vocabulary.

    Args:
        source: where the tokenizer is.
        model: that reads its tokens.

    Returns:
        The classes.

    Raises:
        DataError: there is no tokenizer, or it cannot be read.
        CheckpointError: it belongs to another model.
        BundleError: it has no token to open and close a sentence with.
    """
    path = source.tokenizer_path()
    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:  # tokenizers raises nothing more specific
        raise DataError(f"expected a tokenizer.json in {path}: {error}") from error
    if tokenizer.get_vocab_size() != model.config.vocabulary:
        raise CheckpointError(
            f"expected the tokenizer of the model, with {model.config.vocabulary} tokens, got "
            f"{tokenizer.get_vocab_size()} in {path}"
        )
    return TokenClasses(tokenizer)
