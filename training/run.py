"""The run folder: where the stages of one experiment leave what they made.

recipe.toml                    the recipe, as it was given
tokenizer.json, punkt.json     what texts are encoded with              `patsum prepare`
data/train, data/validation    prepared examples                        `patsum prepare`
teacher/, student/             see `Stage`                              `patsum teacher`, `distill`
decisions.json                 which head carries what, by a person     `patsum explore`
injected/                      see `Stage`                              `patsum inject`
bundle/                        what the service reads                   `patsum export`
"""

import json
from dataclasses import fields
from pathlib import Path
from typing import Any

from service.errors import CheckpointError, DataError, RecipeError
from service.text.encode import EncoderSettings
from training.data.examples import EncoderFiles, ExampleStore
from training.mining.decisions import Decisions, read_decisions
from training.plan import read_head, read_plan
from training.recipe import DataRecipe, Recipe, StudentRecipe, read_recipe


class Stage:
    """The folder of one fitted model.

    teacher_scores.npz                       of a student: what it follows
    state.pt, best.safetensors, log.jsonl    of `Fit`, to resume from
    model.safetensors                        the finished model
    result.json                              its figures; written last, so it marks the end

    Args:
        path: the folder; it need not exist yet.
        command: the subcommand of `patsum` that fills it.
    """

    def __init__(self, path: Path, command: str) -> None:
        self.path = path
        self.command = command
        self.model_path = path / "model.safetensors"
        self.result_path = path / "result.json"

    @property
    def is_begun(self) -> bool:
        """A file is there, be it the teacher's scores that the first step of a fit waits for."""
        return self.path.is_dir() and any(self.path.iterdir())

    @property
    def is_finished(self) -> bool:
        """The model is there, whole."""
        return self.result_path.exists()

    def write_result(self, result: dict[str, Any]) -> None:
        """Write the figures, and so mark the stage as finished."""
        draft = self.result_path.with_suffix(".draft")
        draft.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
        draft.replace(self.result_path)

    def read_result(self) -> dict[str, Any]:
        """Read the figures.

        Raises:
            CheckpointError: the stage is not finished.
        """
        if not self.is_finished:
            state = "not finished" if self.is_begun else "not begun"
            raise CheckpointError(
                f"expected a fitted {self.path.name} in {self.path}, which is {state}; "
                f"run `patsum {self.command} RECIPE --run {self.path.parent}` first"
            )
        result: dict[str, Any] = json.loads(self.result_path.read_text(encoding="utf-8"))
        return result


