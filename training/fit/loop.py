"""The loop that fits a model: seeded, resumable at any step, best weights by validation ROUGE.

A run folder holds

    state.pt             model, averages, optimizer, schedule, log and place in the data, to resume
                         from; written only while every weight is finite
    best.safetensors     the weights with the best validation ROUGE-1 so far
    log.jsonl            one line a validation, once each however often the fit was stopped
"""

import json
import math
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from tqdm import tqdm

from service.errors import CheckpointError, TrainingError
from service.text.select import Redundancy
from training.data.examples import ExampleStore
from training.evaluate.rouge import METRICS
from training.fit.batches import make_batch, plan_epoch
from training.fit.checkpoint import (
    average_into,
    config_from_json,
    config_to_json,
    load_model,
    read_state,
    save_model,
    write_state,
)
from training.fit.interrupt import Interrupt
from training.fit.losses import total_loss
from training.fit.validation import lead_logits, mean_rouge, score_documents
from training.model.extractive_model import ExtractiveModel
from training.recipe import FitRecipe

# A kill costs at most two minutes of work; a state is written in well under a second.
_SAVE_EVERY_S = 120.0

# The second moment forgets over 50 steps, not over the usual 1,000: fits have but a few hundred.
_ADAM_BETAS = (0.9, 0.98)

# Share of the recipe by which the schedule runs ahead, so that the first step has a rate above 0.
_WARM_UP_AHEAD = 1e-3


@dataclass(frozen=True)
class FitResult:
    """What a fit came to.

    Attributes:
        rouge: (3,) best validation ROUGE-1, -2, -L F1, 0 to 100.
        lead: (3,) Lead-3 on the same documents, without trigram blocking.
        documents: training documents shown.
        seconds: time spent, over all resumptions.
    """

    rouge: tuple[float, ...]
    lead: tuple[float, ...]
    documents: int
    seconds: float

    def to_json(self) -> dict[str, Any]:
        """The figures by name, for a result file."""
        return {
            **dict(zip(METRICS, self.rouge, strict=True)),
            "lead3": dict(zip(METRICS, self.lead, strict=True)),
            "documents": self.documents,
            "seconds": round(self.seconds, 1),
        }


