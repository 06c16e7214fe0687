"""SingleStream: one request at a time; what a lone caller sees."""

from collections.abc import Callable, Sequence

from bench.clock import Clock, RealClock
from bench.outcome import Outcome, count_outcomes, ok_latencies, summarize_stages
from bench.results import Stream
from bench.statistics import summarize_latencies
from bench.target import Target


async def run_single_stream(
    target: Target,
    texts: Sequence[str],
    on_answer: Callable[[], object],
    clock: Clock | None = None,
) -> Stream:
    """Send one text after the other.

    Args:
        target: what answers.
        texts: one a request, at least one.
        on_answer: called after each answer.
        clock: of the run; the process's own without.
    """
    clock = clock or RealClock()
    outcomes = []
    start_s = clock.now_s()
    for text in texts:
        sent_s = clock.now_s() - start_s
        answer = await target.summarize(text)
        outcomes.append(Outcome(sent_s, sent_s, clock.now_s() - start_s, answer))
        on_answer()
    latencies_s = ok_latencies(outcomes)
    return Stream(
        counts=count_outcomes(outcomes),
        latency=summarize_latencies(latencies_s),
        stages=summarize_stages(outcomes),
        latencies_s=latencies_s,
    )