class Run:
    """The folder of one experiment.

    Args:
        path: the folder; it need not exist yet.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.recipe_path = path / "recipe.toml"
        self.tokenizer_path = path / "tokenizer.json"
        self.punkt_path = path / "punkt.json"
        self.train_path = path / "data" / "train"
        self.validation_path = path / "data" / "validation"
        self.teacher = Stage(path / "teacher", "teacher")
        self.student = Stage(path / "student", "distill")
        self.injected = Stage(path / "injected", "inject")
        self.teacher_scores_path = self.student.path / "teacher_scores.npz"
        self.bundle_path = path / "bundle"
        self._decisions_at = path

    def adopt_recipe(self, source: Path) -> Recipe:
        """Read a recipe and copy it into the folder, its decisions file too if it lies beside it.

        What a stage has begun with stays: [data] and [teacher] from the first file of the teacher
        on, [student] from that of the student on, [injection] from that of the injected teacher.

        Args:
            source: the recipe; the folder's own will do.

        Returns:
            The recipe.

        Raises:
            RecipeError: it cannot be read, its plan names what there is not, or it differs where
                a stage has begun; the run has other decisions than the recipe brings.
            DataError: the decisions file beside it is malformed.
        """
        recipe = read_recipe(source)
        try:
            refuse_unknown_heads(recipe)  # a typo should not wait until the teacher is fitted
        except RecipeError as error:
            raise RecipeError(f"{source}: {error}") from None
        if self.recipe_path.exists():
            present = read_recipe(self.recipe_path)
            for stage, sections in (
                (self.teacher, ("data", "teacher")),
                (self.student, ("data", "teacher", "student")),
                (self.injected, ("data", "teacher", "injection")),
            ):
                for section in sections if stage.is_begun else ():
                    _refuse_difference(source, stage, section, present, recipe)
        if recipe.student.decisions:
            self.adopt_decisions(source.with_name(recipe.student.decisions))
        _copy(source, self.recipe_path)
        return recipe

    def open_decisions(self, recipe: StudentRecipe) -> Decisions | None:
        """Read the decisions that a student follows; None where it has a plan.

        Raises:
            DataError: the file is missing or malformed.
        """
        return read_decisions(self._decisions_at / recipe.decisions) if recipe.decisions else None

    def branch(self, path: Path, teacher_scores_path: Path) -> "Run":
        """A run of the same examples, teacher and decisions, whose other stages lie elsewhere.

        Args:
            path: its folder.
            teacher_scores_path: where it keeps the teacher's scores; branches may share them.
        """
        branch = Run(path)
        branch.tokenizer_path, branch.punkt_path = self.tokenizer_path, self.punkt_path
        branch.train_path, branch.validation_path = self.train_path, self.validation_path
        branch.teacher = self.teacher
        branch.teacher_scores_path = teacher_scores_path
        branch._decisions_at = self._decisions_at
        return branch

    def adopt_decisions(self, source: Path) -> None:
        """Copy the decisions file beside a recipe, if there is one; else the run's own counts.

        Raises:
            RecipeError: the run has other decisions under this name.
            DataError: a file is malformed.
        """
        target = self._decisions_at / source.name
        if not source.exists():
            return
        if target.exists() and read_decisions(target) != read_decisions(source):
            raise RecipeError(
                f"expected one decisions file, got two that differ, {source} and {target}; give "
                "one of them another name, or delete it"
            )
        read_decisions(source)
        _copy(source, target)

    def encoder_files(self, recipe: DataRecipe) -> EncoderFiles:
        """Where the run's text encoder is made from."""
        settings = EncoderSettings(recipe.max_tokens, recipe.max_sentence_tokens)
        return EncoderFiles(self.tokenizer_path, self.punkt_path, settings)

    def open_examples(self, recipe: DataRecipe) -> tuple[ExampleStore, ExampleStore]:
        """Open the prepared examples, those to learn from and those to choose by.

        Raises:
            DataError: they are missing, or were encoded by another encoder than the folder's.
        """
        command = f"`patsum prepare RECIPE --run {self.path}`"
        for path in (self.train_path, self.validation_path):
            if not (path / "examples.json").exists():
                raise DataError(f"expected prepared examples in {path}; run {command} first")
        stores = ExampleStore(self.train_path), ExampleStore(self.validation_path)
        fingerprint = self.encoder_files(recipe).open().fingerprint()
        for store in stores:
            if store.description["fingerprint"] != fingerprint:
                raise DataError(
                    f"{store.path} was encoded with other limits, tokenizer or sentence splitter "
                    f"than the run has now; run {command} again"
                )
        return stores


def _copy(source: Path, target: Path) -> None:
    """Copy a text file; a kill at any time leaves the old one or the new one, whole."""
    text = source.read_text(encoding="utf-8")
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_suffix(".draft")
    draft.write_text(text, encoding="utf-8")
    draft.replace(target)


def refuse_unknown_heads(recipe: Recipe) -> None:
    """Check that every head is to carry what there is.

    Raises:
        RecipeError: an unknown name, or a plan with too many or too few rows.
    """
    if recipe.student.plan:
        read_plan(recipe.student)
    read_head(recipe.student.undecided, "undecided")
    for name in recipe.injection.heads:
        read_head(name, "heads")


def _refuse_difference(
    source: Path, stage: Stage, section: str, present: Recipe, wanted: Recipe
) -> None:
    """Raise if a section is not what a stage has begun with."""
    old, new = getattr(present, section), getattr(wanted, section)
    if old == new:
        return
    names = (item.name for item in fields(old))
    different = [name for name in names if getattr(old, name) != getattr(new, name)]
    raise RecipeError(
        f"{source}: [{section}] differs from the recipe that {stage.path} was begun with, "
        f"in {', '.join(different)}; give that recipe, or another --run folder"
    )
