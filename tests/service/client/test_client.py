"""Facts about both clients: what they send, what they give back, when they try again."""

import asyncio
import inspect
import json
import subprocess
import sys

import pytest

from service import Summarizer
from service.api.settings import Settings
from service.client import (
    AnswerError,
    AsyncClient,
    BusyError,
    Client,
    DeadlineError,
    Document,
    DocumentFailure,
    RefusedError,
    RetryPolicy,
    UnreachableError,
)
from service.client.attempts import Attempts
from service.errors import InputError
from service.text.select import LengthRule
from tests.live_server import serve_live
from tests.scripted_server import CLOSE, HANG, Answer, info, lines, problem, whole

TEXT = (
    "The ferry 🚢 left the harbour. \ud800 The mayor\0 said 👩‍👩‍👧‍👦 no. No train was on time. "
    "The storm came\u2028in the night. אבג דה."
)


class AwaitedClient:
    """An AsyncClient with the methods of Client: each runs an event loop of its own to its end."""

    def __init__(self, url, *, sleep=None, clock=None, **options):
        if clock is not None:
            options["clock"] = clock
        if sleep is not None:
            options["sleep"] = clock.sleep_async
        self._make = lambda: AsyncClient(url, **options)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        pass

    def __getattr__(self, name):
        async def call(*arguments, **options):
            async with self._make() as client:
                return await getattr(client, name)(*arguments, **options)

        return lambda *arguments, **options: asyncio.run(call(*arguments, **options))

    def summarize_many(self, *arguments, **options):
        async def call():
            async with self._make() as client:
                return [o async for o in client.summarize_many(*arguments, **options)]

        return asyncio.run(call())


@pytest.fixture(params=[Client, AwaitedClient])
def make(request):
    """Make a client of either kind."""
    return request.param


@pytest.fixture
def slept(make, scripted, clock):
    """A client of the scripted server, whose time passes only in its pauses."""
    with make(scripted.url, timeout_s=20, clock=clock, sleep=clock.sleep, draw=lambda: 0.5) as c:
        yield c


def test_summary_is_that_of_the_python_api(make, real_url, tiny_bundle):
    expected = Summarizer(tiny_bundle).summarize(TEXT, rule=LengthRule(sentence_count=2))
    with make(real_url) as client:
        assert client.ready()
        summary = client.summarize(TEXT, sentence_count=2, return_all_scores=True)
        assert summary.summary == expected.text
        assert summary.id == "0"
        assert summary.model_version.startswith("patsum-tiny@sha256:")
        assert len(summary.all_scores) == summary.statistics.sentences_count
        for s in (*summary.sentences, *summary.all_scores):
            assert s.text == TEXT[s.offset : s.offset + s.length]
        assert client.info().model.version == summary.model_version
        assert client.info().model.license == "Apache-2.0"


def test_explanation_is_asked_for_and_read(make, real_url):
    with make(real_url) as client:
        assert client.summarize(TEXT).explanation is None
        explanation = client.explain(TEXT, top_k=1, sentence_count=1).explanation
        assert explanation.method == "attention"
        assert [len(reason.evidence) for reason in explanation.selected] == [1]
        assert client.explain(TEXT, "occlusion").explanation.method == "occlusion"


def test_many_documents_come_back_in_order_with_their_failures(make, real_url):
    documents = [Document(f"{TEXT} The storm came at {i}.", id=f"d{i % 50}") for i in range(60)]
    documents[7] = Document("", id="empty")
    documents[8] = Document(TEXT, language="de")
    documents[9] = "The rain came. " * 10_000  # over the limit of characters: 150,000
    documents[10] = "A pair \ud83d\ude00 in two."
    documents[11] = "A storm came."
    with make(real_url) as client:
        outcomes = list(client.summarize_many(iter(documents), sentence_count=1))
        alone = client.summarize(documents[59].text, sentence_count=1)
    assert outcomes[59].model_copy(update={"id": "0"}) == alone
    failures = {o.id: o.code for o in outcomes if isinstance(o, DocumentFailure)}
    assert failures == {
        "empty": "InvalidDocument",
        "8": "UnsupportedLanguage",
        "9": "TooLarge",
        "10": "InvalidDocument",
    }
    names = [d.id if isinstance(d, Document) and d.id else str(i) for i, d in enumerate(documents)]
    assert [outcome.id for outcome in outcomes] == names


