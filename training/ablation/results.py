"""The results of an ablation: each variant's ROUGE, and its difference to the reference's.

A document counts with its mean over the seeds of a variant; intervals are a bootstrap over the
documents, paired for differences. How far the seeds lie apart stands beside them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from training.ablation.measure import Measured
from training.evaluate.rouge import METRICS, SIGNATURE
from training.evaluate.significance import Interval, mean_intervals, paired_differences

N_RESAMPLES: Final = 10_000


@dataclass(frozen=True)
class Provenance:
    """What was compared on what.

    Attributes:
        name: of the ablation.
        section: of the recipes that the variants change, and what was fitted.
        seeds: of the fits.
        teacher: sha256 of the teacher's file.
        train: the examples that were learned from.
        validation: the examples that were measured on.
        command: what makes the results again.
    """

    name: str
    section: str
    seeds: tuple[int, ...]
    teacher: str
    train: str
    validation: str
    command: str


@dataclass(frozen=True)
class Row:
    """One variant, or a baseline that is not fitted here.

    Attributes:
        name: of it.
        is_baseline: Lead-3 or the teacher.
        rouge: R-1, R-2, R-L with trigram blocking.
        unblocked: the same without.
        difference: ours minus the reference's, blocked; empty for the reference itself.
        blocking: R-1, R-2, R-L that blocking adds, paired.
        by_seed: mean R-1 of each seed, in their order; fewer while seeds are missing.
        by_document: R-1 of each document, the mean over the seeds.
    """

    name: str
    is_baseline: bool
    rouge: tuple[Interval, ...]
    unblocked: tuple[Interval, ...]
    difference: tuple[Interval, ...]
    blocking: tuple[Interval, ...]
    by_seed: tuple[float, ...]
    by_document: tuple[float, ...]

    def to_json(self) -> dict[str, Any]:
        """The row by names, ROUGE 0 to 100."""
        named = {
            name: dict(zip(METRICS, map(asdict, intervals), strict=False))
            for name, intervals in (
                ("rouge", self.rouge),
                ("unblocked", self.unblocked),
                ("difference", self.difference),
                ("blocking", self.blocking),
            )
        }
        return {
            "name": self.name,
            "is_baseline": self.is_baseline,
            **named,
            "rouge1_by_seed": list(self.by_seed),
            "rouge1_by_document": [round(value, 4) for value in self.by_document],
        }


@dataclass(frozen=True)
class Results:
    """The whole comparison.

    Attributes:
        provenance: what was compared on what.
        reference: the variant that the others are compared with.
        rows: baselines first, then the variants in the recipe's order.
    """

    provenance: Provenance
    reference: str
    rows: tuple[Row, ...]

    def to_json(self) -> dict[str, Any]:
        """Everything, for a file."""
        return {
            **asdict(self.provenance),
            "reference": self.reference,
            "n": len(self.rows[0].by_document),
            "n_resamples": N_RESAMPLES,
            "signature": SIGNATURE,
            "rows": [row.to_json() for row in self.rows],
        }

    def to_text(self) -> str:
        """A table for the terminal."""
        made_by = self.provenance
        seeds = ", ".join(map(str, made_by.seeds))
        lines = [
            f"{made_by.name}: {made_by.validation}, teacher {made_by.teacher[:12]}, seeds {seeds}",
            f"{'':24} {'R-1':>6} {'95 %':>15} {'seeds':>13}   minus {self.reference:18}no blocking",
        ]
        return "\n".join([*lines, *map(_describe_row, self.rows)])


def compare(
    measured: Mapping[str, Sequence[Measured]],
    baselines: Mapping[str, Measured],
    reference: str,
    provenance: Provenance,
) -> Results:
    """Compare variants, as far as they are measured.

    Args:
        measured: by variant, one for each seed so far, all on the same documents in one order.
        baselines: what is not fitted here, likewise.
        reference: name of the variant to compare with; no differences while it is missing.
        provenance: what is compared on what.
    """
    base = measured.get(reference)
    rows = [
        _make_row(name, list(seeds), base if name != reference else None, name in baselines)
        for name, seeds in (*((n, (m,)) for n, m in baselines.items()), *measured.items())
    ]
    return Results(provenance, reference, tuple(rows))


def _make_row(
    name: str, seeds: Sequence[Measured], base: Sequence[Measured] | None, is_baseline: bool
) -> Row:
    blocked = _mean([one.blocked for one in seeds])
    unblocked = _mean([one.unblocked for one in seeds])
    difference: Sequence[Interval] = ()
    if base is not None:
        # While seeds are missing, those that both have: a pair is of one seed.
        n = len(base) if is_baseline else min(len(base), len(seeds))
        ours = _mean([one.blocked for one in seeds[:n]])
        theirs = _mean([one.blocked for one in base[:n]])
        difference = paired_differences(ours, theirs, n_resamples=N_RESAMPLES)
    columns = np.hstack([blocked, unblocked, blocked - unblocked])
    intervals = mean_intervals(columns, n_resamples=N_RESAMPLES)
    return Row(
        name=name,
        is_baseline=is_baseline,
        rouge=tuple(intervals[:3]),
        unblocked=tuple(intervals[3:6]),
        difference=tuple(difference),
        blocking=tuple(intervals[6:]),
        by_seed=tuple(float(one.blocked[:, 0].mean()) for one in seeds),
        by_document=tuple(blocked[:, 0].tolist()),
    )


def _mean(seeds: Sequence[npt.NDArray[np.float64]]) -> npt.NDArray[np.float64]:
    """(documents, 3) mean over seeds."""
    mean: npt.NDArray[np.float64] = np.mean(np.stack(seeds), axis=0)
    return mean


def _describe_row(row: Row) -> str:
    rouge = row.rouge[0]
    seeds = f"{min(row.by_seed):.2f}-{max(row.by_seed):.2f}" if len(row.by_seed) > 1 else ""
    difference = ""
    if row.difference:
        one = row.difference[0]
        difference = f"{one.estimate:+.2f} [{one.low:+.2f}, {one.high:+.2f}]"
    return (
        f"{row.name:24} {rouge.estimate:6.2f} [{rouge.low:.2f}, {rouge.high:.2f}] {seeds:>13}   "
        f"{difference:24} {row.unblocked[0].estimate:6.2f}"
    )
