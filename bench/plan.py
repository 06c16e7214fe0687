"""The plan of a run: everything that was asked for, checked before anything starts."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.statistics import samples_for_quantile
from service.errors import InputError

SINGLE_STREAM: Final = "single-stream"
SERVER: Final = "server"
OFFLINE: Final = "offline"
ENGINE: Final = "engine"


@dataclass(frozen=True)
class Plan:
    """What a run of `patsum bench` does.

    Attributes:
        url: of a running service; None to run in this process.
        api_key: for the URL.
        bundle: folder of the bundle in this process; None for the embedded one.
        threads: that share one document in this process.
        workers: documents at a time in this process.
        data: the user's articles; None to generate some.
        words: fewest and most words of a generated article.
        n_articles: distinct articles.
        seed: of articles, orders and schedules.
        scenarios: which to run.
        n_requests: for each scenario and rate.
        slo_s: objective for p99, in seconds.
        rates: to measure, instead of a search; empty to search.
        precision: of the search, in (0, 1).
        n_parallel: requests in flight in Offline; None for twice the target's workers.
        lengths: of the documents for the model alone, in tokens.
        n_engine_runs: timed runs for each of those lengths.
        compare: another bundle for the model alone.
        n_cold_starts: how often the service is started.
        timeout_s: of a request to a URL.
        command: the command line, for the report.

    Raises:
        InputError: options that do not go together, or too few requests.
    """

    url: str | None
    api_key: str | None
    bundle: Path | None
    threads: int
    workers: int
    data: Path | None
    words: tuple[int, int]
    n_articles: int
    seed: int
    scenarios: tuple[str, ...]
    n_requests: int
    slo_s: float
    rates: tuple[float, ...]
    precision: float
    n_parallel: int | None
    lengths: tuple[int, ...]
    n_engine_runs: int
    compare: Path | None
    n_cold_starts: int
    timeout_s: float
    command: str

    def __post_init__(self) -> None:
        if self.url and (self.bundle or self.compare or self.n_cold_starts):
            raise InputError(
                "--bundle, --compare and --cold-start run in this process, --url elsewhere; "
                "leave out one side"
            )
        if self.url and ENGINE in self.scenarios:
            raise InputError(
                "the scenario engine runs in this process, --url elsewhere; leave out one of them"
            )
        if self.compare and ENGINE not in self.scenarios:
            raise InputError("--compare times the model alone; add --scenario engine")
        needed = samples_for_quantile(0.99)
        if SERVER in self.scenarios and not self.rates and self.n_requests < needed:
            raise InputError(
                f"expected --requests of at least {needed} to search for a rate by p99, got "
                f"{self.n_requests}; raise it, or look around with --rates 5,10,20"
            )

    @property
    def sends_documents(self) -> bool:
        """Whether any scenario sends articles to a target."""
        return bool({SINGLE_STREAM, SERVER, OFFLINE} & set(self.scenarios))

    def find_warnings(self) -> list[str]:
        """Say what the numbers of this plan cannot carry."""
        needed = samples_for_quantile(0.99)
        if not self.sends_documents or self.n_requests >= needed:
            return []
        got = f"p99 needs {needed} samples, this run has {self.n_requests} each"
        return [f"{got}: do not decide on its p99"]
