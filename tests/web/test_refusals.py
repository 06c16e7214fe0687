"""Facts about refusals: they are shown in words, and what was typed stays."""

import re

import httpx
import pytest
from playwright.sync_api import expect
from starlette.responses import JSONResponse

from service.api.app import create_app
from service.api.settings import Settings
from tests.web.conftest import serve
from tests.web.texts import NEWS

KEY = "open sesame"


class Gate:
    """Refuses as a service with a key does, and as a busy one does, before the real application."""

    def __init__(self, app):
        self.app, self.busy_for = app, 0

    async def __call__(self, scope, receive, send):
        respond = self.app
        if scope["type"] == "http" and scope["path"].startswith("/v1/"):
            sent = dict(scope["headers"]).get(b"authorization", b"").decode()
            if sent != f"Bearer {KEY}":
                respond = refuse(401, "unauthorized", "expected a bearer key, got none; send one")
            elif self.busy_for:
                self.busy_for -= 1
                respond = refuse(429, "too-busy", "expected room in the queue, got none; wait")
        await respond(scope, receive, send)


def refuse(status, slug, detail):
    problem = {"type": f"urn:patsum:problem:{slug}", "title": slug, "status": status}
    problem |= {"detail": detail, "requestId": "r-17"}
    headers = {"Retry-After": "30"} if status == 429 else {}
    return JSONResponse(problem, status, headers, media_type="application/problem+json")


@pytest.fixture(scope="module")
def gate(tiny_bundle):
    return Gate(create_app(Settings(bundle=tiny_bundle, metrics_port=0, workers=1)))


@pytest.fixture(scope="module")
def gated_api(gate):
    with serve(gate) as api:
        yield api


@pytest.fixture(scope="module")
def narrow_api(tiny_bundle):
    settings = Settings(bundle=tiny_bundle, metrics_port=0, workers=1, max_characters=100)
    with serve(create_app(settings)) as api:
        yield api


def submit(page, text=NEWS):
    page.fill("#text", text)
    page.click("#summarize")


def test_refused_text_stays_and_the_reason_is_the_services(visit, narrow_api):
    page = visit(narrow_api.url)
    page.log.n_refusals = 1
    submit(page)
    notice = page.get_by_role("alert")
    response = httpx.post(f"{narrow_api.url}/v1/explain", json={"text": NEWS}, timeout=60)
    detail = response.json()["detail"]
    expect(notice).to_contain_text(detail)
    expect(notice).to_contain_text("413")
    assert page.input_value("#text") == NEWS
    submit(page, "A storm came. The mayor said no.")
    page.wait_for_selector("#lit .chosen")
    assert page.get_by_role("alert").count() == 0


def test_missing_key_is_asked_for_and_used_and_not_stored(visit, gated_api, gate):
    gate.busy_for = 0
    page = visit(gated_api.url)
    page.log.n_refusals = 2
    submit(page)
    expect(page.locator("#key")).to_be_focused()
    page.fill("#key", "wrong")
    page.keyboard.press("Enter")
    expect(page.locator("#key")).to_be_focused()
    expect(page.locator("#key")).to_have_value("")
    page.fill("#key", KEY)
    page.keyboard.press("Enter")
    page.wait_for_selector("#lit .chosen")
    assert page.evaluate("[localStorage.length, sessionStorage.length, document.cookie]") == [
        0,
        0,
        "",
    ]
    page.click("#edit")
    assert page.input_value("#text") == NEWS


def test_busy_service_is_asked_again_after_its_time(visit, gated_api, gate):
    page = visit(gated_api.url)
    page.clock.install()
    page.log.n_refusals = 2
    submit(page)
    page.fill("#key", KEY)
    gate.busy_for = 1
    page.keyboard.press("Enter")
    retry = page.locator(".retry")
    expect(retry).to_be_disabled()
    expect(page.get_by_role("alert")).to_contain_text("Request r-17")
    expect(retry).to_have_text(re.compile(r"Try again in \d+ s"))
    page.clock.run_for(30_000)
    expect(retry).to_be_enabled()
    retry.click()
    page.wait_for_selector("#lit .chosen")


def test_refused_measurement_keeps_the_reasons_and_can_be_repeated(visit, gated_api, gate):
    gate.busy_for = 0
    page = visit(gated_api.url)
    page.clock.install()
    page.log.n_refusals = 2
    submit(page)
    page.fill("#key", KEY)
    page.keyboard.press("Enter")
    page.locator("#lit .chosen").first.click()
    gate.busy_for = 1
    page.click("#measure")
    expect(page.locator(".retry")).to_be_disabled()
    page.clock.run_for(30_000)
    expect(page.locator(".retry")).to_be_enabled()
    expect(page.locator("#measure")).to_be_visible()
    assert page.locator("#why-content > .evidence-list li").count() > 0
    page.locator(".retry").click()
    page.wait_for_selector("#effects .notes")


def test_lost_connection_is_told_and_loses_nothing(visit, tiny_api):
    page = visit(tiny_api.url)
    page.log.n_refusals = 1
    page.context.set_offline(True)
    submit(page)
    expect(page.get_by_role("alert")).to_contain_text("No answer from the service")
    assert page.input_value("#text") == NEWS
    page.context.set_offline(False)
    page.click(".retry")
    page.wait_for_selector("#lit .chosen")


def test_newer_question_wins_over_an_older_one(visit, hold, tiny_api):
    page = visit(tiny_api.url)
    take_held = hold(page)
    submit(page)
    older = take_held()
    expect(page.locator("#summarize")).to_have_text("Reading …")
    submit(page, "A storm came. The mayor said no.")
    newer = take_held()
    assert page.inner_text("#summarize") == "Reading …"
    newer.continue_()
    page.wait_for_selector("#lit .chosen")
    assert page.locator("#lit").text_content() == "A storm came. The mayor said no."
    older.abort()
    assert page.locator("#lit").text_content() == "A storm came. The mayor said no."
    page.click("#edit")
    expect(page.locator("#summarize")).to_have_text("Summarize")
