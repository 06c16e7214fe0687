"""Facts about the open loop: what a stall does to it, and what it does not hide."""

import numpy as np
import pytest

from bench.lateness import warn_of_lateness
from bench.open_loop import find_fault, run_open_loop, run_server
from bench.plan import SERVER, Plan
from bench.rate_search import MAX_STEPS, count_requests, find_highest, search_rate
from bench.result_tables import headline
from bench.results import Counts, Point, Results, Server
from bench.scenarios import Scenarios
from bench.single_stream import run_single_stream
from bench.statistics import summarize_latencies
from tests.bench.virtual_clock import Stalling, VirtualClock

N = 100
SCHEDULE_S = [round(0.1 * i, 3) for i in range(N)]
STALL_S = (4.0, 6.0)


def ignore():
    pass


def run_stalling_open_loop():
    clock = VirtualClock()
    target = Stalling(clock, STALL_S)
    return clock.run(run_open_loop(target, ["text"] * N, SCHEDULE_S, ignore, clock))


def test_stall_shows_in_every_request_that_was_due_meanwhile():
    latencies = [outcome.latency_s for outcome in run_stalling_open_loop()]
    # Request 40 is due when the stall begins; the queue behind it empties at 100 requests a second.
    expected = [0.01] * N
    free_s = 6.0
    for i in range(40, N):
        free_s = max(free_s, SCHEDULE_S[i]) + 0.01
        expected[i] = free_s - SCHEDULE_S[i]
    np.testing.assert_allclose(latencies, expected, atol=1e-9)
    assert sum(latency > 0.1 for latency in latencies) > 20


def test_closed_loop_sees_the_stall_once():
    clock = VirtualClock()
    target = Stalling(clock, STALL_S)
    stream = clock.run(run_single_stream(target, ["text"] * 450, ignore, clock))
    assert sum(latency > 0.1 for latency in stream.latencies_s) == 1


def test_requests_leave_on_time_while_none_is_answered():
    assert [outcome.sent_s for outcome in run_stalling_open_loop()] == pytest.approx(SCHEDULE_S)


def test_request_that_leaves_late_counts_from_when_it_was_due():
    clock = VirtualClock()

    class Late:
        """A clock that oversleeps one second, as a busy sender does."""

        now_s = clock.now_s

        async def sleep_until(self, time_s):
            await clock.sleep_until(time_s + 1 if time_s > clock.now_s() else time_s)

    outcomes = clock.run(run_open_loop(Stalling(clock, (0, 0)), ["text"], [2.0], ignore, Late()))
    assert outcomes[0].sent_s == pytest.approx(3.0)
    assert outcomes[0].latency_s == pytest.approx(1.01)


@pytest.mark.parametrize(("late_s", "is_warned"), [(0.004, False), (0.006, True)])
def test_sender_that_is_late_by_more_than_5_percent_of_the_objective_is_told(late_s, is_warned):
    lateness = summarize_latencies([0.0] * 600 + [late_s] * 62)
    points = [make_point(20, True).model_copy(update={"lateness": lateness}), make_point(10, True)]
    server = Server(slo_s=0.1, points=points, highest_rate=20, rule="")
    warnings = warn_of_lateness(server)
    assert len(warnings) == is_warned
    if is_warned:
        assert "by up to 6.00 ms (p99) at 20.0 requests/s" in warnings[0]


def test_rate_below_capacity_passes_and_one_above_does_not():
    def measure(rate):
        clock = VirtualClock()
        target = Stalling(clock, (0, 0))
        return clock.run(run_server(target, ["text"] * 662, rate, 3, 0.1, ignore, clock))

    assert measure(50).passes
    above = measure(120)
    assert above.why_not.startswith("p99 up to")
    assert above.counts.n_ok == 662


def make_plan(**options):
    given = dict.fromkeys(Plan.__dataclass_fields__) | {
        "workers": 1, "seed": 0, "scenarios": (SERVER,), "n_requests": 662, "slo_s": 0.1,
        "rates": (), "precision": 0.05, "n_parallel": 1,
    }  # fmt: skip
    return Plan(**given | options)


def run_scenario(**options):
    """Run Server against a target that answers 100 requests a second and never stands still."""
    clock = VirtualClock()
    scenarios = Scenarios(make_plan(**options), Stalling(clock, (0, 0)), ["text"], clock)
    return clock.run(scenarios.run_server(None))


