"""Facts about the answers of /v1/summarize and /v1/explain."""

import json
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from service import Summarizer
from service.api.settings import Settings
from service.errors import InputError
from service.text.select import LengthRule

JSON = {"Content-Type": "application/json"}
ODD_TEXT = "The ferry 🚢 left. \ud800 The mayor\0 said 👩‍👩‍👧‍👦 no. אבג דה. The storm came."


def utf16_units(text):
    """The text as its UTF-16 code units: another implementation of the index."""
    data = text.encode("utf-16-le", "surrogatepass")
    return [data[i : i + 2] for i in range(0, len(data), 2)]


def summarize(client, **body):
    return client.post("/v1/summarize", content=json.dumps(body), headers=JSON)


@pytest.mark.parametrize(
    "length", [{}, {"sentenceCount": 2}, {"ratio": 0.5}, {"maxCharacters": 60}]
)
def test_answer_is_what_the_python_api_says(client, tiny_bundle, text, length):
    rules = {
        "sentenceCount": LengthRule(sentence_count=2),
        "ratio": LengthRule(ratio=0.5),
        "maxCharacters": LengthRule(max_characters=60),
    }
    rule = rules[next(iter(length))] if length else LengthRule(sentence_count=3)
    summary = Summarizer(tiny_bundle).summarize(text, rule=rule)
    (document,) = summarize(client, text=text, **length).json()["documents"]
    assert document["summary"] == summary.text
    assert [s["index"] for s in document["sentences"]] == [s.index for s in summary.sentences]
    assert [s["rankScore"] for s in document["sentences"]] == pytest.approx(
        [s.rank_score for s in summary.sentences], abs=1e-6
    )
    assert document["statistics"] == {
        "charactersCount": len(text),
        "sentencesCount": 5,
        "tokensCount": summary.statistics.tokens_count,
        "truncated": False,
    }


@pytest.fixture(scope="module")
def four_sentence_client(four_sentence_bundle, start_client):
    settings = Settings(bundle=four_sentence_bundle, metrics_port=0, workers=1)
    with start_client(settings) as client:
        yield client


def test_without_a_length_rule_the_bundle_says_how_many(four_sentence_client, text):
    def count(**body):
        (document,) = summarize(four_sentence_client, text=text, **body).json()["documents"]
        return len(document["sentences"])

    assert count() == 4
    assert count(explain={"method": "occlusion"}) == 4
    assert count(sentenceCount=3) == 3
    tensor = {"name": "text", "shape": [1], "datatype": "BYTES", "data": [text]}
    answer = four_sentence_client.post("/v2/models/patsum-tiny/infer", json={"inputs": [tensor]})
    assert answer.json()["outputs"][1]["shape"] == [1, 4]


def test_info_says_how_many_sentences_there_are_without_a_rule(client, four_sentence_client):
    of_three = client.get("/info").json()["model"]["defaultLength"]
    assert of_three == {"sentenceCounts": [3], "weights": None}
    adaptive = four_sentence_client.get("/info").json()["model"]["defaultLength"]
    assert adaptive["sentenceCounts"] == [2, 3, 4]
    assert adaptive["weights"]["is_four"] == 1.0


def test_answer_has_the_fields_of_the_contract_and_no_others(client, text):
    response = summarize(client, text=text)
    answer = response.json()
    assert response.status_code == 200
    assert answer.keys() == {"id", "modelVersion", "documents", "errors"}
    assert answer["modelVersion"].startswith("patsum-tiny@sha256:")
    (document,) = answer["documents"]
    assert document.keys() == {"id", "summary", "sentences", "statistics", "warnings"}
    assert document["id"] == "0"
    assert document["sentences"][0].keys() == {"text", "rankScore", "offset", "length", "index"}


def test_every_sentence_quotes_the_text_in_code_points(client):
    (document,) = summarize(client, text=ODD_TEXT, sentenceCount=9).json()["documents"]
    assert len(document["sentences"]) > 2
    for s in document["sentences"]:
        assert s["text"] == ODD_TEXT[s["offset"] : s["offset"] + s["length"]]