def test_only_bad_documents_are_told_apart(make, real_url):
    with make(real_url) as client:
        documents = ["", " ", Document("A storm.", language="de")]
        outcomes = list(client.summarize_many(documents))
    expected = ["InvalidDocument", "InvalidDocument", "UnsupportedLanguage"]
    assert [outcome.code for outcome in outcomes] == expected
    assert all(outcome.message.startswith("expected ") for outcome in outcomes)


def test_wrong_option_is_refused_once_and_not_a_document_at_a_time(make, real_url):
    with make(real_url) as client:
        with pytest.raises(RefusedError, match="#/sentenceCount"):
            list(client.summarize_many(["A storm."] * 3, sentence_count=0))
        with pytest.raises(InputError, match="got sentence_cuont"):
            client.summarize("A storm.", sentence_cuont=1)
        with pytest.raises(InputError, match="top_k beside explain"):
            client.summarize("A storm.", top_k=1)


def test_refusal_carries_the_problem_and_the_request_id(make, real_url):
    with make(real_url) as client, pytest.raises(RefusedError) as caught:
        client.summarize("A storm.", ratio=2.0, request_id="mine-7")
    error = caught.value
    assert (error.status, error.request_id) == (422, "mine-7")
    assert error.problem.type == "urn:patsum:problem:unprocessable"
    assert [e.pointer for e in error.problem.errors] == ["#/ratio"]
    assert "#/ratio: expected a number less than or equal to 1" in str(error)


def test_no_documents_are_no_requests(slept, scripted):
    assert list(slept.summarize_many([])) == []
    assert scripted.requests == []


def test_requests_keep_the_limits_at_their_edges(slept, scripted):
    texts = ["a", "b", "c", "d", "x" * 1000, "y" * 999, "z", "é" * 500, "w"]
    assert [o.summary for o in slept.summarize_many(texts)] == texts
    sent = [[d["text"] for d in body["documents"]] for _, body in scripted.requests]
    assert sent == [["a", "b", "c"], ["d"], ["x" * 1000], ["y" * 999, "z"], ["é" * 500, "w"]]


def test_requests_keep_the_limit_of_bytes_exactly(slept, scripted):
    texts = ["é" * 10, "\ud800" * 10, "e" * 10]
    list(slept.summarize_many(texts, sort_by="Rank"))
    headers, _ = scripted.requests.pop()
    n_bytes = int(headers["Content-Length"])
    scripted.info = info(maxBodyBytes=n_bytes)
    list(slept.summarize_many(texts, sort_by="Rank"))
    scripted.info = info(maxBodyBytes=n_bytes - 1)
    list(slept.summarize_many(texts, sort_by="Rank"))
    assert [len(body["documents"]) for _, body in scripted.requests] == [3, 2, 1]
    assert all(int(headers["Content-Length"]) <= n_bytes for headers, _ in scripted.requests)


def test_request_says_what_it_takes_and_how_long_it_waits(make, scripted, clock):
    with make(scripted.url, api_key="k", timeout_s=20, clock=clock) as client:
        client.summarize("A storm.")
        client.summarize("A storm.", timeout_s=7, request_id="r")
        list(client.summarize_many(["A storm."]))
    headers = [headers for headers, _ in scripted.requests]
    assert {h["Authorization"] for h in headers} == {"Bearer k"}
    assert [h["Request-Timeout"] for h in headers] == ["20.000", "7.000", "20.000"]
    assert [h.get("X-Request-Id") for h in headers] == [None, "r", None]
    assert headers[0]["Accept"] == "application/json"
    assert headers[2]["Accept"] == "application/x-ndjson, application/json;q=0.5"


