"""Offline: all documents are there from the start; how many are done a second."""

import asyncio
from collections.abc import Callable, Sequence

from bench.clock import Clock, RealClock
from bench.outcome import OK, Outcome, count_outcomes, summarize_stages
from bench.results import Offline
from bench.statistics import throughput
from bench.target import Target


async def run_offline(
    target: Target,
    texts: Sequence[str],
    n_parallel: int,
    on_answer: Callable[[], object],
    clock: Clock | None = None,
) -> Offline:
    """Send all texts, a fixed number of them in flight.

    Args:
        target: what answers.
        texts: one a request, at least one.
        n_parallel: requests in flight; at least the documents that the target works on at a time.
        on_answer: called after each answer.
        clock: of the run; the process's own without.
    """
    clock = clock or RealClock()
    outcomes: list[Outcome] = []
    waiting = iter(texts)
    start_s = clock.now_s()

    async def send_next() -> None:
        for text in waiting:  # shared: each sender takes the next one
            sent_s = clock.now_s() - start_s
            answer = await target.summarize(text)
            outcomes.append(Outcome(0.0, sent_s, clock.now_s() - start_s, answer))
            on_answer()

    await asyncio.gather(*(send_next() for _ in range(n_parallel)))
    elapsed_s = clock.now_s() - start_s
    finished_s = [outcome.finished_s for outcome in outcomes if outcome.answer.status == OK]
    return Offline(
        counts=count_outcomes(outcomes),
        n_parallel=n_parallel,
        elapsed_s=elapsed_s,
        documents_per_s=throughput(finished_s) if finished_s else None,
        stages=summarize_stages(outcomes),
    )