def test_every_sentence_quotes_the_text_in_utf16_units(client):
    body = {"text": ODD_TEXT, "sentenceCount": 9, "stringIndexType": "Utf16CodeUnit"}
    units = utf16_units(ODD_TEXT)
    for s in summarize(client, **body).json()["documents"][0]["sentences"]:
        assert utf16_units(s["text"]) == units[s["offset"] : s["offset"] + s["length"]]


def test_lone_surrogates_and_nul_come_back_escaped(client):
    response = client.post(
        "/v1/summarize", content=b'{"text":"The storm \\ud800 came\\u0000."}', headers=JSON
    )
    assert response.status_code == 200
    assert b"The storm \\ud800 came\\u0000." in response.content
    assert response.content.isascii()


def test_rank_order_puts_the_best_first(client, text):
    answer = summarize(client, text=text, sortBy="Rank", sentenceCount=5).json()
    scores = [s["rankScore"] for s in answer["documents"][0]["sentences"]]
    assert scores == sorted(scores, reverse=True)


def test_all_scores_list_every_sentence(client, text):
    answer = summarize(client, text=text, returnAllScores=True, sentenceCount=1).json()
    (document,) = answer["documents"]
    assert [s["index"] for s in document["allScores"]] == [0, 1, 2, 3, 4]
    best = max(document["allScores"], key=lambda s: s["rankScore"])
    assert document["sentences"] == [best]


def test_snake_case_means_the_same(client, text):
    headers = {"X-Request-Id": "same"}
    camel = {"text": text, "sentenceCount": 2, "sortBy": "Rank", "explain": {"topK": 1}}
    snake = {"text": text, "sentence_count": 2, "sort_by": "Rank", "explain": {"top_k": 1}}
    answers = [client.post("/v1/summarize", json=b, headers=headers) for b in (camel, snake)]
    assert answers[0].status_code == 200
    assert answers[0].content == answers[1].content


@pytest.mark.parametrize("method", ["attention", "occlusion"])
def test_explanation_names_evidence_patterns_and_notes(client, text, method):
    explain = {"method": method, "topK": 2}
    (document,) = summarize(client, text=text, explain=explain).json()["documents"]
    explanation = document["explanation"]
    assert explanation["method"] == method
    chosen = [s["index"] for s in document["sentences"]]
    assert [reason["index"] for reason in explanation["selected"]] == chosen
    for reason in explanation["selected"]:
        assert 1 <= len(reason["evidence"]) <= 2
        assert sum(p["share"] for p in reason["patterns"]) == pytest.approx(1, abs=1e-5)
    assert explanation["faithfulness"]["leaveOneOutKendallTau"] == 0.5
    assert explanation["notes"]


def test_explain_route_explains_without_being_asked_and_as_asked(client, text):
    headers = {"X-Request-Id": "same"}
    plain = client.post("/v1/explain", json={"text": text}, headers=headers)
    body = {"text": text, "explain": {"method": "attention", "topK": 5}}
    asked = client.post("/v1/summarize", json=body, headers=headers)
    assert "explanation" in plain.json()["documents"][0]
    assert plain.content == asked.content
    body = {"text": text, "explain": {"method": "occlusion"}}
    answer = client.post("/v1/explain", json=body).json()
    assert answer["documents"][0]["explanation"]["method"] == "occlusion"


def test_every_id_stands_once_and_bad_documents_fail_alone(client, text):
    documents = [
        {"id": "good", "text": text},
        {"id": "empty", "text": ""},
        {"id": "blank", "text": " \n"},
        {"id": "german", "text": text, "language": "de"},
        {"text": text, "language": "en-GB"},
    ]
    response = summarize(client, documents=documents)
    answer = response.json()
    assert response.status_code == 200
    assert [d["id"] for d in answer["documents"]] == ["good", "4"]
    targets = {e["id"]: (e["error"]["code"], e["error"]["target"]) for e in answer["errors"]}
    assert targets == {
        "empty": ("InvalidDocument", "/documents/1/text"),
        "blank": ("InvalidDocument", "/documents/2/text"),
        "german": ("UnsupportedLanguage", "/documents/3/language"),
    }


