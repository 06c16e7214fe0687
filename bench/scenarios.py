"""The scenarios that send articles: one target, warm, through SingleStream, Offline and Server."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count

from bench.articles import Articles
from bench.clock import Clock
from bench.conditions import ArticleSet, TargetFacts
from bench.offline import run_offline
from bench.open_loop import run_server
from bench.plan import OFFLINE, SERVER, SINGLE_STREAM, Plan
from bench.progress import progress
from bench.rate_search import count_requests, find_highest, least_duration, search_rate
from bench.results import Offline, Point, Server, Stream
from bench.schedule import article_order
from bench.single_stream import run_single_stream
from bench.target import InProcess, Target
from bench.url_target import connect
from bench.warm_up import warm_up
from service.errors import TargetError

CAPACITY_REQUESTS = 200
"""Documents of the Offline run that a search starts with when Offline itself is not asked for."""


@dataclass
class Sent:
    """What sending articles found so far; an interrupted run keeps what it had finished.

    Attributes:
        target: what answered; None before it is known.
        articles: what was sent; None before it is known.
        single_stream: None where it was not asked for, or is not finished; so are the other two.
        offline: see single_stream.
        server: see single_stream.
    """

    target: TargetFacts | None = None
    articles: ArticleSet | None = None
    single_stream: Stream | None = None
    offline: Offline | None = None
    server: Server | None = None


async def send_articles(plan: Plan, articles: Articles, sent: Sent) -> None:
    """Send articles through the scenarios that a plan asks for.

    Args:
        plan: names the target and the scenarios.
        articles: to send.
        sent: takes what is found, each as soon as it is finished.

    Raises:
        PatsumError: the target cannot be reached, refuses every article or fails in the warm-up.
    """
    target: Target = (
        await connect(plan.url, plan.api_key, plan.timeout_s)
        if plan.url
        else InProcess(plan.bundle, plan.threads, plan.workers)
    )
    try:
        with progress("warm-up", len(articles.texts)) as on_answer:
            accepted = await warm_up(target, articles.texts, on_answer)
        used = Articles(accepted.texts, articles.source, articles.sha256)
        sent.target = target.facts
        sent.articles = used.describe(accepted.n_left_out, accepted.why)
        scenarios = Scenarios(plan, target, used.texts)
        if SINGLE_STREAM in plan.scenarios:
            sent.single_stream = await scenarios.run_single_stream()
        if OFFLINE in plan.scenarios:
            sent.offline = await scenarios.run_offline(plan.n_requests)
        if SERVER in plan.scenarios:
            sent.server = await scenarios.run_server(sent.offline)
    finally:
        await target.close()


class Scenarios:
    """Runs scenarios against one target.

    Args:
        plan: how many requests, which rates, which objective.
        target: warmed up.
        texts: that it takes, at least one.
        clock: of the runs; the process's own without.
    """

    def __init__(
        self, plan: Plan, target: Target, texts: Sequence[str], clock: Clock | None = None
    ) -> None:
        self._plan = plan
        self._target = target
        self._texts = texts
        self._clock = clock

    async def run_single_stream(self) -> Stream:
        """Send one request at a time."""
        texts = self._choose(self._plan.n_requests, self._plan.seed)
        with progress("SingleStream", len(texts)) as on_answer:
            return await run_single_stream(self._target, texts, on_answer, self._clock)

    async def run_offline(self, n_requests: int) -> Offline:
        """Send everything at once, a fixed number in flight."""
        n_parallel = self._plan.n_parallel or 2 * self._target.facts.workers
        texts = self._choose(n_requests, self._plan.seed)
        with progress("Offline", len(texts)) as on_answer:
            return await run_offline(self._target, texts, n_parallel, on_answer, self._clock)

    async def run_server(self, offline: Offline | None) -> Server:
        """Measure the given rates, or search for the highest one that meets the objective.

        Args:
            offline: says where a search starts; measured here where it is missing.

        Raises:
            TargetError: a search has no rate to start from, because nothing was answered.
        """
        plan = self._plan
        if plan.rates:
            points = [
                await self._measure(rate, plan.n_requests, plan.seed + number)
                for number, rate in enumerate(sorted(plan.rates), start=1)
            ]
            highest = find_highest(points)
            rule = "none, the given rates once each"
            return Server(slo_s=plan.slo_s, points=points, highest_rate=highest, rule=rule)
        offline = offline or await self.run_offline(min(plan.n_requests, CAPACITY_REQUESTS))
        if offline.documents_per_s is None:
            raise TargetError(
                "expected answers to find out how many a second there can be, got "
                f"{offline.counts.errors or 'only 429'}; lower --connections, or give --rates"
            )
        seeds = count(plan.seed + 1)

        async def measure(rate: float, is_confirmation: bool) -> Point:
            n = count_requests(rate, plan.n_requests, plan.slo_s, plan.precision)
            n *= 2 if is_confirmation else 1
            return await self._measure(rate, n, next(seeds), is_confirmation)

        search = await search_rate(measure, offline.documents_per_s.estimate, plan.precision)
        return Server(
            slo_s=plan.slo_s,
            points=search.points,
            highest_rate=search.highest_rate,
            rule=search.rule,
        )

    async def _measure(
        self, rate: float, n: int, seed: int, is_confirmation: bool = False
    ) -> Point:
        texts = self._choose(n, seed)
        slo_s = self._plan.slo_s
        least_s = least_duration(slo_s, self._plan.precision)
        with progress(f"Server, {rate:.1f}/s", n) as on_answer:
            point = await run_server(
                self._target, texts, rate, seed, slo_s, on_answer, self._clock, least_s
            )
        return point.model_copy(update={"is_confirmation": is_confirmation})

    def _choose(self, n: int, seed: int) -> list[str]:
        return [self._texts[i] for i in article_order(n, len(self._texts), seed)]