def test_busy_service_is_asked_again_after_what_it_asks_for(slept, scripted, clock):
    scripted.script = [problem(429, Retry_After="2"), problem(503, Retry_After="1"), problem(502)]
    assert slept.summarize("A storm.").summary == "A storm."
    assert clock.pauses_s == pytest.approx([2.05, 1.1, 0.2])
    waits = [headers["Request-Timeout"] for headers, _ in scripted.requests]
    assert waits == ["20.000", "17.950", "16.850", "16.650"]


def test_random_pause_grows_to_its_limit(slept, scripted, clock):
    scripted.script = [CLOSE] * 9
    slept.summarize("A storm.")
    expected = [0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 2.5, 2.5, 2.5]
    assert clock.pauses_s == pytest.approx(expected)


def test_pause_stays_at_its_limit_after_any_number_of_failures():
    attempts = Attempts(1e9, RetryPolicy(), clock=lambda: 0.0, draw=lambda: 1.0)
    pauses = [attempts.pause_after(UnreachableError("no")) for _ in range(1100)]
    assert pauses[6:] == [5.0] * 1094


def test_busy_service_is_given_up_when_the_time_does_not_suffice(slept, scripted, clock):
    scripted.script = [problem(429, "the queue is full", Retry_After="8")] * 4
    with pytest.raises(BusyError, match="HTTP 429: the queue is full") as caught:
        slept.summarize("A storm.")
    assert caught.value.request_id == "r7"
    assert caught.value.retry_after_s == 8
    assert clock.pauses_s == pytest.approx([8.05, 8.1])
    assert len(scripted.requests) == 3


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (problem(401, "expected a key"), RefusedError),
        (problem(422), RefusedError),
        (problem(500), RefusedError),
        (problem(504), DeadlineError),
        (Answer(500, "<html>", {"Content-Type": "text/html"}), RefusedError),
        (Answer(504, "<html>", {"Content-Type": "text/html"}), DeadlineError),
        (Answer(302, "", {"Location": "/elsewhere"}), AnswerError),
        (Answer(200, "<html>"), AnswerError),
        (Answer(200, "[]"), AnswerError),
        (Answer(200, "{}"), AnswerError),
        (Answer(200, '{"documents": [{}], "modelVersion": "m"}'), AnswerError),
        (Answer(200, '{"documents": [7], "modelVersion": "m"}'), AnswerError),
        (Answer(429, "x", {"Content-Type": "application/problem+json"}), BusyError),
    ],
)
def test_other_failures_are_told_at_once(slept, scripted, answer, kind):
    scripted.script = [answer] if kind is not BusyError else [answer] * 1000
    with pytest.raises(kind) as caught:
        slept.summarize("A storm.")
    assert type(caught.value) is kind
    assert str(caught.value).startswith(("expected ", "HTTP "))
    if kind is not BusyError:
        assert len(scripted.requests) == 1


def test_service_that_hangs_is_left_at_the_deadline(make, scripted):
    scripted.script = [HANG]
    with make(scripted.url) as client, pytest.raises(DeadlineError):
        client.summarize("A storm.", timeout_s=0.5)


def test_service_that_is_not_there_is_unreachable(make, scripted, clock, unused_url):
    with make(unused_url, timeout_s=3, clock=clock, sleep=clock.sleep, draw=lambda: 0.9) as client:
        assert not client.ready()
        with pytest.raises(UnreachableError):
            client.summarize("A storm.")
    assert len(clock.pauses_s) > 3
    assert sum(clock.pauses_s) < 3


def test_service_that_is_not_ready_says_so(slept):
    assert slept.ready() is False