def test_headline_is_not_above_capacity_though_the_objective_is_100_times_the_work():
    server = run_scenario(slo_s=100 * Stalling.WORK_S, precision=0.1)
    assert 90 < server.highest_rate <= 100
    confirmed = server.points[-1]
    assert confirmed.passes
    # Twice the 20 s in which a queue must reach the objective, counted by requests.
    assert confirmed.counts.n == 2 * count_requests(confirmed.rate, 662, 1.0, 0.1)
    assert confirmed.counts.n == pytest.approx(40 * confirmed.rate, abs=2)


def test_rate_above_capacity_does_not_pass_by_being_measured_shortly():
    server = run_scenario(slo_s=100 * Stalling.WORK_S, rates=(105.0,))
    assert server.points[0].why_not == "6.3 s are too few for a queue to show, give 40 s"
    assert server.highest_rate is None


@pytest.mark.parametrize(
    ("rates", "highest"),
    [
        ([(5, True), (10, False), (20, True)], 5),
        ([(5, True), (10, True), (20, False)], 10),
        ([(20, True), (5, True)], 20),
        ([(5, False), (10, True)], None),
        ([(10, True), (10, False)], None),
        ([], None),
    ],
)
def test_highest_rate_lies_below_every_failing_one(rates, highest):
    assert find_highest([make_point(rate, passes) for rate, passes in rates]) == highest


def test_headline_says_whether_the_rate_was_confirmed():
    def say(is_confirmation):
        point = make_point(20, True, is_confirmation)
        server = Server(slo_s=0.1, points=[point], highest_rate=20, rule="")
        return headline(Results.model_construct(server=server))

    assert say(True) == "20.0 requests a second keep p99 within 100 ms without an error."
    assert say(False).endswith("without an error (measured once).")


def make_counts(n_ok=662, n_rejected=0, n_errors=0):
    return Counts(n=n_ok + n_rejected + n_errors, n_ok=n_ok, n_rejected=n_rejected,
                  n_errors=n_errors, errors={})  # fmt: skip


def make_point(rate, passes, is_confirmation=False):
    return Point(rate=rate, seed=0, counts=make_counts(), latency=None, lateness=None, stages={},
                 passes=passes, why_not="" if passes else "slow",
                 is_confirmation=is_confirmation)  # fmt: skip


@pytest.mark.parametrize(
    ("counts", "latencies", "fault"),
    [
        (make_counts(), [0.05] * 662, ""),
        (make_counts(n_rejected=1), [0.05] * 662, "1 answered 429"),
        (make_counts(n_errors=2), [0.05] * 662, "2 errors"),
        (make_counts(n_ok=100), [0.05] * 100, "too few samples to bound p99"),
        (make_counts(n_ok=0), [], "too few samples to bound p99"),
        (make_counts(), [0.05] * 650 + [0.3] * 12, "p99 up to 300 ms"),
        # p99 itself is within the objective, but not safely
        (make_counts(), [0.05] * 656 + [0.3] * 6, "p99 up to 300 ms"),
    ],
)
def test_fault_is_found(counts, latencies, fault):
    assert find_fault(counts, summarize_latencies(latencies), slo_s=0.1) == fault


def search(limit, capacity, confirms=lambda rate: True, precision=0.05):
    """Search against a target that passes up to a limit."""

    async def measure(rate, is_confirmation):
        passes = rate <= limit and (not is_confirmation or confirms(rate))
        return make_point(rate, passes, is_confirmation)

    return VirtualClock().run(search_rate(measure, capacity, precision))


@pytest.mark.parametrize(("limit", "capacity"), [(70, 100), (99, 100), (30, 100), (290, 100)])
def test_search_comes_within_its_precision_and_never_above(limit, capacity):
    found = search(limit, capacity)
    assert limit * 0.94 <= found.highest_rate <= limit
    assert found.points[-1].rate == found.highest_rate


def test_search_gives_up_where_nothing_passes():
    found = search(0.1, 100)
    assert found.highest_rate is None
    assert len(found.points) < 10


def test_search_goes_down_when_the_confirmation_fails():
    found = search(70, 100, confirms=lambda rate: rate < 65)
    assert 58 < found.highest_rate < 65


def test_search_has_no_rate_when_no_confirmation_passes():
    assert search(70, 100, confirms=lambda rate: False).highest_rate is None


def test_search_ends_where_everything_passes():
    assert len(search(float("inf"), 100).points) <= MAX_STEPS + 1