class Fit:
    """One fit of one model.

    Args:
        model: the model to fit, changed in place.
        recipe: how.
        train: examples to learn from.
        validation: examples to choose by.
        folder: where state, best weights and log go; a state that is there is resumed.
        teacher_logits: by training document, (sentences,) float32 scores to follow.
        teacher_sha256: hash of the tensors of the teacher that the model was made from; "" without.
        pal_rate: peak learning rate of the encoder's Projected Attention Layers; None where it has
            none.
        device: where to compute.

    Raises:
        CheckpointError: the folder's state belongs to another recipe, model, teacher or examples.
    """

    def __init__(
        self,
        model: ExtractiveModel,
        recipe: FitRecipe,
        train: ExampleStore,
        validation: ExampleStore,
        folder: Path,
        *,
        teacher_logits: dict[int, npt.NDArray[np.float32]] | None = None,
        teacher_sha256: str = "",
        pal_rate: float | None = None,
        device: torch.device | None = None,
    ) -> None:
        self._device = device or torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self._model = model.to(self._device)
        self._recipe = recipe
        self._pal_rate = pal_rate
        self._settings = {**asdict(recipe), **({} if pal_rate is None else {"pal_rate": pal_rate})}
        self._train = train
        self._validation = validation
        self._folder = folder
        self._teacher_logits = teacher_logits
        self._inputs = {
            "training examples": _describe_examples(train),
            "validation examples": _describe_examples(validation),
            "teacher": teacher_sha256,
        }
        self._optimizer = _make_optimizer(model, recipe, pal_rate)
        self._documents = 0
        self._step = 0
        self._seconds = 0.0
        self._began = time.monotonic()
        self._loss = math.nan
        self._best = -1.0
        self._rouge: tuple[float, ...] = ()
        self._log: list[dict[str, Any]] = []
        self._next_validation = recipe.validate_every
        self._average = (
            {n: p.detach().clone() for n, p in model.named_parameters() if p.requires_grad}
            if recipe.average_decay
            else {}
        )
        torch.manual_seed(recipe.seed)
        if self._state_path.exists():
            self._resume()

    @property
    def _state_path(self) -> Path:
        return self._folder / "state.pt"

    def run(self) -> FitResult:
        """Fit to the end of the recipe; resumes where an earlier call was stopped.

        Returns:
            The result; the model holds the best weights.

        Raises:
            TrainingError: the loss, a gradient, a weight or a validation score is not finite.
            KeyboardInterrupt: somebody pressed Ctrl-C. Once: the state is saved after the present
                step or validation. Twice: at once, with the state that was saved last.
        """
        numbers = np.arange(len(self._validation))
        lead = mean_rouge(lead_logits(self._validation, numbers), self._validation, Redundancy.NONE)
        self._began = time.monotonic()
        bar = tqdm(
            total=self._recipe.documents,
            initial=self._documents,
            desc=self._folder.name,
            unit=" documents",
            dynamic_ncols=True,
        )
        with bar, Interrupt() as interrupt:
            self._validate_if_due(numbers, lead)  # the call before may have ended inside one
            self._stop_if_asked(interrupt)
            for group in self._remaining_batches():
                self._loss = self._take_step(group)
                bar.update(len(group))
                best_so_far = f"{self._best:.2f}" if self._best >= 0 else "unknown yet"
                bar.set_postfix_str(
                    f"loss {self._loss:.3f}, R-1 {best_so_far} (lead {lead[0]:.2f})"
                )
                self._stop_if_asked(interrupt)
                self._validate_if_due(numbers, lead)
                if time.monotonic() - self._began > _SAVE_EVERY_S:
                    self._save()
            self._stop_if_asked(interrupt)
        best = load_model(self._folder / "best.safetensors")
        self._model.load_state_dict(best.state_dict())
        return FitResult(self._rouge, tuple(lead.tolist()), self._documents, self._seconds)

    def _stop_if_asked(self, interrupt: Interrupt) -> None:
        """Save, say how to go on, and stop, if somebody wishes it."""
        if not interrupt.is_asked:
            return
        self._save()
        tqdm.write(
            f"{self._folder}: stopped after {self._documents} of {self._recipe.documents} "
            "documents, all saved; the same command goes on from there",
            file=sys.stderr,
        )
        raise KeyboardInterrupt

    def _remaining_batches(self) -> Iterator[npt.NDArray[np.int64]]:
        """Batches from the present step to the end of the recipe."""
        numbers = self._documents_that_teach()
        n_tokens = self._train.n_tokens()[numbers]
        passed = 0
        epoch = 0
        while self._documents < self._recipe.documents:
            batches = plan_epoch(n_tokens, self._recipe.batch_tokens, self._recipe.seed, epoch)
            for number, group in enumerate(batches):
                if passed + number < self._step:
                    continue
                if self._documents >= self._recipe.documents:
                    return
                yield numbers[group]
            passed += len(batches)
            epoch += 1

    def _documents_that_teach(self) -> npt.NDArray[np.int64]:
        """Those with labels or a teacher's scores; the others would be shown for nothing."""
        teaches = self._train.is_labelled()
        if self._teacher_logits and self._recipe.teacher_weight:
            teaches[list(self._teacher_logits)] = True
        return np.flatnonzero(teaches)

    def _take_step(self, group: npt.NDArray[np.int64]) -> float:
        """Show one batch and follow its gradient."""
        self._model.train()
        rate = _rate_at(self._documents / self._recipe.documents, self._recipe.warm_up)
        for parameters in self._optimizer.param_groups:
            parameters["lr"] = parameters["peak"] * rate
        batch = make_batch(self._train, group, self._teacher_logits).to(self._device)
        is_bfloat = self._recipe.precision == "bfloat16"
        with torch.autocast(self._device.type, dtype=torch.bfloat16, enabled=is_bfloat):
            logits = self._model(batch.token_ids, batch.sentence_ids)
        loss = total_loss(logits.float(), batch, self._recipe)
        self._refuse_unless_finite("loss", float(loss.detach()))
        self._optimizer.zero_grad(set_to_none=True)
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(self._model.parameters(), self._recipe.clip)
        self._refuse_unless_finite("norm of the gradient", float(norm))
        self._optimizer.step()
        if self._average:
            # Early on the average follows closely, so that it never holds on to the start.
            decay = min(self._recipe.average_decay, (1 + self._step) / (10 + self._step))
            average_into(self._average, self._model, decay)
        self._step += 1
        self._documents += len(group)
        return float(loss.detach())

    def _refuse_unless_finite(self, what: str, value: float) -> None:
        """Raise if a number shows that the fit has diverged."""
        if math.isfinite(value):
            return
        recipe = self._recipe
        rate = _rate_at(self._documents / recipe.documents, recipe.warm_up)
        of_pal = "" if self._pal_rate is None else f", rate {self._pal_rate * rate:.3g}"
        raise TrainingError(
            f"{self._folder}: expected a finite {what}, got {value} after {self._documents} "
            f"documents, at encoder_rate {recipe.encoder_rate * rate:.3g}{of_pal} and scorer_rate "
            f"{recipe.scorer_rate * rate:.3g}; the fit has diverged: lower the rates or clip in "
            "the recipe, and delete the folder to start over"
        )

    def _validate_if_due(
        self, numbers: npt.NDArray[np.int64], lead: npt.NDArray[np.float64]
    ) -> None:
        """Validate where the recipe says so, with a state to resume from before and after it."""
        is_validated = bool(self._log) and self._log[-1]["documents"] == self._documents
        due = min(self._next_validation, self._recipe.documents)
        if is_validated or self._documents < due:
            return
        self._save()
        self._validate(numbers, lead)
        self._next_validation += self._recipe.validate_every
        self._save()

    def _validate(self, numbers: npt.NDArray[np.int64], lead: npt.NDArray[np.float64]) -> None:
        """Score the validation documents with the averaged weights; keep the best."""
        present = {n: p.detach().clone() for n, p in self._model.named_parameters()}
        if self._average:
            self._model.load_state_dict({**present, **self._average}, strict=False)
        scored = score_documents(
            self._model, self._validation, numbers, self._recipe.batch_tokens, self._device
        )
        # NaN would rank the sentences as they stand, and so be measured as Lead-3.
        self._refuse_unless_finite(
            "validation score", float(sum(np.abs(row).sum() for row in scored.values()))
        )
        rouge = mean_rouge(scored, self._validation)
        row = {
            "documents": self._documents,
            "loss": self._loss,
            "rouge": rouge.tolist(),
            "lead": lead.tolist(),
        }
        self._log.append(row)
        self._write_log()
        if rouge[0] > self._best:
            self._best = float(rouge[0])
            self._rouge = tuple(rouge.tolist())
            save_model(self._model, self._folder / "best.safetensors")
        self._model.load_state_dict(present, strict=False)

    def _write_log(self) -> None:
        """Write the log anew: a stopped call may have left a row that the state has not."""
        draft = self._folder / "log.draft"
        draft.write_text("".join(json.dumps(row) + "\n" for row in self._log), encoding="utf-8")
        draft.replace(self._folder / "log.jsonl")

    def _save(self) -> None:
        """Write everything that a resumption needs."""
        for name, weight in self._model.named_parameters():
            self._refuse_unless_finite(f"weight {name}", float(weight.detach().abs().max()))
        now = time.monotonic()
        self._seconds += now - self._began
        self._began = now
        state = {
            "recipe": self._settings,
            "inputs": self._inputs,
            "shape": json.dumps(config_to_json(self._model.config)),
            "model": self._model.state_dict(),
            "average": self._average,
            "optimizer": self._optimizer.state_dict(),
            "progress": self._progress(),
            "torch_rng": torch.get_rng_state(),
            "cuda_rng": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
        }
        write_state(state, self._state_path)

    def _progress(self) -> dict[str, Any]:
        return {
            "documents": self._documents,
            "step": self._step,
            "seconds": self._seconds,
            "loss": self._loss,
            "log": self._log,
            "best": self._best,
            "rouge": list(self._rouge),
            "next_validation": self._next_validation,
        }

    def _resume(self) -> None:
        """Take up the state in the folder."""
        state = read_state(self._state_path)
        ours, theirs = self._settings, state.get("recipe", {})
        changed = sorted(k for k in {*ours, *theirs} if ours.get(k) != theirs.get(k))
        if changed:
            raise CheckpointError(
                f"{self._state_path} was written by another recipe (it differs in "
                f"{', '.join(changed)}); finish it with that recipe, or delete the folder to start "
                "over"
            )
        theirs = state.get("inputs", {})
        if changed := [name for name, ours in self._inputs.items() if theirs.get(name) != ours]:
            raise CheckpointError(
                f"{self._state_path} was begun with another {', another '.join(changed)}; give "
                "what it was begun with, or delete the folder to start over"
            )
        # Masks have no weights: another plan would fit. States of earlier versions have no shape.
        shape = state.get("shape")
        if shape is not None and config_from_json(json.loads(shape)) != self._model.config:
            raise CheckpointError(
                f"{self._state_path} belongs to another model: its heads carry other patterns, or "
                "its shape differs; give what it was begun with, or delete the folder to start over"
            )
        try:
            self._model.load_state_dict(state["model"])
            self._optimizer.load_state_dict(state["optimizer"])
        except (RuntimeError, ValueError) as error:
            raise CheckpointError(
                f"{self._state_path} belongs to another model: {error}; "
                "delete the folder to start over"
            ) from error
        self._average = {name: weight.to(self._device) for name, weight in state["average"].items()}
        progress = state["progress"]
        self._documents = progress["documents"]
        self._step = progress["step"]
        self._seconds = progress["seconds"]
        self._loss = progress["loss"]
        self._log = progress["log"]
        self._best = progress["best"]
        self._rouge = tuple(progress["rouge"])
        self._next_validation = progress["next_validation"]
        torch.set_rng_state(state["torch_rng"])
        if state.get("cuda_rng") and torch.cuda.is_available():
            torch.cuda.set_rng_state_all(state["cuda_rng"])