def test_document_that_takes_too_long_fails_alone(slept, scripted):
    def slow(documents):
        return problem(504) if any(d["text"] == "slow" for d in documents) else lines(documents)

    scripted.script = [slow] * 9
    outcomes = list(slept.summarize_many(["a", "slow", "c", "d"]))
    assert [getattr(o, "code", None) for o in outcomes] == [None, "DeadlineExceeded", None, None]
    sent = [[d["id"] for d in body["documents"]] for _, body in scripted.requests]
    assert sent == [["0", "1", "2"], ["0"], ["1", "2"], ["1"], ["2"], ["3"]]


def sent_ids(scripted):
    return [[d["id"] for d in body["documents"]] for _, body in scripted.requests]


def test_line_with_the_deadline_costs_only_a_document_that_was_asked_alone(slept, scripted):
    def slow(documents):
        n_done = [d["text"] for d in documents].index("slow") if "slow" in str(documents) else 3
        late = {d["id"]: "DeadlineExceeded" for d in documents[n_done:]}
        return lines(documents, **late)

    scripted.script = [slow] * 9
    outcomes = list(slept.summarize_many(["a", "slow", "c"]))
    assert [getattr(o, "code", None) for o in outcomes] == [None, "DeadlineExceeded", None]
    assert sent_ids(scripted) == [["0", "1", "2"], ["1", "2"], ["1"], ["2"]]


def test_last_line_with_the_deadline_is_asked_for_alone(slept, scripted):
    scripted.script = [lambda documents: lines(documents, **{"1": "DeadlineExceeded"})]
    assert [o.summary for o in slept.summarize_many(["a", "b"])] == ["a", "b"]
    assert sent_ids(scripted) == [["0", "1"], ["1"]]


@pytest.mark.parametrize("place", [0, 1, 2])
def test_document_that_meets_a_bug_is_asked_for_once_more_and_alone(slept, scripted, place):
    def buggy(documents):
        return lines(documents, **{str(place): "InternalError"})

    scripted.script = [buggy] * 9
    outcomes = list(slept.summarize_many(["a", "b", "c"]))
    codes = [getattr(o, "code", None) for o in outcomes]
    assert codes == ["InternalError" if i == place else None for i in range(3)]
    asked = [ids for ids in sent_ids(scripted) if str(place) in ids]
    assert asked == [["0", "1", "2"], [str(place)]]
    assert len(scripted.requests) == 3 - (place == 2)


def test_document_that_meets_a_bug_only_beside_others_is_summarized(slept, scripted):
    scripted.script = [lambda documents: lines(documents, **{"0": "InternalError"})]
    assert [o.summary for o in slept.summarize_many(["a", "b", "c"])] == ["a", "b", "c"]
    assert sent_ids(scripted) == [["0", "1", "2"], ["0"], ["1", "2"]]


def test_bug_in_a_json_answer_is_treated_as_in_a_line(slept, scripted):
    def buggy(documents):
        good = whole([d for d in documents if d["id"] != "1"])
        errors = [
            {"id": d["id"], "error": {"code": "InternalError", "message": "no", "target": "/"}}
            for d in documents
            if d["id"] == "1"
        ]
        return Answer(200, json.dumps({**json.loads(good.content), "errors": errors}))

    scripted.script = [buggy] * 9
    outcomes = list(slept.summarize_many(["a", "b", "c"]))
    assert [getattr(o, "code", None) for o in outcomes] == [None, "InternalError", None]
    assert sent_ids(scripted) == [["0", "1", "2"], ["1"], ["2"]]


def test_bug_in_every_document_fails_each_alone(slept, scripted):
    def buggy(documents):
        return problem(500) if {d["id"] for d in documents} <= {"0", "1"} else lines(documents)

    scripted.script = [buggy] * 9
    outcomes = list(slept.summarize_many(["a", "b"]))
    assert [o.code for o in outcomes] == ["InternalError"] * 2
    assert sent_ids(scripted) == [["0", "1"], ["0"], ["1"]]


