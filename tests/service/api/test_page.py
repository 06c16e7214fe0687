"""Facts about the files of the page at `/`: what is served, kept and allowed."""

import re

import pytest

from service.api.lit_document import FAITHFULNESS_LABELS, PATTERN_LABELS, TOP_LEVEL
from service.api.page import WEB_FOLDER

FILES = sorted(path.name for path in WEB_FOLDER.iterdir())


def test_page_is_html_that_only_loads_its_own_files(client):
    response = client.get("/")
    assert response.status_code == 200
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    loaded = re.findall(r'<(?:link|script|img)[^>]*(?:href|src)="([^"]+)"', response.text)
    assert loaded
    assert all(client.get(f"/{path}").status_code == 200 for path in loaded)


@pytest.mark.parametrize("name", FILES)
def test_each_file_is_served_as_it_is(client, name):
    response = client.get(f"/web/{name}")
    assert response.content == (WEB_FOLDER / name).read_bytes()
    kind = {"html": "text/html", "css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
    assert response.headers["content-type"].startswith(kind[name.rpartition(".")[2]])
    assert response.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("name", FILES)
def test_no_file_names_another_host(name):
    content = (
        (WEB_FOLDER / name).read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
    )
    assert "//" not in re.sub(r"^\s*//.*|\s// .*", "", content, flags=re.MULTILINE)


def test_policy_allows_no_inline_script_and_no_other_host(client):
    policy = client.get("/").headers["content-security-policy"]
    rules = dict(rule.strip().partition(" ")[::2] for rule in policy.split(";"))
    assert rules["default-src"] == "'none'"
    assert rules["script-src"] == rules["style-src"] == rules["connect-src"] == "'self'"
    assert "unsafe" not in policy


def test_known_file_is_not_sent_again(client):
    first = client.get("/web/app.js")
    assert first.headers["cache-control"] == "no-cache"
    etag = first.headers["etag"]
    for known in (etag, f'"other", W/{etag}'):
        again = client.get("/web/app.js", headers={"If-None-Match": known})
        assert again.status_code == 304
        assert again.content == b""
        assert again.headers["etag"] == etag
    assert client.get("/web/app.js", headers={"If-None-Match": '"old"'}).status_code == 200
    assert client.get("/web/page.css").headers["etag"] != etag


def test_head_has_the_headers_and_no_body(client):
    response = client.head("/")
    assert response.headers["etag"] == client.get("/").headers["etag"]


@pytest.mark.parametrize("path", ["/web/none.js", "/web/..%2fapi%2fpage.py", "/web/", "/web"])
def test_nothing_else_is_served(client, path):
    response = client.get(path)
    assert response.status_code == 404
    assert response.headers["content-type"] == "application/problem+json"


def test_page_stands_outside_the_description(client):
    paths = client.get("/openapi.json").json()["paths"]
    assert not [path for path in paths if path == "/" or path.startswith("/web")]


@pytest.mark.parametrize("labels", [PATTERN_LABELS, FAITHFULNESS_LABELS])
def test_page_and_saved_answer_use_the_same_words(labels):
    reasons = (WEB_FOLDER / "reasons.js").read_text(encoding="utf-8")
    for name, label in labels.items():
        assert re.search(rf'\b{name}:\s*"{re.escape(label)}"', reasons)


def test_page_and_saved_answer_have_the_same_steps_of_brightness():
    reading = (WEB_FOLDER / "reading.js").read_text(encoding="utf-8")
    assert f"const TOP_LEVEL = {TOP_LEVEL};" in reading
    style = (WEB_FOLDER / "lit.css").read_text(encoding="utf-8")
    assert re.findall(r"^\.l(\d) \{ --level: (\d+)%; \}", style, re.MULTILINE) == [
        (str(level), f"{100 * level / TOP_LEVEL:.0f}") for level in range(TOP_LEVEL + 1)
    ]
