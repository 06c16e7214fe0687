"""Lateness: how much later than scheduled requests left, which is the sender's fault alone."""

from bench.results import Server
from bench.shown import digits

MAX_SHARE = 0.05
"""Most of the objective that the sender may use up, by the p99 of its lateness."""


def warn_of_lateness(server: Server) -> list[str]:
    """Warn where the sender was so late that it measured itself; one warning for all rates."""
    late = {
        point.rate: point.lateness.p99_s.estimate
        for point in server.points
        if point.lateness and point.lateness.p99_s.estimate > MAX_SHARE * server.slo_s
    }
    if not late:
        return []
    rates = ", ".join(digits(rate) for rate in sorted(late))
    warning = (
        f"the sender was late by up to {digits(1e3 * max(late.values()))} ms (p99) at {rates} "
        f"requests/s, more than {100 * MAX_SHARE:g} % of the objective: latencies are too long by "
        "about that; give the sender a processor of its own (fewer --workers, or another machine)"
    )
    return [warning]