def test_time_begins_anew_with_each_failure(slept, scripted, clock):
    busy = problem(503, Retry_After="15")
    scripted.script = [problem(504), busy, problem(504), busy, lines]
    outcomes = list(slept.summarize_many(["a", "b"]))
    assert [getattr(o, "code", None) for o in outcomes] == ["DeadlineExceeded", None]
    assert sum(clock.pauses_s) > 30


def test_error_of_a_gateway_is_no_fault_of_a_document(slept, scripted):
    scripted.script = [Answer(500, "<html>", {"Content-Type": "text/html"})]
    with pytest.raises(RefusedError, match="HTTP 500"):
        list(slept.summarize_many(["a", "b"]))


def test_gateway_that_is_too_slow_is_no_fault_of_a_document(slept, scripted):
    scripted.script = [Answer(504, "<html>", {"Content-Type": "text/html"})]
    with pytest.raises(DeadlineError, match="HTTP 504"):
        list(slept.summarize_many(["a", "b"]))


def test_single_text_is_not_taken_for_a_list_of_letters(slept):
    with pytest.raises(InputError, match="put it in a list"):
        list(slept.summarize_many("A storm."))


def test_address_without_a_scheme_and_key_with_a_line_break_are_told(make, scripted):
    with pytest.raises(InputError, match="http://"), make("127.0.0.1:8000") as client:
        client.ready()
    for key in ("a\nb", "a\0b", " a", "", "a\ud800b"):
        with pytest.raises(InputError, match="api_key"), make(scripted.url, api_key=key) as client:
            client.info()


def test_key_beyond_ascii_opens_the_real_service(make, tiny_bundle):
    keys = "schlüssel-é,ключ"
    settings = Settings(bundle=tiny_bundle, metrics_port=0, workers=1, api_key=keys)
    with serve_live(settings) as url:
        for key in keys.split(","):
            with make(url, api_key=key) as client:
                assert client.summarize("A storm.").summary == "A storm."
        with make(url, api_key="schlussel") as client, pytest.raises(RefusedError, match="401"):
            client.summarize("A storm.")


@pytest.mark.parametrize("request_id", ["é", "", "a b", "a\nb", "x" * 129, "\ud800"])
def test_request_id_that_the_service_would_replace_is_told(slept, scripted, request_id):
    with pytest.raises(InputError, match="request_id of 1 to 128"):
        slept.summarize("A storm.", request_id=request_id)
    with pytest.raises(InputError, match="request_id of 1 to 128"):
        slept.explain("A storm.", request_id=request_id)
    assert scripted.requests == []


def test_answer_that_quotes_another_text_is_refused(slept, scripted):
    scripted.script = [lambda documents: whole([{**documents[0], "text": "A rain.."}])]
    with pytest.raises(AnswerError, match="quoted word for word"):
        slept.summarize("A storm.")


def test_lines_are_given_as_they_are_and_failures_in_their_place(slept, scripted):
    scripted.script = [lambda documents: lines(documents, **{"1": "InvalidDocument"})]
    outcomes = list(slept.summarize_many(["Rain\u2028fell.", "", "\x85 \ud800 storm."]))
    assert [type(o).__name__ for o in outcomes] == [
        "DocumentSummary",
        "DocumentFailure",
        "DocumentSummary",
    ]
    assert outcomes[2].summary == "\x85 \ud800 storm."


def cut_after_first_line(documents):
    answer = lines(documents)
    answer.cut = answer.content.index(b"\n") + 10
    return answer


def test_stream_that_breaks_costs_only_what_has_not_come(slept, scripted, clock):
    scripted.script = [cut_after_first_line, problem(429, Retry_After="3"), lines]
    outcomes = list(slept.summarize_many(["a", "b", "c"]))
    assert [o.summary for o in outcomes] == ["a", "b", "c"]
    sent = [[d["id"] for d in body["documents"]] for _, body in scripted.requests]
    assert sent == [["0", "1", "2"], ["1", "2"], ["1", "2"]]


