"""One run of `patsum bench`: the plan in, the results out."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime

from bench.articles import Articles, read_article_texts
from bench.cold_start import start_cold
from bench.engine_time import time_engines
from bench.generated import generate_articles
from bench.lateness import warn_of_lateness
from bench.machine import read_machine
from bench.plan import ENGINE, Plan
from bench.progress import progress
from bench.quiet import QuietWatch
from bench.results import ColdStart, EngineTime, Results
from bench.scenarios import Sent, send_articles
from bench.target import describe_bundle
from bench.versions import find_versions
from service.errors import InputError
from service.inference.bundle import Bundle, embedded_bundle_path

_PACKAGES = ("patsum", "onnxruntime", "tokenizers", "numpy", "httpx", "scipy")


def run_benchmark(plan: Plan) -> Results:
    """Do everything that a plan asks for; Ctrl-C ends it with what is finished by then.

    Raises:
        PatsumError: the target cannot be reached, the data cannot be used, the bundle is bad.
    """
    warnings = plan.find_warnings()
    articles = load_articles(plan) if plan.sends_documents else None
    bundle = None if plan.url else Bundle(plan.bundle or embedded_bundle_path())
    watch = QuietWatch(is_alone=plan.url is None)
    cold_start: list[ColdStart] = []
    engine: list[EngineTime] = []
    sent = Sent()
    is_interrupted = False
    try:
        _start_cold(plan, cold_start)
        if bundle and ENGINE in plan.scenarios:
            engine += _time_engine(plan, bundle, warnings)
        if articles:
            asyncio.run(send_articles(plan, articles, sent))
    except KeyboardInterrupt:
        is_interrupted = True
        warnings.insert(0, "the run was interrupted: what it had not finished is missing")
    if sent.server:
        warnings += warn_of_lateness(sent.server)
    target = describe_bundle(bundle, plan.threads, plan.workers) if bundle else None
    return Results(
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        command=plan.command,
        seed=plan.seed,
        machine=read_machine(),
        quiet=watch.finish(),
        versions=find_versions(_PACKAGES),
        target=sent.target or target,
        articles=sent.articles,
        warnings=warnings,
        is_interrupted=is_interrupted,
        single_stream=sent.single_stream,
        offline=sent.offline,
        server=sent.server,
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


def _start_cold(plan: Plan, found: list[ColdStart]) -> None:
    with progress("cold starts", plan.n_cold_starts) as on_start:
        for _ in range(plan.n_cold_starts):
            found.append(start_cold(plan.bundle, plan.threads))
            on_start()


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
