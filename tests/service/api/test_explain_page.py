"""Facts about /v1/explain as HTML: when it comes, what stands in it, that it is always the same."""

import base64
import hashlib
import json
import re
from html import unescape
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.api.lit_document import show
from service.inference.bundle import Bundle

VOID = {"meta", "rect"}


class Page(HTMLParser):
    """The elements of a page: class -> the texts of its elements; all tags; text by class."""

    def __init__(self, content):
        super().__init__()
        self.tags, self.texts, self._open = [], {}, []
        self.feed(content)
        self.close()
        assert self._open == [], "each element is closed"

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag in VOID or tag == "doctype":
            return
        classes = (dict(attrs).get("class") or "").split()
        for name in classes:
            self.texts.setdefault(name, []).append("")
        self._open.append((tag, classes))

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        opened, _ = self._open.pop()
        assert opened == tag

    def handle_data(self, data):
        for _, classes in self._open:
            for name in classes:
                self.texts[name][-1] += data


def ask(client, accept, path="/v1/explain", **body):
    headers = {"Content-Type": "application/json", "Accept": accept}
    return client.post(path, content=json.dumps(body), headers=headers)


def ask_page(client, **body):
    response = ask(client, "text/html", **body)
    assert response.status_code == 200, response.text
    return Page(response.text)


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        ("text/html", "text/html; charset=utf-8"),
        ("text/html,application/xhtml+xml,*/*;q=0.8", "text/html; charset=utf-8"),
        ("text/*", "text/html; charset=utf-8"),
        ("application/json;q=0.5, text/html", "text/html; charset=utf-8"),
        ("*/*", "application/json"),
        ("text/html, application/json", "application/json"),
        ("text/html;q=0.5, application/json", "application/json"),
        ("text/html;q=0, */*", "application/json"),
    ],
)
def test_explain_answers_in_the_type_that_is_liked_best(client, text, accept, media_type):
    response = ask(client, accept, text=text)
    assert response.status_code == 200
    assert response.headers["content-type"] == media_type


@pytest.mark.parametrize(
    ("path", "accept"),
    [
        ("/v1/summarize", "text/html"),
        ("/v1/explain", "text/plain"),
        ("/v1/explain", "text/html;q=0"),
    ],
)
def test_types_that_are_not_offered_are_refused(client, text, path, accept):
    response = ask(client, accept, path=path, text=text)
    assert response.status_code == 406
    assert response.headers["content-type"] == "application/problem+json"


def test_description_names_both_types_for_explain_alone(client):
    paths = client.get("/openapi.json").json()["paths"]
    explained = paths["/v1/explain"]["post"]["responses"]["200"]["content"]
    summarized = paths["/v1/summarize"]["post"]["responses"]["200"]["content"]
    assert {"application/json", "text/html"} <= explained.keys()
    assert "text/html" not in summarized
    assert explained["application/json"]["schema"]["$ref"].endswith("/SummarizeResponse")


def test_page_shows_what_the_json_says(client, tiny_bundle, text):
    (document,) = ask(client, "*/*", text=text, sentenceCount=2, returnAllScores=True).json()[
        "documents"
    ]
    page = ask_page(client, text=text, sentenceCount=2)
    assert page.texts["summary"] == [document["summary"]]
    assert page.texts["chosen"] == [s["text"] for s in document["sentences"]]
    assert page.texts["sentence"] == [s["text"] for s in document["allScores"]]
    assert page.texts["lit"] == [text]
    (notes,) = page.texts["notes"]
    assert notes == "".join(document["explanation"]["notes"])
    quotes = [
        document["allScores"][e["index"]]["text"]
        for reason in document["explanation"]["selected"]
        for e in reason["evidence"]
    ]
    assert page.texts["quote"] == quotes
    (measured,) = page.texts["faithfulness"]
    assert measured.endswith(f"Texts measured{document['explanation']['faithfulness']['n']}")
    assert Bundle(tiny_bundle).version in ask(client, "text/html", text=text).text


def test_occlusion_page_tells_support_from_competition(client, text):
    options = {"method": "occlusion", "topK": 3}
    (document,) = ask(client, "*/*", text=text, explain=options).json()["documents"]
    page = ask_page(client, text=text, explain=options)
    weights = [e["weight"] for r in document["explanation"]["selected"] for e in r["evidence"]]
    assert len(page.texts.get("competes", [])) == sum(w < 0 for w in weights)
    assert len(page.texts.get("supports", [])) == sum(w > 0 for w in weights)


def test_sentence_count_order_and_index_type_of_the_request_do_not_misplace_the_light(client):
    text = "A 🚢 left the harbour. The 🌊 storm came in the night. No train 🚂 was on time."
    page = ask_page(
        client, text=text, sentenceCount=2, sortBy="Rank", stringIndexType="Utf16CodeUnit"
    )
    assert page.texts["lit"] == [text]
    assert len(page.texts["chosen"]) == 2


def test_same_request_gives_the_same_bytes(client, text):
    assert (
        ask(client, "text/html", text=text).content == ask(client, "text/html", text=text).content
    )


def test_page_needs_nothing_but_itself(client, text):
    response = ask(client, "text/html", text=text)
    page = Page(response.text)
    names = {tag for tag, _ in page.tags}
    assert not names & {"script", "link", "img", "iframe", "form", "base", "object"}
    assert not [attrs for _, attrs in page.tags if {"src", "style", "onload"} & attrs.keys()]
    assert all(a["href"].startswith("#") for tag, a in page.tags if tag == "a")
    ids = [attrs["id"] for _, attrs in page.tags if "id" in attrs]
    assert len(ids) == len(set(ids))
    assert {a["href"][1:] for tag, a in page.tags if tag == "a"} <= set(ids)
    style = re.search(r"<style>(.*)</style>", response.text, re.DOTALL).group(1)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = response.headers["content-security-policy"]
    assert f"style-src 'sha256-{digest}'" in policy
    assert "default-src 'none'" in policy
    assert policy.startswith(next(a["content"] for _, a in page.tags if "http-equiv" in a))


def test_batch_is_one_page_with_every_document_and_every_error(client, text):
    documents = [{"id": "a<b>", "text": text}, {"id": "<i>", "text": " "}, {"text": "A storm."}]
    response = ask(client, "text/html", documents=documents)
    page = Page(response.text)
    assert [unescape(lit) for lit in page.texts["lit"]] == [text, "A storm."]
    (notice,) = page.texts["notice"]
    assert notice.startswith("Document <i> has no summary.")
    assert "<i>" not in response.text


def test_unread_text_is_shown_and_marked(client, text):
    long_text = f"{text} " * 40
    page = ask_page(client, text=long_text)
    (unread,) = page.texts["unread"]
    assert page.texts["lit"][0].replace("Not read from here on", "", 1) == long_text
    assert unread.startswith("Not read from here on")
    assert page.texts["notice"][0].startswith("InputTruncated: ")


@pytest.mark.parametrize("body", [{"text": " "}, {"text": "A storm.", "ratio": 2}])
def test_refusal_is_a_problem_document_here_too(client, body):
    response = ask(client, "text/html", **body)
    assert response.status_code == 422
    assert response.headers["content-type"] == "application/problem+json"


@given(st.text(st.characters(exclude_categories=[])))
def test_shown_text_is_the_text_and_never_markup(text):
    shown = show(text)
    assert not set(shown) & set("<>\"'\0\r")
    shown.encode()
    assert unescape(shown) == re.sub("[\0\ud800-\udfff]", "\ufffd", text)
