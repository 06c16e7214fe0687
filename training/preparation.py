"""The preparation of a run: its text encoder, its training and its validation examples."""

import shutil
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from service.errors import DataError
from service.text.sentences import SentenceSplitter
from training.data.articles import Article, count_rows, read_articles, sample_articles
from training.data.examples import EncoderFiles, ExampleStore, prepare_examples
from training.data.file_hash import hash_file
from training.pretrained_tokenizer import load_pretrained_tokenizer
from training.recipe import Recipe
from training.run import Run

VALIDATION_SEED = 0
"""Of the draw of validation articles: the same ones whatever the seed of a fit."""


class Preparation:
    """Prepares what a run's models are shown; what is there already, and still fits, stays.

    Args:
        run: the folder.
        recipe: the experiment.
        encoder: pretrained encoder whose tokenizer is used, a hub name or a folder.
        punkt: the sentence splitter's parameters.

    Raises:
        CheckpointError: the encoder has no usable tokenizer.
        BundleError: the splitter's parameters cannot be read.
        DataError: a model of the run was fitted on examples of another encoder.
    """

    def __init__(self, run: Run, recipe: Recipe, encoder: str, punkt: Path) -> None:
        self._run = run
        self._recipe = recipe.data
        self._files = run.encoder_files(recipe.data)
        SentenceSplitter.from_json(punkt)
        draft = EncoderFiles(
            run.tokenizer_path.with_suffix(".draft"),
            run.punkt_path.with_suffix(".draft"),
            self._files.settings,
        )
        run.path.mkdir(parents=True, exist_ok=True)
        load_pretrained_tokenizer(encoder).save(str(draft.tokenizer))
        shutil.copyfile(punkt, draft.punkt)
        self._fingerprint = draft.open().fingerprint()
        for path in (run.train_path, run.validation_path):
            self._refuse_if_used(path, {"fingerprint": self._fingerprint})
        draft.tokenizer.replace(run.tokenizer_path)
        draft.punkt.replace(run.punkt_path)

    def prepare_train(self, source: str, unlabelled: str = "", jobs: int = 1) -> str:
        """Prepare the leading training articles, of the recipe's outlet if it names one.

        Args:
            source: as for `read_articles`.
            unlabelled: source of articles whose summaries are not to be learned from, "" for none;
                the recipe's outlet and limit are not for them.
            jobs: processes.

        Returns:
            One line that says what was done.

        Raises:
            DataError: the source cannot be read, or a model was fitted on other examples.
        """
        limit, outlet = self._recipe.max_train, self._recipe.outlet or None
        described = f"{describe_articles(source)}, first {limit}"
        described += f" of outlet {outlet}" if outlet else ""
        described += f"; {describe_articles(unlabelled)} without labels" if unlabelled else ""
        is_done = self._has(self._run.train_path, described)
        # Counting reads a file once more, quickly; how many are of an outlet it does not tell.
        n_rows = None if outlet or unlabelled or is_done else count_rows(source)
        articles = read_articles(source, limit=limit, outlet=outlet, blank="skip")
        if unlabelled:
            articles = chain(articles, read_articles(unlabelled, blank="skip", has_summaries=False))
        return self._prepare(
            self._run.train_path,
            articles,
            described,
            total=None if n_rows is None else min(n_rows, limit),
            jobs=jobs,
        )

    def prepare_validation(self, source: str, jobs: int = 1) -> str:
        """Prepare a seeded draw of the validation articles, whatever their outlet.

        Args:
            source: as for `read_articles`.
            jobs: processes.

        Returns:
            One line that says what was done.

        Raises:
            DataError: the source cannot be read, or a model was fitted on other examples.
        """
        n = self._recipe.max_validation
        described = f"{describe_articles(source)}, {n} drawn with seed {VALIDATION_SEED}"
        return self._prepare(
            self._run.validation_path,
            _draw(source, n),
            described,
            total=n,
            jobs=jobs,
        )

    def _prepare(
        self, path: Path, articles: Iterator[Article], source: str, *, total: int | None, jobs: int
    ) -> str:
        is_done = self._has(path, source)
        if not is_done:
            self._refuse_if_used(path, self._settings(source))
            path.parent.mkdir(parents=True, exist_ok=True)
            prepare_examples(articles, self._files, path, source=source, total=total, jobs=jobs)
        described = ExampleStore(path).description
        skipped = f", {described['skipped']} without a sentence left out"
        return (
            f"{path}: {'already prepared, ' if is_done else ''}{described['documents']} documents "
            f"({described['source']}), {described['tokens']} tokens"
            f"{skipped if described['skipped'] else ''}"
        )

    def _settings(self, source: str) -> dict[str, object]:
        """What prepared examples depend on, as their description has it."""
        return {
            "source": source,
            "max_tokens": self._recipe.max_tokens,
            "max_sentence_tokens": self._recipe.max_sentence_tokens,
            "fingerprint": self._fingerprint,
        }

    def _has(self, path: Path, source: str) -> bool:
        """Whether these very examples are there."""
        return _is_prepared(path) and self._differences(path, self._settings(source)) == []

    def _differences(self, path: Path, settings: dict[str, object]) -> list[str]:
        present = ExampleStore(path).description
        return [name for name, value in settings.items() if present.get(name) != value]

    def _refuse_if_used(self, path: Path, settings: dict[str, object]) -> None:
        """Raise if a model was begun on other examples than these settings give."""
        stages = (self._run.teacher, self._run.student, self._run.injected)
        begun = [stage for stage in stages if stage.is_begun]
        if not begun or not _is_prepared(path):
            return
        if differences := self._differences(path, settings):
            raise DataError(
                f"{begun[0].path} was begun with the examples in {path}, and these would "
                f"differ in {', '.join(differences)}; prepare them in another --run folder"
            )


def describe_articles(source: str) -> str:
    """Say which articles a source names, without the folder that they are in.

    Args:
        source: as for `read_articles`.

    Returns:
        The name of a dataset, or the name and the beginning of the sha256 of a file.

    Raises:
        DataError: the file cannot be read.
    """
    if source.startswith("hf:"):
        return source
    path = Path(source)
    return f"{path.name} ({hash_file(path)[:12]})"


def _is_prepared(path: Path) -> bool:
    return (path / "examples.json").exists()


def _draw(source: str, n: int) -> Iterator[Article]:
    """Draw the articles when the first one is asked for."""
    yield from sample_articles(read_articles(source, blank="skip"), n, VALIDATION_SEED)