def test_request_without_any_usable_document_is_refused(client):
    documents = [{"text": ""}, {"text": "A storm.", "language": "fr"}]
    response = summarize(client, documents=documents)
    assert response.status_code == 422
    pointers = [e["pointer"] for e in response.json()["errors"]]
    assert pointers == ["#/documents/0/text", "#/documents/1/language"]


def test_one_sentence_is_its_own_summary(client):
    (document,) = summarize(client, text="The storm came.").json()["documents"]
    assert document["summary"] == "The storm came."


@pytest.mark.parametrize("long_input", ["full", "truncate", "reject"])
def test_long_text_is_never_cut_in_silence(client, long_input):
    text = " ".join(f"The council made report {i} about the river." for i in range(200))
    response = summarize(client, text=text, longInput=long_input)
    if long_input == "reject":
        assert response.status_code == 422
        assert response.json()["errors"][0]["pointer"] == "#/text"
    else:
        (document,) = response.json()["documents"]
        assert document["statistics"]["truncated"] is True
        assert [w["code"] for w in document["warnings"]] == ["InputTruncated"]


def test_same_request_gets_the_same_bytes_alone_and_in_company(server_url, text):
    body = {"text": text, "explain": {"method": "attention"}, "returnAllScores": True}
    others = [
        {"documents": [{"text": f"{text} The storm came at {i}. " * (i + 1)}] * 3} for i in range(8)
    ]
    with httpx.Client(base_url=server_url, timeout=60) as client, ThreadPoolExecutor(8) as pool:

        def ask(body, request_id):
            headers = {"X-Request-Id": request_id}
            return client.post("/v1/summarize", json=body, headers=headers).content

        alone = {ask(body, "same") for _ in range(100)}
        company = [pool.submit(ask, other, "other") for other in others * 3]
        beside = {ask(body, "same") for _ in range(100)}
        answers = [json.loads(future.result())["documents"] for future in company]
    assert len(alone) == 1
    assert beside == alone
    assert answers == answers[:8] * 3


def test_text_is_the_same_alone_and_inside_a_batch(client, text):
    (alone,) = summarize(client, text=text).json()["documents"]
    documents = [{"text": "The storm came. " * 40}, {"id": "0b", "text": text}, {"text": "Rain."}]
    beside = summarize(client, documents=documents).json()["documents"][1]
    assert {**beside, "id": "0"} == alone


def test_request_id_is_echoed(client, text):
    response = client.post("/v1/summarize", json={"text": text}, headers={"X-Request-Id": "a/b-1"})
    assert response.headers["x-request-id"] == response.json()["id"] == "a/b-1"


@pytest.mark.parametrize("sent", [None, "", "a" * 129, "with space", "é".encode("latin-1")])
def test_missing_or_unfit_request_id_is_replaced(client, text, sent):
    headers = {} if sent is None else {"X-Request-Id": sent}
    response = client.post("/v1/summarize", json={"text": text}, headers=headers)
    assert response.json()["id"] == response.headers["x-request-id"]
    assert len(response.json()["id"]) == 32


def test_unforeseen_error_carries_only_the_request_id(settings, start_client, monkeypatch, caplog):
    with start_client(settings) as client:
        monkeypatch.setattr(Summarizer, "summarize", raise_secret)
        response = client.post(
            "/v1/summarize", json={"text": "A storm."}, headers={"X-Request-Id": "r7"}
        )
    assert response.status_code == 500
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["requestId"] == response.headers["x-request-id"] == "r7"
    assert "secret" not in response.text
    assert any(getattr(r, "fields", {}).get("requestId") == "r7" for r in caplog.records)


def raise_secret(*args, **kwargs):
    raise RuntimeError("secret")


def test_input_error_is_shown(settings, start_client, monkeypatch):
    def refuse(*args, **kwargs):
        raise InputError("expected this, got that; do so", "/text")

    with start_client(settings) as client:
        monkeypatch.setattr(Summarizer, "summarize", refuse)
        response = client.post("/v1/summarize", json={"text": "A storm."})
    assert response.status_code == 422
    assert response.json()["detail"] == "expected this, got that; do so"
