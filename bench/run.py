"""One run of `patsum bench`: the plan in, the results out."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime

from bench.articles import Articles, read_article_texts
from bench.cold_start import start_cold
from bench.engine_time import time_engines
from bench.generated import generate_articles
from bench.machine import read_machine
from bench.offline import run_offline
from bench.plan import ENGINE, OFFLINE, SERVER, SINGLE_STREAM, Plan
from bench.progress import progress
from bench.quiet import QuietWatch
from bench.rate_search import search_rate
from bench.results import ArticleSet, EngineTime, Offline, Point, Results, Server, Stream
from bench.schedule import article_order
from bench.server import run_server
from bench.single_stream import run_single_stream
from bench.target import InProcess, Target, describe_bundle
from bench.url_target import connect
from bench.versions import find_versions
from bench.warm_up import warm_up
from service.errors import InputError
from service.inference.bundle import Bundle, embedded_bundle_path

_PACKAGES = ("patsum", "onnxruntime", "tokenizers", "numpy", "httpx", "scipy")
_CAPACITY_REQUESTS = 200


def run_benchmark(plan: Plan) -> Results:
    """Do everything that a plan asks for.

    Raises:
        PatsumError: the target cannot be reached, the data cannot be used, the bundle is bad.
    """
    warnings = plan.find_warnings()
    articles = load_articles(plan) if plan.sends_documents else None
    bundle = None if plan.url else Bundle(plan.bundle or embedded_bundle_path())
    watch = QuietWatch(is_alone=plan.url is None)
    cold_start = []
    with progress("cold starts", plan.n_cold_starts) as on_start:
        for _ in range(plan.n_cold_starts):
            cold_start.append(start_cold(plan.bundle, plan.threads))
            on_start()
    engine = _time_engine(plan, bundle, warnings) if bundle and ENGINE in plan.scenarios else []
    sent = asyncio.run(_Sender(plan, articles).run()) if articles else None
    target = describe_bundle(bundle, plan.threads, plan.workers) if bundle else None
    return Results(
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        command=plan.command,
        seed=plan.seed,
        machine=read_machine(),
        quiet=watch.finish(),
        versions=find_versions(_PACKAGES),
        target=sent.target.facts if sent else target,
        articles=sent.articles if sent else None,
        warnings=warnings,
        single_stream=sent.single_stream if sent else None,
        offline=sent.offline if sent else None,
        server=sent.server if sent else None,
        engine=engine,
        cold_start=cold_start,
    )


def load_articles(plan: Plan) -> Articles:
    """Read the user's articles, or make some."""
    if plan.data:
        return read_article_texts(plan.data, plan.n_articles, plan.seed)
    fewest, most = plan.words
    texts = generate_articles(plan.n_articles, plan.words, plan.seed)
    return Articles(texts, f"generated, {fewest}-{most} words, seed {plan.seed}")


class _Sender:
    """Sends the articles through the scenarios of a plan; `run` fills in what was found."""

    target: Target
    articles: ArticleSet

    def __init__(self, plan: Plan, articles: Articles) -> None:
        self._plan = plan
        self._given = articles
        self.single_stream: Stream | None = None
        self.offline: Offline | None = None
        self.server: Server | None = None

    async def run(self) -> "_Sender":
        plan = self._plan
        self.target = (
            await connect(plan.url, plan.api_key, plan.timeout_s)
            if plan.url
            else InProcess(plan.bundle, plan.threads, plan.workers)
        )
        try:
            with progress("warm-up", len(self._given.texts)) as on_answer:
                accepted = await warm_up(self.target, self._given.texts, on_answer)
            used = Articles(accepted.texts, self._given.source, self._given.sha256)
            self._texts = used.texts
            self.articles = used.describe(accepted.n_left_out, accepted.why)
            if SINGLE_STREAM in plan.scenarios:
                texts = self._choose(plan.n_requests, plan.seed)
                with progress("SingleStream", len(texts)) as on_answer:
                    self.single_stream = await run_single_stream(self.target, texts, on_answer)
            if OFFLINE in plan.scenarios:
                self.offline = await self._run_offline(plan.n_requests)
            if SERVER in plan.scenarios:
                self.server = await self._run_server()
        finally:
            await self.target.close()
        return self

    def _choose(self, n: int, seed: int) -> list[str]:
        return [self._texts[i] for i in article_order(n, len(self._texts), seed)]

    async def _run_offline(self, n_requests: int) -> Offline:
        n_parallel = self._plan.n_parallel or 2 * self.target.facts.workers
        texts = self._choose(n_requests, self._plan.seed)
        with progress("Offline", len(texts)) as on_answer:
            return await run_offline(self.target, texts, n_parallel, on_answer)

    async def _run_server(self) -> Server:
        plan = self._plan
        points: list[Point] = []

        async def measure(rate: float, is_confirmation: bool = False) -> Point:
            seed = plan.seed + 1 + len(points)
            n = plan.n_requests * (2 if is_confirmation else 1)
            texts = self._choose(n, seed)
            with progress(f"Server, {rate:.1f}/s", n) as on_answer:
                point = await run_server(self.target, texts, rate, seed, plan.slo_s, on_answer)
            points.append(point.model_copy(update={"is_confirmation": is_confirmation}))
            return points[-1]

        if plan.rates:
            for rate in sorted(plan.rates):
                await measure(rate)
            passing = max((p.rate for p in points if p.passes), default=None)
            rule = "the given rates, once each; the highest that passes, not confirmed"
            return Server(slo_s=plan.slo_s, points=points, highest_rate=passing, rule=rule)
        offline = self.offline or await self._run_offline(min(plan.n_requests, _CAPACITY_REQUESTS))
        if offline.documents_per_s is None:
            raise InputError(
                "expected answers to find out how many a second there can be, got "
                f"{offline.counts.errors or 'only 429'}; lower --connections, or give --rates"
            )
        search = await search_rate(measure, offline.documents_per_s.estimate, plan.precision)
        return Server(
            slo_s=plan.slo_s, points=points, highest_rate=search.highest_rate, rule=search.rule
        )


def _time_engine(plan: Plan, bundle: Bundle, warnings: list[str]) -> list[EngineTime]:
    bundles = [bundle, *([Bundle(plan.compare)] if plan.compare else [])]
    lengths = _readable_lengths(plan.lengths, bundles, warnings)
    with progress("model alone", len(lengths) * len(bundles) * plan.n_engine_runs) as on_run:
        return time_engines(bundles, lengths, plan.n_engine_runs, plan.threads, plan.seed, on_run)


def _readable_lengths(
    lengths: Sequence[int], bundles: Sequence[Bundle], warnings: list[str]
) -> list[int]:
    most = min(bundle.manifest.encoder.max_tokens for bundle in bundles)
    readable = [length for length in lengths if length <= most]
    if len(readable) < len(lengths):
        left_out = ", ".join(str(length) for length in lengths if length > most)
        warnings.append(f"the model reads {most} tokens: not timed at {left_out}")
    if not readable:
        raise InputError(
            f"expected --lengths of at most {most} tokens, got {list(lengths)}; give shorter ones"
        )
    return readable
