"""Facts about refusals: every bad input gets its own status and a problem document."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from service.api.json_route import MAX_NAMES
from service.api.problems import (
    FIELD_NAMES,
    MAX_ERRORS,
    ProblemKind,
    json_pointer,
    validation_problem,
)
from service.api.schemas import ExplainOptions, InputDocument, SummarizeRequest

JSON = {"Content-Type": "application/json"}


def post(client, content, **headers):
    if not isinstance(content, bytes):
        content = json.dumps(content).encode()
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    return client.post("/v1/summarize", content=content, headers={**JSON, **headers})


def check_problem(response, status):
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    problem = response.json()
    assert problem["status"] == status
    assert problem["type"].startswith("urn:patsum:problem:")
    assert problem["title"]
    assert problem["detail"].startswith("expected ")
    assert problem["requestId"] == response.headers["x-request-id"]
    return problem


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"hello",
        b'{"text": "A storm."',
        b'{"text": "A storm."} {}',
        b"{'text': 'A storm.'}",
        b'{"text": "A storm.", "ratio": NaN}',
        b'{"text": "A storm.", "text": "A train."}',
        b'{"text": "\xff"}',
        b'{"text": "\xed\xa0\x80"}',
        b'\xef\xbb\xbf{"text": "A storm."}',
        '{"text": "A storm."}'.encode("utf-16"),
        b"[" * 100_000,
        b'{"sentenceCount": ' + b"9" * 10_000 + b"}",
        b'{"text": "line\nbreak"}',
    ],
)
def test_body_that_is_not_json_is_400(client, body):
    assert check_problem(post(client, body), 400)["title"] == ProblemKind.NOT_JSON.title


@pytest.mark.parametrize(
    ("body", "pointers"),
    [
        ([], ["#"]),
        (None, ["#"]),
        ("text", ["#"]),
        ({}, ["#"]),
        ({"text": "A storm.", "documents": [{"text": "A storm."}]}, ["#"]),
        ({"text": 7}, ["#/text"]),
        ({"text": ["A storm."]}, ["#/text"]),
        ({"text": ""}, ["#/text"]),
        ({"text": " \t\n\u00a0"}, ["#/text"]),
        ({"text": " " * 100_000}, ["#/text"]),
        ({"documents": []}, ["#/documents"]),
        ({"documents": {}}, ["#/documents"]),
        ({"documents": ["A storm."]}, ["#/documents/0"]),
        ({"documents": [{"id": "a"}]}, ["#/documents/0/text"]),
        ({"documents": [{"text": "A storm.", "id": 1}]}, ["#/documents/0/id"]),
        ({"documents": [{"text": "A storm.", "id": ""}]}, ["#/documents/0/id"]),
        ({"documents": [{"text": "A storm.", "id": "a" * 129}]}, ["#/documents/0/id"]),
        ({"documents": [{"text": "A storm.", "id": "\ud800"}]}, ["#/documents/0/id"]),
        ({"documents": [{"text": "A", "id": "a"}] * 2}, ["#/documents/1/id"]),
        ({"documents": [{"text": "A", "id": "1"}, {"text": "B"}]}, ["#/documents/1/id"]),
        ({"documents": [{"text": "A.", "title": "B"}]}, ["#/documents/0/title"]),
        ({"text": "A storm.", "sentences": 3}, ["#/sentences"]),
        ({"text": "A storm.", "a/b~c d\x00": 3}, ["#/a~1b~0c%20d%00"]),
        ({"text": "A storm.", "sentenceCount": 0}, ["#/sentenceCount"]),
        ({"text": "A storm.", "sentenceCount": "3"}, ["#/sentenceCount"]),
        ({"text": "A storm.", "sentenceCount": 1.5}, ["#/sentenceCount"]),
        ({"text": "A storm.", "sentenceCount": True}, ["#/sentenceCount"]),
        ({"text": "A storm.", "ratio": 0}, ["#/ratio"]),
        ({"text": "A storm.", "ratio": 1.01}, ["#/ratio"]),
        ({"text": "A storm.", "maxCharacters": -1}, ["#/maxCharacters"]),
        ({"text": "A storm.", "sentenceCount": 1, "ratio": 0.5}, ["#/ratio"]),
        ({"text": "A storm.", "ratio": 0.5, "maxCharacters": 9}, ["#/maxCharacters"]),
        ({"text": "A.", "sentenceCount": 1, "sentence_count": 1}, ["#/sentence_count"]),
        ({"text": "A storm.", "sortBy": "offset"}, ["#/sortBy"]),
        ({"text": "A storm.", "stringIndexType": "Utf8"}, ["#/stringIndexType"]),
        ({"text": "A storm.", "longInput": None}, ["#/longInput"]),
        ({"text": "A storm.", "redundancy": "mmr"}, ["#/redundancy"]),
        ({"text": "A storm.", "returnAllScores": 1}, ["#/returnAllScores"]),
        ({"text": "A storm.", "explain": True}, ["#/explain"]),
        ({"text": "A storm.", "explain": {"method": "lime"}}, ["#/explain/method"]),
        ({"text": "A storm.", "explain": {"topK": 0}}, ["#/explain/topK"]),
        ({"text": 1, "ratio": "x"}, ["#/text", "#/ratio"]),
    ],
)
def test_wrong_body_is_422_and_points_at_the_mistakes(client, body, pointers):
    problem = check_problem(post(client, body), 422)
    assert [error["pointer"] for error in problem["errors"]] == pointers
    assert all(error["detail"].startswith("expected ") for error in problem["errors"])


def test_errors_never_quote_a_text(client):
    body = {"text": ["private words"], "sortBy": "private words", "documents": "private words"}
    assert "private" not in post(client, body).text


def test_no_more_errors_are_listed_than_anyone_reads(client):
    body = {"text": "A storm."} | {f"field{i}": i for i in range(25)}
    problem = check_problem(post(client, body), 422)
    assert len(problem["errors"]) == MAX_ERRORS
    assert "25" in problem["detail"]


def test_errors_that_nobody_reads_are_not_put_into_words():
    error = {"type": "missing", "loc": ("body", "text"), "msg": "Field required"}
    unreadable = {}  # putting it into words would raise
    problem = validation_problem([error] * MAX_ERRORS + [unreadable] * 1000)
    assert len(problem.errors) == MAX_ERRORS
    assert "1020" in problem.detail


def test_validation_of_documents_stops_at_the_first_bad_one(client):
    problem = check_problem(post(client, {"documents": [{"text": "A storm."}, 1, 1, 1]}), 422)
    assert [error["pointer"] for error in problem["errors"]] == ["#/documents/1"]
    assert problem["detail"] == "expected an object, got the number 1 (at #/documents/1)"


@pytest.mark.parametrize("place", ["root", "document", "options", "text"])
def test_object_of_too_many_names_is_refused_before_each_is_an_error(client, place):
    many = {f"field{i}": i for i in range(MAX_NAMES + 1)}
    body = {
        "root": many,
        "document": {"documents": [many]},
        "options": {"text": "A storm.", "explain": many},
        "text": {"text": many},
    }[place]
    problem = check_problem(post(client, body), 422)
    assert [error["pointer"] for error in problem["errors"]] == ["#"]
    assert "at most 50 names, got one of 51" in problem["detail"]


@pytest.mark.parametrize(
    "content_type",
    ["text/plain", "", "application/x-www-form-urlencoded", "application/json; charset=latin-1"],
)
def test_other_content_type_is_415(client, content_type):
    response = client.post("/v1/summarize", content=b"{}", headers={"Content-Type": content_type})
    check_problem(response, 415)


def test_missing_content_type_is_415(client):
    check_problem(client.post("/v1/summarize", content=b"{}"), 415)


def test_charset_utf_8_is_accepted(client):
    response = post(client, {"text": "A storm."}, Content_Type="application/json; charset=UTF-8")
    assert response.status_code == 200


@pytest.mark.parametrize("encoding", ["gzip", "br", "identity"])
def test_any_content_encoding_is_415(client, encoding):
    check_problem(post(client, {"text": "A storm."}, Content_Encoding=encoding), 415)


@pytest.mark.parametrize(
    "accept", ["text/html", "application/xml", "application/json;q=0", "application/x-ndjson;q=0"]
)
def test_accept_without_json_is_406(client, accept):
    check_problem(post(client, {"text": "A storm."}, Accept=accept), 406)


@pytest.mark.parametrize(
    "accept",
    ["application/json", "*/*", "APPLICATION/*", "text/html, application/json;q=0.1", "a/b,*/*"],
)
def test_accept_with_json_is_served(client, accept):
    assert post(client, {"text": "A storm."}, Accept=accept).status_code == 200


def test_unknown_path_is_404(client):
    check_problem(client.get("/v1/translate"), 404)
    check_problem(client.post("/v1/summarize/", json={"text": "A storm."}), 404)


def test_wrong_method_is_405_and_names_the_right_one(client):
    response = client.get("/v1/summarize")
    check_problem(response, 405)
    assert response.headers["allow"] == "POST"


def test_pointers_escape_as_rfc_6901_says():
    # The examples of RFC 6901, section 6.
    names = ["foo", "", "a/b", "c%d", "e^f", "g|h", "i\\j", 'k"l', " ", "m~n"]
    pointers = ["foo", "", "a~1b", "c%25d", "e%5Ef", "g%7Ch", "i%5Cj", "k%22l", "%20", "m~0n"]
    assert [json_pointer([name]) for name in names] == [f"#/{pointer}" for pointer in pointers]
    assert json_pointer([]) == "#"


FIELDS = st.sampled_from(
    ["text", "documents", "id", "sentenceCount", "ratio", "sortBy", "explain", "method", "topK"]
)
VALUES = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(allow_nan=False, allow_infinity=False),
        st.text(st.characters(codec=None, exclude_categories=[]), max_size=20),
        st.sampled_from(["A storm came. It rained.", "Offset", "Rank", "attention"]),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.one_of(FIELDS, st.text(max_size=5)), inner, max_size=4),
    ),
    max_leaves=8,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.one_of(VALUES, st.fixed_dictionaries({"text": VALUES}, optional={"ratio": VALUES})))
def test_any_json_is_answered_or_refused_and_never_our_fault(client, body):
    response = post(client, body)
    if response.status_code == 200:
        assert response.json()["documents"]
    else:
        check_problem(response, 422)


def test_detail_holds_the_first_mistake_and_says_how_many_there_are(client):
    problem = check_problem(post(client, {"text": 1, "ratio": "x"}), 422)
    first = problem["errors"][0]["detail"]
    assert problem["detail"] == f"{first} (at #/text, the first of 2 mistakes)"


def test_near_miss_of_a_name_is_answered_with_the_name(client):
    problem = check_problem(post(client, {"text": "A storm.", "sentencesCount": 2}), 422)
    assert problem["detail"].startswith("expected a field listed in /docs, got an unknown one; ")
    assert "did you mean sentenceCount?" in problem["detail"]


def test_names_to_compare_with_are_those_of_the_schema():
    models = (SummarizeRequest, InputDocument, ExplainOptions)
    assert set(FIELD_NAMES) == {field.alias for m in models for field in m.model_fields.values()}


def test_refusal_of_a_single_document_has_the_code_that_a_batch_would_have(client):
    body = {"documents": [{"text": "A storm.", "language": "fr"}]}
    problem = check_problem(post(client, body), 422)
    assert [error["code"] for error in problem["errors"]] == ["UnsupportedLanguage"]
