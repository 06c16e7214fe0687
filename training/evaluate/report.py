"""The report of one evaluation: ROUGE beside its baselines, and all that makes it repeatable."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from training.evaluate.rouge import METRICS
from training.evaluate.significance import Interval

Intervals: TypeAlias = tuple[Interval, Interval, Interval]

OURS = "ours"
UNBLOCKED = "unblocked"
TOP3 = "top3"
LEAD3 = "lead3"
ORACLE = "oracle"
_TITLES = {
    OURS: "patsum",
    UNBLOCKED: "patsum, no trigram blocking",
    TOP3: "patsum, always three",
    LEAD3: "Lead-3",
    ORACLE: "greedy oracle",
}


@dataclass(frozen=True)
class Provenance:
    """What was measured on what, and how to do it again.

    Attributes:
        model: version of the bundle, "name@sha256:…", or another model's name.
        data: name of the data file or dataset, without its folder.
        data_sha256: of the data file, 64 hexadecimal digits; None for a dataset of a hub.
        command: the command line that repeats the measurement.
    """

    model: str
    data: str
    data_sha256: str | None
    command: str


@dataclass(frozen=True)
class SystemScores:
    """One way of choosing sentences, measured over all documents.

    Attributes:
        rouge: ROUGE-1, ROUGE-2, ROUGE-L F1 in [0, 100], each with its 95 % interval.
        words: mean length of its summaries.
    """

    rouge: Intervals
    words: float


@dataclass(frozen=True)
class EvaluationReport:
    """ROUGE of our summaries and of the baselines, on the same documents.

    Attributes:
        provenance: what was measured on what.
        systems: by name: "ours", "lead3", "oracle", and "unblocked" and "top3" where they were
            measured.
        differences: by name of a baseline: ours minus it, paired over documents.
        n: documents measured.
        n_truncated: documents that the model did not read whole.
        n_resamples: draws of the bootstrap.
        seed: of the draws.
        signature: which ROUGE.
        seconds: the measurement took.
    """

    provenance: Provenance
    systems: Mapping[str, SystemScores]
    differences: Mapping[str, Intervals]
    n: int
    n_truncated: int
    n_resamples: int
    seed: int
    signature: str
    seconds: float

    def to_json(self) -> dict[str, Any]:
        """Return an entry for `quality` in a bundle's manifest; numbers have four decimals."""
        baselines = {
            name: _system_json(scores) for name, scores in self.systems.items() if name != OURS
        }
        for name, difference in self.differences.items():
            if name != LEAD3:
                baselines[name]["difference"] = _difference_json(difference)
        return {
            "data": self.provenance.data,
            "dataSha256": self.provenance.data_sha256,
            "n": self.n,
            "truncated": self.n_truncated,
            "model": self.provenance.model,
            "command": self.provenance.command,
            **_system_json(self.systems[OURS]),
            **baselines,
            "difference": _difference_json(self.differences[LEAD3]),
            "signature": self.signature,
            "resamples": self.n_resamples,
            "seed": self.seed,
            "seconds": round(self.seconds, 1),
        }

    def to_text(self) -> str:
        """Return a table for people: 95 % intervals in brackets, differences paired."""
        return "\n".join([*self._table(), "", *self._footer()])

    def _table(self) -> Iterator[str]:
        yield f"{'':<30}" + "".join(f"{name:<23}" for name in ("R-1", "R-2", "R-L")) + "words"
        for name, scores in self.systems.items():
            cells = "".join(
                f"{f'{i.estimate:.2f} [{i.low:.2f}, {i.high:.2f}]':<23}" for i in scores.rouge
            )
            yield f"{_TITLES[name]:<30}{cells}{scores.words:.1f}"
        for name, difference in self.differences.items():
            cells = "".join(
                f"{f'{i.estimate:+.2f} [{i.low:+.2f}, {i.high:+.2f}]':<23}" for i in difference
            )
            yield f"{'patsum - ' + _TITLES[name].removeprefix('patsum, '):<30}{cells}".rstrip()

    def _footer(self) -> Iterator[str]:
        sha256 = self.provenance.data_sha256
        yield f"model      {self.provenance.model}"
        yield f"data       {self.provenance.data}" + (f"  sha256 {sha256}" if sha256 else "")
        yield f"documents  {self.n}, of which {self.n_truncated} not read whole"
        yield f"intervals  95 %, bootstrap of {self.n_resamples} draws, seed {self.seed}"
        yield f"ROUGE      {self.signature}"
        yield f"command    {self.provenance.command}"
        yield f"took       {self.seconds:.0f} s"


def _system_json(scores: SystemScores) -> dict[str, Any]:
    """Return {"rouge1": 41.8, …, "interval": {"rouge1": [low, high], …}, "words": 60.1}."""
    named = dict(zip(METRICS, scores.rouge, strict=True))
    return {
        **{name: round(interval.estimate, 4) for name, interval in named.items()},
        "interval": {name: [round(i.low, 4), round(i.high, 4)] for name, i in named.items()},
        "words": round(scores.words, 1),
    }


def _difference_json(intervals: Intervals) -> dict[str, list[float]]:
    """Return {"rouge1": [estimate, low, high], …}."""
    return {
        name: [round(i.estimate, 4), round(i.low, 4), round(i.high, 4)]
        for name, i in zip(METRICS, intervals, strict=True)
    }
