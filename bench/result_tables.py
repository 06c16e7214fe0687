"""The results of `patsum bench` as tables; terminal, HTML and Markdown show the same ones."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from statistics import median

from bench.machine import judge_int8
from bench.results import Counts, Latency, Offline, Point, Results, Stream
from bench.shown import digits, interval, megabytes, milliseconds, share
from bench.table import Table


def make_tables(results: Results) -> Iterator[Table]:
    """Make the tables of whatever was measured, the headline first."""
    if results.server:
        yield _server_table(results)
    if results.single_stream:
        yield _stream_table(results.single_stream)
    if results.offline:
        yield _offline_table(results.offline)
    if stages := _stage_rows(results):
        note = "As the answering side tells them; 95 % intervals."
        yield Table("Stages, ms", ("stage", "mean", "p50", "p99"), stages, note)
    if results.engine:
        yield _engine_table(results)
    if len(results.engine) > len({time.n_tokens for time in results.engine}):
        yield _compare_table(results)
    if results.cold_start:
        yield _cold_start_table(results)


def headline(results: Results) -> str:
    """Say the one sentence that the run is about."""
    server = results.server
    if server is None:
        return ""
    slo = f"p99 within {digits(1e3 * server.slo_s)} ms"
    if server.highest_rate is None:
        return f"No measured rate keeps {slo} without an error."
    is_confirmed = any(point.is_confirmation and point.passes for point in server.points)
    once = "" if is_confirmed else " (measured once)"
    return f"{digits(server.highest_rate)} requests a second keep {slo} without an error{once}."


def _server_table(results: Results) -> Table:
    assert results.server, "asked only where there is one"
    rows = [
        (
            digits(point.rate) + (" again" if point.is_confirmation else ""),
            *_quantiles(point.latency),
            _late(point.lateness),
            *_failures(point.counts),
            "yes" if point.passes else point.why_not,
        )
        for point in sorted(results.server.points, key=_by_rate)
    ]
    return Table(
        "Server: latency against offered rate (Poisson, open loop), ms",
        ("requests/s", "p50", "p99", "sent late, p99", "n", "429", "errors", "meets the objective"),
        rows,
        "From when a request was due; how late it was sent is a part of that. "
        f"Search: {results.server.rule}.",
    )


def _by_rate(point: Point) -> tuple[float, bool]:
    return point.rate, point.is_confirmation


def _quantiles(latency: Latency | None) -> tuple[str, str]:
    if latency is None:
        return "-", "-"
    return digits(1e3 * latency.p50_s.estimate), milliseconds(latency.p99_s)


def _late(lateness: Latency | None) -> str:
    return "-" if lateness is None else digits(1e3 * lateness.p99_s.estimate)


def _failures(counts: Counts) -> tuple[str, str, str]:
    return str(counts.n), str(counts.n_rejected), str(counts.n_errors)


def _stream_table(stream: Stream) -> Table:
    latency = stream.latency
    bounds = (latency.mean_s, latency.p50_s, latency.p90_s, latency.p99_s) if latency else ()
    shown = [milliseconds(each) for each in bounds] or ["-"] * 4
    return Table(
        "SingleStream: one request at a time, ms",
        ("mean", "p50", "p90", "p99", "n", "429", "errors"),
        [(*shown, *_failures(stream.counts))],
        "95 % intervals: the mean's by bootstrap, the quantiles' by order statistics.",
    )


def _offline_table(offline: Offline) -> Table:
    row = (interval(offline.documents_per_s), str(offline.n_parallel), *_failures(offline.counts))
    return Table(
        "Offline: all documents there from the start",
        ("documents/s", "in flight", "n", "429", "errors"),
        [row],
        "95 % interval from ten windows of the run.",
    )


def _stage_rows(results: Results) -> list[tuple[str, ...]]:
    measured = {
        "SingleStream": results.single_stream,
        "Offline": results.offline,
    }
    return [
        (f"{name}: {stage}", *(milliseconds(b) for b in (time.mean_s, time.p50_s, time.p99_s)))
        for name, scenario in measured.items()
        if scenario
        for stage, time in scenario.stages.items()
    ]


def _engine_table(results: Results) -> Table:
    rows = [
        (
            f"{time.n_tokens:,}",
            time.weights,
            milliseconds(time.median_s),
            digits(1e6 * time.median_s.estimate / time.n_tokens),
            str(time.n_runs),
            time.model,
        )
        for time in results.engine
    ]
    return Table(
        "The model alone", ("tokens", "weights", "ms, median", "µs/token", "runs", "model"), rows
    )


def _compare_table(results: Results) -> Table:
    by_length = defaultdict(list)
    for time in results.engine:
        by_length[time.n_tokens].append(time)
    rows = [
        (f"{n_tokens:,}", f"{second.median_s.estimate / first.median_s.estimate:.2f}×")
        for n_tokens, (first, second) in by_length.items()
    ]
    first, second = next(iter(by_length.values()))
    return Table(
        f"{second.weights} takes this much of {first.weights}'s time on this processor",
        ("tokens", "ratio"),
        rows,
        _measured_verdict(results),
    )


def _measured_verdict(results: Results) -> str:
    """Say whether int8 pays here, where an int8 and a float32 model were timed."""
    seconds: dict[str, list[float]] = defaultdict(list)
    for time in results.engine:
        seconds["int8" if "int8" in time.weights else time.weights].append(time.median_s.estimate)
    if "int8" not in seconds or "float32" not in seconds:
        return "Both have the same number format: this says nothing about int8."
    ratios = [f / i for f, i in zip(seconds["float32"], seconds["int8"], strict=True)]
    slowest = min(ratios)
    if slowest > 1.1:
        return f"Measured: int8 pays here, {slowest:.1f} to {max(ratios):.1f} times as fast."
    if slowest > 0.9:
        return "Measured: int8 makes little difference here at some lengths."
    return "Measured: int8 costs time here at some lengths; serve float32."


def _cold_start_table(results: Results) -> Table:
    starts = results.cold_start
    rows = [
        (str(number), f"{start.ready_s:.2f}", megabytes(start.rss_bytes), _pss(start.pss_bytes))
        for number, start in enumerate(starts, start=1)
    ]
    all_pss = [start.pss_bytes for start in starts if start.pss_bytes is not None]
    rows.append(
        (
            "median",
            f"{median(start.ready_s for start in starts):.2f}",
            megabytes(median(start.rss_bytes for start in starts)),
            megabytes(median(all_pss)) if all_pss else "-",
        )
    )
    return Table(
        "Cold starts of `patsum serve`",
        ("start", "ready after, s", "RSS at rest", "PSS at rest"),
        rows,
        "From the start of the process to /readyz 200; memory a second later, before any request.",
    )


def _pss(n_bytes: int | None) -> str:
    return "-" if n_bytes is None else megabytes(n_bytes)


def facts(results: Results) -> Iterator[tuple[str, str]]:
    """Name what was measured, where and how: what makes the numbers again."""
    machine, quiet, target = results.machine, results.quiet, results.target
    quota = "no quota" if machine.quota_cpus is None else f"quota {machine.quota_cpus:g} CPUs"
    governor = machine.governor or "not readable"
    if target:
        yield "model", f"{target.model} ({target.weights}), model.onnx sha256 {target.sha256[:12]}"
        yield (
            "target",
            f"{target.kind}, {target.where}; {target.workers} workers × {target.threads} threads",
        )
    if results.articles:
        yield "articles", _describe_articles(results)
    here = f"{machine.cpu}, {machine.usable_cpus} usable, {quota}, governor {governor}"
    is_elsewhere = target is not None and target.kind == "url"
    cpu, flags, versions = here, machine.flags, results.versions
    if target and is_elsewhere:
        cpu, flags, versions = target.cpu, target.flags, target.versions
    yield "cpu", cpu
    yield "flags", " ".join(flags) or "none known"
    yield "int8", judge_int8(flags)
    if is_elsewhere:
        yield "sender's cpu", here
    load = " and ".join(
        "-" if n is None else f"{n:.2f}" for n in (quiet.load_before, quiet.load_after)
    )
    yield (
        "quiet",
        f"{quiet.verdict}; load average {load} before and after; others took {share(quiet.others)}",
    )
    yield "versions", _list_versions(versions)
    if is_elsewhere:
        yield "sender's versions", _list_versions(results.versions)
    yield "command", results.command
    yield "when", results.created
    for warning in results.warnings:
        yield "warning", warning


def _list_versions(versions: Mapping[str, str]) -> str:
    return ", ".join(f"{package} {version}" for package, version in versions.items())


def _describe_articles(results: Results) -> str:
    articles = results.articles
    assert articles, "asked only where there are some"
    text = (
        f"{articles.n} of {articles.source}, {articles.words_min}-{articles.words_max} words, "
        f"median {articles.words_median:.0f}"
    )
    if articles.sha256:
        text += f", sha256 {articles.sha256[:12]}"
    if articles.n_left_out:
        text += f"; {articles.n_left_out} left out, refused: {articles.why_left_out}"
    return text
