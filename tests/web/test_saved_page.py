"""Facts about the answer that is saved as HTML: it opens offline and shows what the page showed."""

import pytest

from tests.web.texts import HOSTILE, NEWS, ODD


@pytest.fixture
def open_saved(browser, tmp_path):
    """Open HTML from a file in a window without a network; nothing may be asked for or run."""
    contexts = []

    def open_bytes(content, **options):
        path = tmp_path / "saved.html"
        path.write_bytes(content)
        context = browser.new_context(offline=True, **options)
        contexts.append(context)
        page = context.new_page()
        asked, complaints = [], []
        page.on("request", lambda request: asked.append(request.url))
        page.on("console", lambda message: complaints.append(message.text))
        page.goto(path.as_uri())
        assert asked == [path.as_uri()]
        assert complaints == []
        return page

    yield open_bytes
    for context in contexts:
        context.close()


def test_saved_file_shows_the_same_sentences_offline(read, open_saved, real_api):
    page = read(real_api)
    page.locator("#length").press("ArrowRight")
    with page.expect_download() as download:
        page.click("#save")
    assert download.value.suggested_filename == "summary-with-reasons.html"
    saved = open_saved(download.value.path().read_bytes())
    for selector in (".sentence", ".chosen"):
        shown = page.locator(f"#lit {selector}").all_text_contents()
        assert saved.locator(f".lit {selector}").all_text_contents() == shown
    assert saved.locator(".chosen").count() == 4
    assert saved.locator(".summary").text_content() == page.locator("#summary").text_content()
    assert saved.locator(".lit").text_content() == NEWS
    assert saved.locator(".reason").count() == 4
    classes = "all => all.map(s => /l\\d/.exec(s.className)[0])"
    assert saved.locator(".sentence").evaluate_all(classes) == page.locator(
        "#lit .sentence"
    ).evaluate_all(classes)


def test_saved_file_is_styled_by_itself(open_saved, real_api):
    saved = open_saved(real_api.explain_as_html(text=NEWS))
    colours = "s => getComputedStyle(s).backgroundColor"
    lit = saved.locator(".chosen").first.evaluate(colours)
    assert lit != saved.locator(".sentence:not(.chosen)").first.evaluate(colours)


def test_chosen_sentence_leads_to_its_reasons_and_evidence_back(open_saved, real_api):
    saved = open_saved(real_api.explain_as_html(text=NEWS))
    sentence = saved.locator("a.chosen").nth(1)
    sentence.focus()
    saved.keyboard.press("Enter")
    reason = saved.locator(f"#{saved.locator('.reason:target').get_attribute('id')}")
    assert reason.locator("blockquote").text_content() == sentence.text_content()
    evidence = reason.locator(".go").first
    evidence.click()
    target = saved.locator(".sentence:target")
    assert target.text_content() == evidence.locator(".quote").text_content()


@pytest.mark.parametrize("method", ["attention", "occlusion"])
def test_markup_in_a_saved_text_stays_text(open_saved, tiny_api, method):
    content = tiny_api.explain_as_html(text=HOSTILE, explain={"method": method})
    saved = open_saved(content)
    assert saved.locator(".lit").text_content() == HOSTILE
    assert saved.locator(":is(img, script, b)").count() == 0
    assert saved.title() == "A summary and its reasons"


def test_odd_characters_survive_or_are_replaced_openly(open_saved, tiny_api):
    text = f"{ODD}\r\nThe last line came.\rAnd one more."
    saved = open_saved(tiny_api.explain_as_html(text=text))
    shown = text.replace("\0", "\ufffd").replace("\ud83d", "\ufffd")
    assert saved.locator(".lit").text_content() == shown
    assert "2 character(s) that HTML cannot hold" in saved.inner_text(".legend")


@pytest.mark.parametrize("width", [360, 1280])
def test_saved_file_fits_the_window(open_saved, real_api, width):
    saved = open_saved(
        real_api.explain_as_html(text=NEWS + " W" + "o" * 300 + "."),
        viewport={"width": width, "height": 700},
    )
    assert saved.evaluate("document.documentElement.scrollWidth") == width
