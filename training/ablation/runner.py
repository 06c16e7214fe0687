"""The runner of an ablation: fits and measures every variant with every seed, one after the other.

RUN/ablations/NAME/ holds

    VARIANT/seed-N/settings.json     what the fit was begun with
    VARIANT/seed-N/STAGE/            the fitted model, see `Stage`
    VARIANT/seed-N/measured.json     its figures by document; written last, so it marks the end
    teacher_scores/                  what students follow, shared by the variants of a seed
    results.json, results.svg        the comparison, anew after every fit
"""

import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from service.errors import CheckpointError
from training.ablation.measure import (
    Measured,
    measure_lead,
    measure_model,
    read_measured,
    write_measured,
)
from training.ablation.plot import draw_differences
from training.ablation.recipe import Ablation
from training.ablation.results import Provenance, Results, compare
from training.data.examples import ExampleStore
from training.data.file_hash import hash_file
from training.fit.checkpoint import load_model
from training.injection import fit_injected
from training.mining.decisions import JudgedModel
from training.plan import place_patterns
from training.recipe import Recipe, StudentRecipe
from training.run import Run, Stage
from training.student import distill_student

_LEFT_BY_FITS = ("state.pt", "best.safetensors")


class AblationRunner:
    """Runs one ablation in a run folder; what is finished there is kept.

    Args:
        run: with prepared examples and a fitted teacher.
        ablation: what to compare.
        encoder: where the teacher's pretrained encoder is, if not where its file says.
        command: how it was called, for the record.
        say: told in a line before each fit where the whole stands.

    Raises:
        CheckpointError: the teacher is missing, or has not the layers that a variant with
            decisions starts from, or those decisions are about another one.
        DataError: the examples are missing, or do not fit the run's text encoder; such decisions
            are missing or malformed.
        RecipeError: a student starts from no head with an accepted pattern.
    """

    def __init__(
        self,
        run: Run,
        ablation: Ablation,
        encoder: str | None = None,
        command: str = "",
        say: Callable[[str], None] = lambda line: None,
    ) -> None:
        run.teacher.read_result()
        self.path = run.path / "ablations" / ablation.name
        self._run = run
        self._ablation = ablation
        self._encoder = encoder
        self._say = say
        any_variant = next(iter(ablation.variants.values()))  # all have the base's [data]
        self._batch_tokens = int(getattr(any_variant, ablation.section).fit.batch_tokens)
        train, self._validation = run.open_examples(any_variant.data)
        self._provenance = Provenance(
            name=ablation.name,
            section=ablation.section,
            seeds=ablation.seeds,
            teacher=hash_file(run.teacher.model_path),
            train=_describe(train),
            validation=_describe(self._validation),
            command=command,
        )
        self._check_decisions()

    def run(self) -> Results:
        """Fit and measure what is missing, and compare; a call that was stopped is taken up.

        Raises:
            CheckpointError: a fit was begun with other settings, or a model with another teacher.
            DataError: the decisions that a variant follows are missing or malformed.
            RecipeError: a variant asks for what there is not.
            TrainingError: a fit diverges.
        """
        baselines = {
            "Lead-3": self._measure_once("lead3", lambda: measure_lead(self._validation)),
            "teacher": self._measure_once("teacher", self._measure_teacher),
        }
        variants = self._ablation.variants
        cells = [(name, seed) for seed in self._ablation.seeds for name in variants]
        measured: dict[str, list[Measured]] = {}
        for number, (name, seed) in enumerate(cells, start=1):
            self._say(f"{name}, seed {seed} ({number} of {len(cells)})")
            measured.setdefault(name, []).append(self._run_cell(name, seed))
            results = self._write_results(measured, baselines)
        return results

    def _check_decisions(self) -> None:
        """Refuse at once what would else end the call after hours of fits."""
        students = [variant.student for variant in self._ablation.variants.values()]
        deciding = [student for student in students if student.decisions]
        if self._ablation.section != "student" or not deciding:
            return
        teacher = JudgedModel.describe(load_model(self._run.teacher.model_path, self._encoder))
        for student in deciding:
            decisions = self._run.open_decisions(student)
            assert decisions is not None
            decisions.check_model(teacher)
            place_patterns(student, decisions.accepted(), teacher.heads_by_layer)

    def _run_cell(self, variant: str, seed: int) -> Measured:
        """Fit and measure one variant with one seed."""
        folder = self.path / variant / f"seed-{seed}"
        recipe = self._ablation.recipe(variant, seed)
        n_scored = recipe.student.teacher_documents
        scores = self.path / "teacher_scores" / f"{n_scored}-seed-{seed}.npz"
        branch = self._run.branch(folder, scores)
        _hold_to(folder / "settings.json", self._settings(recipe, branch))
        path = folder / "measured.json"
        if path.exists():
            return read_measured(path)
        stage = self._fit(branch, recipe)
        model = load_model(stage.model_path, base=self._encoder)
        measured = measure_model(model, self._validation, self._batch_tokens)
        write_measured(measured, path)
        for name in _LEFT_BY_FITS:  # several times a model's size, and of no more use
            (stage.path / name).unlink(missing_ok=True)
        return measured

    def _fit(self, branch: Run, recipe: Recipe) -> Stage:
        if self._ablation.section == "injection":
            fit_injected(branch, recipe, self._encoder)
            return branch.injected
        distill_student(branch, recipe, self._encoder)
        return branch.student

    def _settings(self, recipe: Recipe, branch: Run) -> dict[str, Any]:
        """All that the outcome of one fit depends on."""
        section = self._ablation.section
        decided = branch.open_decisions(recipe.student) if section == "student" else None
        accepted = decided.accepted() if decided else {}
        return {
            "data": dataclasses.asdict(recipe.data),
            "teacher": dataclasses.asdict(recipe.teacher),
            section: dataclasses.asdict(getattr(recipe, section)),
            "accepted": {f"layer {i}, head {j}": p for (i, j), p in accepted.items()},
            **self._inputs(),
        }

    def _inputs(self) -> dict[str, Any]:
        made_by = self._provenance
        return {
            "teacher_sha256": made_by.teacher,
            "examples": [made_by.train, made_by.validation],
        }

    def _measure_once(self, name: str, measure: Callable[[], Measured]) -> Measured:
        """Measure what is not fitted here, or read what an earlier call measured."""
        folder = self.path / name
        _hold_to(folder / "settings.json", self._inputs())
        path = folder / "measured.json"
        if not path.exists():
            write_measured(measure(), path)
        return read_measured(path)

    def _measure_teacher(self) -> Measured:
        teacher = load_model(self._run.teacher.model_path, base=self._encoder)
        return measure_model(teacher, self._validation, self._batch_tokens)

    def _write_results(
        self, measured: Mapping[str, Sequence[Measured]], baselines: Mapping[str, Measured]
    ) -> Results:
        reference = self._ablation.reference
        results = compare(measured, baselines, reference, self._provenance)
        self.path.mkdir(parents=True, exist_ok=True)
        for name, text in (
            ("results.json", json.dumps(results.to_json(), indent=1) + "\n"),
            ("results.svg", draw_differences(results)),
        ):
            draft = self.path / f"{name}.draft"
            draft.write_text(text, encoding="utf-8")
            draft.replace(self.path / name)
        return results


def _hold_to(path: Path, settings: dict[str, Any]) -> None:
    """Write down what a cell is begun with, or raise if it was begun with something else."""
    settings = json.loads(json.dumps(settings))
    if path.exists():
        present = json.loads(path.read_text(encoding="utf-8"))
        if "student" in present:  # of a version before some key of a student, which had no effect
            defaults = json.loads(json.dumps(dataclasses.asdict(StudentRecipe())))
            present["student"] = defaults | present["student"]
        if present != settings:
            changed = ", ".join(
                k for k in {**present, **settings} if present.get(k) != settings.get(k)
            )
            raise CheckpointError(
                f"{path.parent} was begun with other settings, it differs in {changed}; give what "
                "it was begun with, or delete the folder"
            )
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".draft")
    draft.write_text(json.dumps(settings, indent=1) + "\n", encoding="utf-8")
    draft.replace(path)


def _describe(store: ExampleStore) -> str:
    return f"{store.description['source']} ({len(store)} documents)"
