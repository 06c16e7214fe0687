"""One request's outcome, and what many of them come to."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from bench.results import Counts, Latency
from bench.statistics import summarize_latencies

OK = 200
TOO_BUSY = 429
STAGES = ("queue", "encode", "infer", "explain")


@dataclass(frozen=True)
class Answer:
    """What a target said to one document.

    Attributes:
        status: of HTTP, or its equal in process; 0 where no answer came.
        stages: stage -> seconds, as far as the target tells.
        detail: why it is not 200; empty where it is.
    """

    status: int
    stages: Mapping[str, float] = field(default_factory=dict)
    detail: str = ""


@dataclass(frozen=True)
class Outcome:
    """One request, from when it was due; times are seconds from the start of the run.

    Attributes:
        scheduled_s: when it was due.
        sent_s: when it left.
        finished_s: when its answer was there.
        answer: the answer.
    """

    scheduled_s: float
    sent_s: float
    finished_s: float
    answer: Answer

    @property
    def latency_s(self) -> float:
        """From when it was due to its answer, whatever held it up."""
        return self.finished_s - self.scheduled_s


def count_outcomes(outcomes: Sequence[Outcome]) -> Counts:
    """Count what became of the requests."""
    answers = [outcome.answer for outcome in outcomes]
    errors = Counter(
        f"{a.status} {a.detail}".strip() if a.status else a.detail
        for a in answers
        if a.status not in (OK, TOO_BUSY)
    )
    return Counts(
        n=len(answers),
        n_ok=sum(a.status == OK for a in answers),
        n_rejected=sum(a.status == TOO_BUSY for a in answers),
        n_errors=errors.total(),
        errors=dict(errors.most_common(10)),
    )


def ok_latencies(outcomes: Sequence[Outcome]) -> list[float]:
    """Latencies of the answers with 200; a quick refusal is not a quick answer."""
    return [outcome.latency_s for outcome in outcomes if outcome.answer.status == OK]


def summarize_stages(outcomes: Sequence[Outcome]) -> dict[str, Latency]:
    """Describe the time in each stage over the answers with 200 that tell it."""
    answers = [outcome.answer for outcome in outcomes if outcome.answer.status == OK]
    by_stage = {
        stage: summarize_latencies([a.stages[stage] for a in answers if stage in a.stages])
        for stage in STAGES
    }
    return {stage: latency for stage, latency in by_stage.items() if latency is not None}
