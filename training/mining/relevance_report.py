"""The report of `patsum relevance`: which head carries what, and what nothing explains."""

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from training.mining.head_grid import HeadGrid
from training.mining.heat_map import HeatMap, draw_heat_maps
from training.mining.predicates import Predicate
from training.mining.relevance import (
    DocumentRelevance,
    PredicateRelevance,
    Thresholds,
    summarize_predicate,
    summarize_unexplained,
)

# A head with many overlapping patterns is told by its most specific ones.
_MOST_A_HEAD = 4


@dataclass(frozen=True, eq=False)
class RelevanceReport:
    """All predicates over all heads.

    Attributes:
        predicates: those that some document had a pair for.
        absent: those that none had.
        accepted: patterns that count as explained.
        unexplained: share of attention outside all of them, with its intervals.
        uniform_unexplained: what uniform attention would leave.
        thresholds: of carrying.
        identity: which model, which documents, how the intervals were drawn.
    """

    predicates: list[PredicateRelevance]
    absent: list[Predicate]
    accepted: list[Predicate]
    unexplained: HeadGrid
    uniform_unexplained: float
    thresholds: Thresholds
    identity: dict[str, Any]

    def to_json(self) -> dict[str, Any]:
        """Everything, for the next program."""
        return {
            "format": 1,
            **self.identity,
            "thresholds": asdict(self.thresholds),
            "predicates": [one.to_json() for one in self.predicates],
            "absent": list(map(str, self.absent)),
            "residual": {
                "accepted": list(map(str, self.accepted)),
                "uniform": self.uniform_unexplained,
                "share": self.unexplained.to_json(),
            },
        }

    def to_text(self) -> str:
        """Three tables for people: predicates, heads, and what is left."""
        lines = [*self._predicate_lines(), "", *self._head_lines(), "", *self._residual_lines()]
        if self.absent:
            lines += ["", f"in no document: {', '.join(map(str, self.absent))}"]
        return "\n".join(lines)

    def to_svg(self) -> str:
        """A heat map for each predicate and one for the residual; carriers are framed."""
        maps = [
            HeatMap(
                f"{one.predicate}   (uniform {one.uniform:.3f})",
                one.gr.mean,
                ".2f",
                frozenset(one.carriers),
            )
            for one in self.predicates
        ]
        accepted = ", ".join(map(str, self.accepted))
        rest = HeatMap(f"not explained by {accepted}", self.unexplained.mean, ".2f")
        return draw_heat_maps([rest, *maps], n_columns=2)

    def _predicate_lines(self) -> Iterator[str]:
        limits = self.thresholds
        yield (
            f"a head carries a predicate when its z over all heads is at least {limits.z:g}, and "
            f"the low end of its GR at least {limits.gr:g} and {limits.lift:g} x uniform; "
            "z is not asked of a head that looks nowhere else"
        )
        width = max(len(str(one.predicate)) for one in self.predicates)
        head = f"  {'predicate':<{width}}  uniform  carriers  highest  GR [95 % interval]"
        yield f"{head:<{width + 58}}{'lift':>7}{'z':>6}"
        for one in self.predicates:
            layer, number = at = one.gr.ranked()[0]
            row = (
                f"  {one.predicate!s:<{width}}  {one.uniform:7.4f}  {len(one.carriers):8}  "
                f"{f'{layer}.{number}':<7}  {one.gr.describe(layer, number, '.3f')}"
            )
            yield f"{row:<{width + 58}}{one.lift[at]:7.1f}{one.z[at]:6.1f}"
        yield from self._short_of_z_lines()

    def _short_of_z_lines(self) -> Iterator[str]:
        """What z alone keeps from carrying: of few heads none stands out where many are alike."""
        short = [one for one in self.predicates if one.short_of_z]
        if not short:
            return
        counts = ", ".join(f"{one.predicate} {len(one.short_of_z)}" for one in short)
        yield from textwrap.wrap(
            f"heads that reach both limits of GR, but for many like them not z "
            f"{self.thresholds.z:g} (a lower --min-z counts them): {counts}",
            110,
            subsequent_indent="  ",
        )

    def _head_lines(self) -> Iterator[str]:
        yield (
            "what each head carries (layer.head: predicate GR x lift), up to "
            f"{_MOST_A_HEAD}, the highest lift first"
        )
        for layer in range(self.unexplained.mean.shape[0]):
            for head in range(self.unexplained.mean.shape[1]):
                carried = self.carried_by(layer, head)
                if carried:
                    at = layer, head
                    cells = (
                        f"{one.predicate} {one.gr.mean[at]:.2f} x{one.lift[at]:.1f}"
                        for one in carried[:_MOST_A_HEAD]
                    )
                    more = len(carried) - _MOST_A_HEAD
                    rest = f"; {more} more" if more > 0 else ""
                    yield f"  {f'{layer}.{head}':<6}{'; '.join(cells)}{rest}"

    def carried_by(self, layer: int, head: int) -> list[PredicateRelevance]:
        """The predicates that a head carries, the highest lift first."""
        carried = [one for one in self.predicates if (layer, head) in one.carriers]
        return sorted(carried, key=lambda one: -float(one.lift[layer, head]))

    def _residual_lines(self) -> Iterator[str]:
        accepted = ", ".join(map(str, self.accepted))
        yield (
            f"attention outside every accepted pattern ({accepted}), in %; uniform attention "
            f"leaves {100 * self.uniform_unexplained:.1f}"
        )
        yield from HeadGrid.of(100 * self.unexplained.mean).to_lines(".1f")


def report_relevance(
    predicates: Sequence[Predicate],
    accepted: Sequence[Predicate],
    measured: Sequence[DocumentRelevance],
    thresholds: Thresholds,
    identity: dict[str, Any],
    n_resamples: int,
    seed: int,
) -> RelevanceReport:
    """Average over documents.

    Args:
        predicates: as they were measured.
        accepted: patterns that count as explained.
        measured: at least one document.
        thresholds: of carrying.
        identity: which model, which documents.
        n_resamples: draws of the bootstrap.
        seed: of the draws.

    Returns:
        The report.
    """
    found, absent = [], []
    for place, predicate in enumerate(predicates):
        one = summarize_predicate(predicate, place, measured, thresholds, n_resamples, seed)
        if one is None:
            absent.append(predicate)
        else:
            found.append(one)
    unexplained, uniform = summarize_unexplained(measured, n_resamples, seed)
    return RelevanceReport(
        found,
        absent,
        list(accepted),
        unexplained,
        uniform,
        thresholds,
        {**identity, "resamples": n_resamples},
    )
