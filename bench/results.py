"""What a run of `patsum bench` found: written as JSON, read back by the reports and the tables.

Times are seconds and rates are a second, whatever the reports show.
"""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from service.errors import DataError

FORMAT: Literal[1] = 1


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Bounds(_Section):
    """A number with the interval that holds it, 95 %; an end is None where it is not known."""

    estimate: float
    low: float | None
    high: float | None


class Latency(_Section):
    """How long answers took, from when they were due.

    Attributes:
        n: answers, all of them with status 200.
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


class Counts(_Section):
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


class Stream(_Section):
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


class Offline(_Section):
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


class Point(_Section):
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


class Server(_Section):
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


class EngineTime(_Section):
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


class ColdStart(_Section):
    """One start of `patsum serve` as a process.

    Attributes:
        ready_s: from the start of the process to the first 200 of /readyz.
        rss_bytes: resident memory at rest.
        pss_bytes: the same with shared pages counted by share; None where the kernel does not tell.
    """

    ready_s: float
    rss_bytes: int
    pss_bytes: int | None


class ArticleSet(_Section):
    """What was summarized.

    Attributes:
        source: name of the file or folder, or how the articles were made.
        sha256: of the file; None where there is none.
        n: distinct articles.
        n_left_out: articles that the target refused before the run.
        why_left_out: the first refusal, in words.
        words_median: words of an article, cut at white space.
        words_min: of the shortest.
        words_max: of the longest.
    """

    source: str
    sha256: str | None
    n: int
    n_left_out: int
    why_left_out: str
    words_median: float
    words_min: int
    words_max: int


class TargetFacts(_Section):
    """What answered.

    Attributes:
        kind: "in process" or "url".
        where: the URL, or the name of the bundle folder.
        model: version of the bundle.
        sha256: of its graph.
        weights: number format, such as "int8".
        threads: that share one document.
        workers: documents at a time.
        versions: package -> version, on the side that answers.
        cpu: model of the processor on the side that answers.
    """

    kind: Literal["in process", "url"]
    where: str
    model: str
    sha256: str
    weights: str
    threads: int
    workers: int
    versions: dict[str, str]
    cpu: str


class Quiet(_Section):
    """Whether the machine did anything else.

    Attributes:
        is_quiet: the verdict.
        reasons: against it; empty when quiet.
        load_before: average of the last minute, as the kernel keeps it.
        load_after: the same, after the run.
        busy_before: share of the processors that was busy before the run, 0 to 1.
        busy_after: the same, after the run.
        others: share of the processors that other processes took during the run; None where the
            target is one of them.
        steal: share that the hypervisor gave to others during the run.
    """

    is_quiet: bool
    reasons: list[str]
    load_before: float | None
    load_after: float | None
    busy_before: float | None
    busy_after: float | None
    others: float | None
    steal: float | None


class Machine(_Section):
    """The machine that the benchmark ran on.

    Attributes:
        cpu: model name.
        architecture: such as x86_64.
        usable_cpus: that this process may run on.
        quota_cpus: the cgroup's limit; None where there is none.
        governor: of the first processor's clock; None where it cannot be read.
        flags: instruction sets that matter here.
        int8: whether int8 should pay on this processor, in plain words.
        memory_bytes: of the machine; None where it cannot be read.
        kernel: name and release.
    """

    cpu: str
    architecture: str
    usable_cpus: int
    quota_cpus: float | None
    governor: str | None
    flags: list[str]
    int8: str
    memory_bytes: int | None
    kernel: str


class Results(_Section):
    """Everything that one run of `patsum bench` found."""

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
    single_stream: Stream | None = None
    offline: Offline | None = None
    server: Server | None = None
    engine: list[EngineTime] = []
    cold_start: list[ColdStart] = []


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
