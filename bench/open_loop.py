"""The open loop: requests at Poisson times, whether or not earlier ones are answered."""

import asyncio
from collections.abc import Callable, Sequence

from bench.clock import Clock, RealClock
from bench.outcome import Outcome, count_outcomes, ok_latencies, summarize_stages
from bench.results import Counts, Latency, Point
from bench.schedule import poisson_schedule
from bench.statistics import summarize_latencies
from bench.target import Target


async def run_open_loop(
    target: Target,
    texts: Sequence[str],
    schedule_s: Sequence[float],
    on_answer: Callable[[], object],
    clock: Clock | None = None,
) -> list[Outcome]:
    """Send each text when it is due, and wait for all answers.

    Args:
        target: what answers.
        texts: one a request.
        schedule_s: when each is due, in seconds from the start, increasing; as many as texts.
        on_answer: called after each answer.
        clock: of the run; the process's own without.

    Returns:
        The outcomes in the order of the schedule; latencies count from the schedule.
    """
    clock = clock or RealClock()
    start_s = clock.now_s()

    async def send(text: str, due_s: float) -> Outcome:
        sent_s = clock.now_s() - start_s
        answer = await target.summarize(text)
        on_answer()
        return Outcome(due_s, sent_s, clock.now_s() - start_s, answer)

    async with asyncio.TaskGroup() as group:
        sent = []
        for text, due_s in zip(texts, schedule_s, strict=True):
            await clock.sleep_until(start_s + due_s)
            sent.append(group.create_task(send(text, due_s)))
    return [task.result() for task in sent]


async def run_server(
    target: Target,
    texts: Sequence[str],
    rate: float,
    seed: int,
    slo_s: float,
    on_answer: Callable[[], object],
    clock: Clock | None = None,
    least_s: float = 0.0,
) -> Point:
    """Measure one rate.

    Args:
        target: what answers.
        texts: one a request, at least one.
        rate: requests a second, above 0.
        seed: of the schedule.
        slo_s: objective for p99, in seconds.
        on_answer: called after each answer.
        clock: of the run; the process's own without.
        least_s: how long requests have to come for the rate to pass, in seconds.

    Raises:
        InputError: the rate is not above 0.
    """
    schedule_s = poisson_schedule(rate, len(texts), seed).tolist()
    outcomes = await run_open_loop(target, texts, schedule_s, on_answer, clock)
    counts, latency = count_outcomes(outcomes), summarize_latencies(ok_latencies(outcomes))
    why_not = find_fault(counts, latency, slo_s)
    duration_s = len(texts) / rate
    if not why_not and duration_s < least_s:
        why_not = f"{duration_s:.1f} s are too few for a queue to show, give {least_s:g} s"
    return Point(
        rate=rate,
        seed=seed,
        counts=counts,
        latency=latency,
        lateness=summarize_latencies([o.sent_s - o.scheduled_s for o in outcomes]),
        stages=summarize_stages(outcomes),
        passes=not why_not,
        why_not=why_not,
    )


def find_fault(counts: Counts, latency: Latency | None, slo_s: float) -> str:
    """Say why a rate does not meet the objective; an empty text where it does.

    Not p99 itself but the upper end of its interval has to lie within the objective, so that the
    rate that is reported does not hang on luck.
    """
    if counts.n_errors:
        return f"{counts.n_errors} errors"
    if counts.n_rejected:
        return f"{counts.n_rejected} answered 429"
    if latency is None or latency.p99_s.high is None:
        return "too few samples to bound p99"
    if latency.p99_s.high > slo_s:
        return f"p99 up to {1e3 * latency.p99_s.high:.0f} ms"
    return ""
