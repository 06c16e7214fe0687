"""What a run of `patsum bench` found: written as JSON, read back by the reports and the tables.

Times are seconds and rates are a second, whatever the reports show.
"""

from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError

from bench.conditions import ArticleSet, Machine, Quiet, TargetFacts
from bench.section import Section
from service.errors import DataError

FORMAT: Literal[1] = 1


class Bounds(Section):
    """A number with the interval that holds it, 95 %; an end is None where it is not known."""

    estimate: float
    low: float | None
    high: float | None


class Latency(Section):
    """A distribution of times: of answers, of one of their stages, or of how late requests left.

    Attributes:
        n: times: of answers with status 200, or, for lateness, of all requests.
        mean_s: with a bootstrap interval.
        p50_s: this and the other quantiles have distribution-free intervals.
        p90_s: see p50_s.
        p95_s: see p50_s.
        p99_s: see p50_s.
        max_s: the longest.
    """

    n: int
    mean_s: Bounds
    p50_s: Bounds
    p90_s: Bounds
    p95_s: Bounds
    p99_s: Bounds
    max_s: float


class Counts(Section):
    """What became of the requests.

    Attributes:
        n: sent.
        n_ok: answered with 200.
        n_rejected: refused with 429.
        n_errors: everything else: other statuses, timeouts, broken connections.
        errors: kind of error -> how often.
    """

    n: int
    n_ok: int
    n_rejected: int
    n_errors: int
    errors: dict[str, int]


class Stream(Section):
    """SingleStream: the next request goes out when the last one is answered.

    Attributes:
        counts: what became of the requests.
        latency: of the answers; None where there was none.
        stages: stage -> mean and quantiles, as the server or the summarizer tells them.
        latencies_s: every answer's latency, in the order of sending.
    """

    counts: Counts
    latency: Latency | None
    stages: dict[str, Latency]
    latencies_s: list[float]


class Offline(Section):
    """Offline: every document is there from the start; what counts is how fast all are done.

    Attributes:
        counts: what became of the requests.
        n_parallel: requests in flight at a time.
        elapsed_s: of the whole run.
        documents_per_s: answered documents a second.
        stages: see Stream.
    """

    counts: Counts
    n_parallel: int
    elapsed_s: float
    documents_per_s: Bounds | None
    stages: dict[str, Latency]


class Point(Section):
    """Server at one rate: requests go out at Poisson times that were fixed before the run.

    Attributes:
        rate: offered requests a second, of the Poisson process.
        seed: of the schedule.
        counts: what became of the requests.
        latency: of the answers, from the scheduled send; None where there was none.
        lateness: how much later than scheduled the requests left; part of the latency.
        stages: see Stream.
        passes: nothing failed, and the upper bound of p99 is within the objective.
        why_not: in words; empty where it passes.
        is_confirmation: measured to confirm the found rate.
    """

    rate: float
    seed: int
    counts: Counts
    latency: Latency | None
    lateness: Latency | None
    stages: dict[str, Latency]
    passes: bool
    why_not: str
    is_confirmation: bool = False


class Server(Section):
    """Server: the highest Poisson rate at which p99 stays within the objective.

    Attributes:
        slo_s: the objective for p99.
        points: every rate that was measured, in the order of measuring.
        highest_rate: that passed and was confirmed; None where none did.
        rule: how the search went and when it stopped, in words.
    """

    slo_s: float
    points: list[Point]
    highest_rate: float | None
    rule: str


class EngineTime(Section):
    """The model alone on one document of a fixed length.

    Attributes:
        model: version of the bundle.
        weights: number format, such as "int8".
        n_tokens: length of the document.
        n_runs: timed runs.
        median_s: of one run.
    """

    model: str
    weights: str
    n_tokens: int
    n_runs: int
    median_s: Bounds


class ColdStart(Section):
    """One start of `patsum serve` as a process.

    Attributes:
        ready_s: from the start of the process to the first 200 of /readyz.
        rss_bytes: resident memory at rest.
        pss_bytes: the same with shared pages counted by share; None where the kernel does not tell.
    """

    ready_s: float
    rss_bytes: int
    pss_bytes: int | None


class Results(Section):
    """Everything that one run of `patsum bench` found.

    Of an interrupted run, what was finished.
    """

    format: Literal[1] = FORMAT
    kind: Literal["patsum bench"] = "patsum bench"
    created: str
    command: str
    seed: int
    machine: Machine
    quiet: Quiet
    versions: dict[str, str]
    target: TargetFacts | None
    articles: ArticleSet | None
    warnings: list[str]
    is_interrupted: bool = False
    single_stream: Stream | None = None
    offline: Offline | None = None
    server: Server | None = None
    engine: list[EngineTime] = Field(default_factory=list)
    cold_start: list[ColdStart] = Field(default_factory=list)


def read_results(path: Path) -> Results:
    """Read what `patsum bench --json` wrote.

    Raises:
        DataError: the file cannot be read, or holds something else.
    """
    try:
        return Results.model_validate_json(path.read_bytes())
    except OSError as error:
        raise DataError(
            f"expected the JSON of `patsum bench` at {path}, got {error.strerror}; "
            "make one with `patsum bench --json FILE`"
        ) from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the whole"
        raise DataError(
            f"expected the JSON of `patsum bench` in {path}, got at {where}: {first['msg']}; "
            "make it again with this version"
        ) from error
