"""Facts about the targets: in process, a real service, and servers that misbehave."""

import asyncio
import threading

import pytest

from bench.offline import run_offline
from bench.open_loop import run_open_loop, run_server
from bench.outcome import count_outcomes, ok_latencies, summarize_stages
from bench.single_stream import run_single_stream
from bench.target import InProcess
from bench.url_target import connect, parse_server_timing
from bench.warm_up import warm_up
from service.api.server import listen
from service.errors import TargetError
from tests.bench.virtual_clock import Stalling, VirtualClock


def ignore():
    pass


def ask(url, work, key=None, timeout_s=30.0):
    """Connect, do something with the target, close it."""

    async def run():
        target = await connect(url, key, timeout_s)
        try:
            return await work(target)
        finally:
            await target.close()

    return asyncio.run(run())


def test_service_answers_and_says_what_it_is(service_url, texts):
    async def work(target):
        return target.facts, await run_single_stream(target, texts, ignore)

    facts, stream = ask(service_url, work)
    assert facts.model.startswith("patsum-tiny@sha256:")
    assert (facts.kind, facts.workers, facts.weights) == ("url", 2, "float32")
    assert stream.counts.n_ok == len(texts) == stream.latency.n
    assert all(0 < latency_s < 60 for latency_s in stream.latencies_s)


def test_documents_of_the_service_come_all_at_once(service_url, texts):
    found = ask(service_url, lambda target: run_offline(target, 8 * texts, 4, ignore))
    assert (found.counts.n_ok, found.counts.n) == (40, 40)


def test_throughput_of_documents_that_come_all_at_once_is_what_the_target_can_do():
    clock = VirtualClock()
    found = clock.run(run_offline(Stalling(clock, (0, 0)), ["text"] * 40, 4, ignore, clock))
    assert found.elapsed_s == pytest.approx(40 * Stalling.WORK_S)
    bounds = found.documents_per_s
    assert (bounds.low, bounds.estimate, bounds.high) == pytest.approx((100, 100, 100))


def test_open_loop_against_the_service_gets_every_answer(service_url, texts):
    point = ask(service_url, lambda target: run_server(target, 8 * texts, 100, 1, 60, ignore))
    assert point.counts.n_ok == 40


def test_lone_surrogate_goes_through(service_url):
    answer = ask(service_url, lambda target: target.summarize("A storm \ud800 came. It was late."))
    assert answer.status == 200


def test_stages_come_from_the_server_timing(answering):
    with answering() as url:
        answer = ask(url, lambda target: target.summarize("A storm."))
    assert answer.stages == {"queue": pytest.approx(0.0015), "infer": pytest.approx(0.02)}


def test_refusals_are_counted_and_are_no_latencies(answering):
    with answering((200, 429, 429)) as url:
        outcomes = ask(
            url, lambda target: run_open_loop(target, ["A storm."] * 30, [0.0] * 30, ignore)
        )
    counts = count_outcomes(outcomes)
    assert (counts.n_ok, counts.n_rejected, counts.n_errors) == (10, 20, 0)
    assert len(ok_latencies(outcomes)) == 10
    assert summarize_stages(outcomes)["infer"].n == 10


def test_server_that_goes_away_is_an_error_and_no_exception(answering):
    async def work(target):
        stop.__exit__(None, None, None)
        return await run_single_stream(target, ["A storm."] * 3, ignore)

    stop = answering()
    url = stop.__enter__()
    stream = ask(url, work)
    assert stream.counts.n_errors == 3
    assert stream.latency is None
    assert "ConnectError" in stream.counts.errors


def test_request_that_takes_too_long_is_an_answer_with_status_0(answering):
    with answering((0,)) as url:
        answer = ask(url, lambda target: target.summarize("A storm."), timeout_s=1.0)
    assert (answer.status, answer.detail) == (0, "timeout")


