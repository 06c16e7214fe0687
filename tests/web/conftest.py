"""A real Chromium in front of a real server: the page as a person meets it."""

import json
from contextlib import contextmanager

import httpx
import pytest

from service.api.settings import Settings
from tests.chromium import open_chromium
from tests.live_server import serve_live
from tests.web.texts import NEWS

REFUSED = "Failed to load resource"


class Api:
    """A running server, asked without a browser."""

    def __init__(self, url):
        self.url = url

    def explain(self, text, **body):
        """Give the one document of an answer, offsets as JavaScript counts them."""
        body |= {"text": text, "stringIndexType": "Utf16CodeUnit"}
        return self._post(body, "application/json").json()["documents"][0]

    def explain_as_html(self, **body):
        """Give the bytes of the self-contained page."""
        return self._post(body, "text/html").content

    def _post(self, body, accept):
        content = json.dumps(body)  # in ASCII: httpx would not send a lone surrogate
        headers = {"Accept": accept, "Content-Type": "application/json"}
        response = httpx.post(
            f"{self.url}/v1/explain", content=content, headers=headers, timeout=60
        )
        response.raise_for_status()
        return response


@contextmanager
def serve(app_or_settings):
    """Serve an application; give it as an `Api`."""
    with serve_live(app_or_settings) as url:
        yield Api(url)


class Log:
    """What a visit left behind: requests and complaints of the browser.

    Attributes:
        requests: URLs, those of data and blobs left out.
        n_asked: requests to the API among them.
        complaints: console messages and uncaught errors.
        n_refusals: of how many refused requests the browser has to complain.
    """

    def __init__(self, context):
        self.requests, self.complaints, self.n_refusals = [], [], 0
        context.on("request", self._keep_request)
        context.on("console", self._keep_message)
        context.on("weberror", lambda error: self.complaints.append(str(error.error)))

    def _keep_request(self, request):
        if not request.url.startswith(("data:", "blob:")):
            self.requests.append(request.url)

    def _keep_message(self, message):
        # A browser fetches the icon when it likes: after a test has taken the network away, too.
        is_of_icon = message.location.get("url", "").endswith("/icon.svg")
        if message.type in ("error", "warning") and not is_of_icon:
            self.complaints.append(message.text)

    @property
    def n_asked(self):
        return sum("/v1/" in url for url in self.requests)

    def check(self, url):
        """Nothing may have left the server, and nothing gone wrong but what a test foresaw."""
        assert [r for r in self.requests if not r.startswith(url)] == []
        refused = [c for c in self.complaints if c.startswith(REFUSED)]
        assert [c for c in self.complaints if not c.startswith(REFUSED)] == []
        assert len(refused) == self.n_refusals, refused


@pytest.fixture(scope="session")
def real_api():
    """The embedded model."""
    with serve(Settings(metrics_port=0, workers=1, threads=1)) as api:
        yield api


@pytest.fixture(scope="session")
def tiny_api(tiny_bundle):
    """A tiny model, quick and without a language."""
    with serve(Settings(bundle=tiny_bundle, metrics_port=0, workers=1)) as api:
        yield api


# Not for the whole session: while Playwright runs, its event loop is this thread's own.
@pytest.fixture(scope="module")
def browser():
    with open_chromium(30_000) as browser:
        yield browser


@pytest.fixture
def visit(browser):
    """Open a URL in a fresh window; at the end nothing may have left the server, or gone wrong."""
    visits = []

    def open_page(url, width=1280, height=800, color_scheme="light", **options):
        context = browser.new_context(
            viewport={"width": width, "height": height}, color_scheme=color_scheme, **options
        )
        page = context.new_page()
        page.set_default_timeout(30_000)
        page.log = Log(context)
        visits.append((context, page.log, url))
        page.goto(url)
        return page

    yield open_page
    for context, log, url in visits:
        context.close()
        log.check(url)


@pytest.fixture
def read(visit):
    """Open the page and let it summarize a text."""

    def read_text(api, text=NEWS, **options):
        page = visit(api.url, **options)
        page.fill("#text", text)
        page.click("#summarize")
        page.wait_for_selector("#lit .sentence")
        return page

    return read_text


@pytest.fixture
def hold():
    """Hold back a page's questions to the service; what is returned gives the next one, held."""

    def hold_requests(page):
        held = []

        def keep(route):  # Playwright wants a function of its own to write on
            held.append(route)

        page.route("**/v1/explain", keep)

        def take():
            for _ in range(10_000):
                if held:
                    return held.pop(0)
                page.evaluate("0")  # lets the events in
            raise AssertionError("nothing was asked")

        return take

    return hold_requests