def _make_optimizer(
    model: ExtractiveModel, recipe: FitRecipe, pal_rate: float | None
) -> torch.optim.AdamW:
    """AdamW with a rate each for encoder, Projected Attention Layers and scorer.

    Vectors do not decay.
    """
    encoder = dict(model.encoder.named_parameters())
    pal = {name: p for name, p in encoder.items() if ".pal." in name}
    parts: list[tuple[Iterable[nn.Parameter], float]] = [
        ((p for name, p in encoder.items() if name not in pal), recipe.encoder_rate),
        (pal.values(), recipe.encoder_rate if pal_rate is None else pal_rate),
        (model.scorer.parameters(), recipe.scorer_rate),
    ]
    groups: list[dict[str, Any]] = []
    for part, peak in parts:
        learning = [p for p in part if p.requires_grad]
        for is_matrix in (True, False):
            chosen = [p for p in learning if (p.ndim > 1) == is_matrix]
            if chosen:
                decay = recipe.weight_decay if is_matrix else 0.0
                groups.append({"params": chosen, "peak": peak, "weight_decay": decay})
    return torch.optim.AdamW(groups, lr=0.0, betas=_ADAM_BETAS)


def _rate_at(progress: float, warm_up: float) -> float:
    """Share of the peak rate: up linearly over the warm-up, then down linearly to 0."""
    if progress < warm_up:
        return (progress + _WARM_UP_AHEAD) / (warm_up + _WARM_UP_AHEAD)
    return max(0.0, (1.0 - progress) / (1.0 - warm_up))


def _describe_examples(store: ExampleStore) -> str:
    """Name prepared examples by where they come from and what encoded them."""
    return f"{store.description['source']} {store.description['fingerprint']}"