def test_service_that_is_silent_from_the_start_is_told():
    with listen("127.0.0.1", 0) as silent:  # takes connections and never answers
        port = silent.getsockname()[1]
        with pytest.raises(TargetError, match="ReadTimeout"):
            ask(f"http://127.0.0.1:{port}", None, timeout_s=0.05)


def test_missing_key_is_told(answering):
    with answering(key="right") as url:
        with pytest.raises(TargetError, match="none was given; give the right one with --api-key"):
            ask(url, None)
        with pytest.raises(TargetError, match="refused the one given"):
            ask(url, None, key="wrong")
        answer = ask(url, lambda target: target.summarize("A storm."), key="right")
    assert answer.status == 200


def test_nothing_there_is_told():
    with listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(TargetError, match=rf"expected a service at http://127.0.0.1:{port}, got"):
        ask(f"http://127.0.0.1:{port}", None)


@pytest.mark.parametrize("url", ["127.0.0.1:8000", "ftp://127.0.0.1", "http://[::1", ""])
def test_url_of_another_form_is_told(url):
    with pytest.raises(TargetError, match="expected a service at"):
        ask(url, None)


def test_password_in_the_url_is_refused_and_not_repeated():
    with pytest.raises(TargetError, match="without a user or a password") as caught:
        ask("http://me:secret@127.0.0.1:8000", None)
    assert "secret" not in str(caught.value)


def test_other_service_is_told(answering):
    with answering() as url, pytest.raises(TargetError, match="expected a ready patsum"):
        ask(url + "/elsewhere", None)


def test_articles_that_are_too_long_are_left_out_and_named(service_url, texts):
    long = "A storm came. " * 2000
    accepted = ask(service_url, lambda target: warm_up(target, [*texts, long], ignore))
    assert accepted.texts == texts
    assert (accepted.n_left_out, accepted.why) == (1, "413 too-large")


def test_articles_that_are_all_too_long_are_told(service_url):
    long = "A storm came. " * 2000
    with pytest.raises(TargetError, match=r"refused all 2: 413 too-large; give shorter ones"):
        ask(service_url, lambda target: warm_up(target, [long, long], ignore))


def test_target_that_is_too_busy_to_warm_up_is_told(answering):
    with answering((429,)) as url, pytest.raises(TargetError, match="got 429 too-busy"):
        ask(url, lambda target: warm_up(target, ["A storm."], ignore))


def test_in_process_tells_the_same_stages_and_waits_in_its_queue(tiny_bundle, texts):
    async def run():
        target = InProcess(tiny_bundle, threads=1, workers=1)
        try:
            target._pool.submit(all_sent.wait, 60)  # the one worker
            sent = [asyncio.ensure_future(target.summarize(text)) for text in 4 * texts]
            await asyncio.sleep(0)  # each is in the queue after its first step
            all_sent.set()
            return await asyncio.gather(*sent)
        finally:
            await target.close()

    all_sent = threading.Event()
    answers = asyncio.run(run())
    assert [answer.status for answer in answers] == [200] * 20
    stages = [answer.stages for answer in answers]
    assert all(set(each) == {"queue", "encode", "infer"} for each in stages)
    assert stages[-1]["queue"] > sum(each["infer"] for each in stages[:-1])


def test_in_process_refuses_a_blank_text(tiny_bundle):
    async def run():
        target = InProcess(tiny_bundle, threads=1, workers=1)
        try:
            return await target.summarize("  ")
        finally:
            await target.close()

    assert asyncio.run(run()).status == 422


@pytest.mark.parametrize(
    ("header", "stages"),
    [
        ("queue;dur=1.2, encode;dur=2.3,infer;dur=21", {"queue": 1.2, "encode": 2.3, "infer": 21}),
        ("", {}),
        ("cache, infer;desc=x, queue;dur=1e400, encode;dur=1.2.3, explain;dur=2", {"explain": 2}),
    ],
)
def test_server_timing_is_read(header, stages):
    expected = {name: pytest.approx(ms / 1e3) for name, ms in stages.items()}
    assert parse_server_timing(header) == expected