def test_stream_that_ends_early_is_continued_after_a_pause(slept, scripted, clock):
    scripted.script = [lambda documents: lines(documents[:2])]
    assert [o.summary for o in slept.summarize_many(["a", "b", "c"])] == ["a", "b", "c"]
    assert len(scripted.requests) == 2
    assert clock.pauses_s == pytest.approx([0.05])


def test_time_begins_anew_with_each_line_of_a_stream(slept, scripted, clock):
    busy = problem(503, Retry_After="15")
    scripted.script = [cut_after_first_line, busy, cut_after_first_line, busy, lines]
    assert [o.summary for o in slept.summarize_many(["a", "b", "c"])] == ["a", "b", "c"]
    assert sum(clock.pauses_s) > 30


def test_time_of_many_documents_begins_anew_with_each_outcome(slept, scripted, clock):
    texts = [f"text {i}" for i in range(30)]
    busy = [problem(503, Retry_After="15"), whole]
    scripted.script = busy * 10
    assert [o.summary for o in slept.summarize_many(texts)] == texts
    assert sum(clock.pauses_s) > 100


@pytest.mark.parametrize(
    "answer",
    [
        lambda documents: lines(documents[::-1]),
        lambda documents: lines(documents * 2),
        lambda documents: whole(documents[:1]),
        Answer(200, '{"documents": [{"id": ["0"]}]}'),
        Answer(200, '{"documents": 7}'),
        Answer(200, "[]\n", {"Content-Type": "application/x-ndjson"}),
        Answer(200, '{"document": {"id": "0"}}', {"Content-Type": "application/x-ndjson"}),
    ],
)
def test_answer_for_other_documents_is_refused(slept, scripted, answer):
    scripted.script = [answer]
    with pytest.raises(AnswerError):
        list(slept.summarize_many(["a", "b"]))


def test_outcome_comes_before_the_next_document_is_taken(scripted):
    taken = []

    def documents():
        for i in range(9):
            taken.append(i)
            yield str(i)

    with Client(scripted.url) as client:
        outcomes = client.summarize_many(documents())
        next(outcomes)
        assert taken == [0, 1, 2, 3]
        outcomes.close()
    assert len(scripted.requests) == 1


@pytest.mark.parametrize("timeout_s", [0, -1, float("nan")])
def test_no_time_is_told(make, scripted, timeout_s):
    with make(scripted.url) as client, pytest.raises(InputError, match="timeout_s above 0"):
        client.summarize("A storm.", timeout_s=timeout_s)


def test_text_with_a_pair_in_two_is_told_how_to_join_it(slept):
    with pytest.raises(InputError, match="join it"):
        slept.summarize("A pair \ud83d\ude00 in two.")


IMPORT = """
import sys
class Without:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {blocked!r}:
            raise ModuleNotFoundError(f"no {{name}}", name=name)
sys.meta_path.insert(0, Without())
import service.client
"""


def run_import(*blocked):
    code = IMPORT.format(blocked=blocked)
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)


def test_client_needs_no_part_of_a_server():
    run = run_import(
        "fastapi", "starlette", "uvicorn", "onnxruntime", "numpy", "tokenizers", "nltk"
    )
    assert run.returncode == 0, run.stderr


def test_missing_httpx_is_told_with_its_extra():
    run = run_import("httpx")
    assert run.returncode == 1
    assert "MissingHttpxError" in run.stderr
    assert "'.[client]'" in run.stderr


def test_both_clients_have_the_same_methods_and_parameters():
    def parameters(kind):
        methods = {name: value for name, value in vars(kind).items() if name[0] != "_"}
        return {name: list(inspect.signature(m).parameters) for name, m in methods.items()}

    assert parameters(Client) == parameters(AsyncClient)
