"""Facts about admission: what a lane takes, in which order, and what it counts."""

import anyio
import pytest

from service.api.admission import Lane, LaneName, Speed, estimate_cost
from service.api.metrics import Metrics
from service.api.problems import ProblemError


@pytest.fixture
def metrics():
    return Metrics()


@pytest.fixture
def make_lane(metrics):
    def make(n_workers=1, max_queue_s=2.0, max_queue_tokens=None):
        return Lane(LaneName.ATTENTION, n_workers, max_queue_s, max_queue_tokens, metrics)

    return make


def gauge(metrics, name):
    return metrics.registry.get_sample_value(f"patsum_{name}", {"lane": "attention"})


@pytest.mark.parametrize(
    ("n_characters", "cost"),
    [(0, 1), (3, 1), (4, 1), (400, 107), (6_000, 3_000), (8_192, 4_844), (16_192, 4_944)],
)
def test_cost_grows_faster_than_the_text_up_to_what_the_model_reads(n_characters, cost):
    assert estimate_cost("a" * n_characters, 2048, is_linear=False) == cost


@pytest.mark.parametrize(
    ("n_characters", "cost"), [(0, 1), (400, 100), (8_192, 2_048), (16_192, 2_148)]
)
def test_cost_of_a_linear_model_grows_with_the_text(n_characters, cost):
    assert estimate_cost("a" * n_characters, 2048, is_linear=True) == cost


def test_queue_holds_exactly_its_limit(make_lane):
    lane = make_lane(max_queue_tokens=100)
    lane.admit([60, 30])
    lane.admit([10])
    with pytest.raises(ProblemError) as refusal:
        lane.admit([1])
    assert refusal.value.status_code == 429
    assert refusal.value.headers["Retry-After"] == "100"  # nothing is known of the speed yet
    assert "queue of 100, got 100 waiting" in refusal.value.detail


def test_request_is_admitted_whole_or_not_at_all(make_lane, metrics):
    lane = make_lane(max_queue_tokens=100)
    lane.admit([50])
    with pytest.raises(ProblemError):
        lane.admit([40, 11])
    assert gauge(metrics, "queue_tokens") == 50
    assert (
        metrics.registry.get_sample_value("patsum_rejections_total", {"reason": "queue_full"}) == 1
    )


def test_request_larger_than_the_queue_is_admitted_only_when_nothing_waits(make_lane):
    lane = make_lane(max_queue_tokens=100)
    (place,) = lane.admit([1000])
    with pytest.raises(ProblemError):
        lane.admit([1])
    place.leave()
    lane.admit([1000])


@pytest.mark.parametrize(
    ("waiting", "is_nearly_full"), [([], False), ([90], False), ([91], True), ([1000], True)]
)
def test_queue_is_nearly_full_above_nine_tenths_of_its_limit(make_lane, waiting, is_nearly_full):
    lane = make_lane(max_queue_tokens=100)
    for cost in waiting:
        lane.admit([cost])
    assert lane.is_nearly_full is is_nearly_full


def test_empty_queue_is_not_nearly_full_before_any_speed_is_known(make_lane):
    lane = make_lane(max_queue_s=2.0)
    assert lane.limit_tokens == 0
    assert not lane.is_nearly_full


def test_limit_and_retry_after_follow_the_speed_that_is_seen(make_lane, metrics):
    lane = make_lane(n_workers=2, max_queue_s=2.0)
    lane.learn(5_000, 10.0)
    assert lane.limit_tokens == gauge(metrics, "queue_limit_tokens") == 2_000
    lane.admit([1_600])
    with pytest.raises(ProblemError) as refusal:
        lane.admit([401])
    assert refusal.value.headers["Retry-After"] == "2"
    lane.admit([400])


def test_speed_weighs_time_and_forgets():
    speed = Speed()
    assert speed.tokens_per_s == 0
    speed.observe(100, 1.0)
    speed.observe(100, 3.0)
    assert speed.tokens_per_s == pytest.approx(198 / 3.98)
    for _ in range(1_000):
        speed.observe(10, 1.0)
    assert speed.tokens_per_s == pytest.approx(10)


def test_turns_come_in_the_order_of_admission_and_leave_nothing_behind(make_lane, metrics):
    lane = make_lane(n_workers=2, max_queue_tokens=1_000)
    order, most = [], []

    async def work(number, place):
        async with place.turn():
            order.append(number)
            most.append(gauge(metrics, "running_documents"))
            await anyio.lowlevel.checkpoint()

    async def run():
        async with anyio.create_task_group() as tasks:
            for number, place in enumerate(lane.admit([10] * 20)):
                tasks.start_soon(work, number, place)

    anyio.run(run)
    assert order == list(range(20))
    assert max(most) == 2
    for name in ("queue_documents", "queue_tokens", "running_documents"):
        assert gauge(metrics, name) == 0


def test_cancelled_wait_gives_its_turn_to_the_next(make_lane, metrics):
    lane = make_lane(max_queue_tokens=1_000)
    worked = []

    async def run():
        first, second, third = lane.admit([10] * 3)
        async with anyio.create_task_group() as tasks:
            async with first.turn():
                with anyio.move_on_after(0) as scope:
                    async with second.turn():
                        worked.append("second")
                assert scope.cancelled_caught
                second.leave()
                second.leave()
                assert gauge(metrics, "queue_documents") == 1
            async with third.turn():
                worked.append("third")
            assert third.has_begun
            assert not second.has_begun
            tasks.cancel_scope.cancel()

    anyio.run(run)
    assert worked == ["third"]
    assert gauge(metrics, "queue_tokens") == 0
