"""Facts about where a text comes from, and that no text can break the page."""

import pytest
from playwright.sync_api import expect

from tests.web.texts import HOSTILE, NEWS, ODD

DROP = """([name, bytes]) => {
  const data = new DataTransfer();
  data.items.add(new File([new Uint8Array(bytes)], name));
  const options = { dataTransfer: data, bubbles: true, cancelable: true };
  document.body.dispatchEvent(new DragEvent('drop', options));
}"""


def type_value(page, text):
    """Put a text into the field as numbers: the driver speaks UTF-8, without lone surrogates."""
    page.locator("#text").evaluate(
        "(field, units) => { field.value = units.map((u) => String.fromCharCode(u)).join(''); }",
        as_units(text),
    )


def read_units(page, selector):
    """The text of each element as UTF-16 code units."""
    return page.locator(selector).evaluate_all(
        "all => all.map(s => Array.from({ length: s.textContent.length },"
        " (_, i) => s.textContent.charCodeAt(i)))"
    )


def as_units(text):
    data = text.encode("utf-16-le", "surrogatepass")
    return [int.from_bytes(data[i : i + 2], "little") for i in range(0, len(data), 2)]


def test_example_is_one_click_away(visit, real_api):
    page = visit(real_api.url)
    page.click("#example")
    page.wait_for_selector("#lit .chosen")
    assert "Varnholm" in page.inner_text("#summary")
    page.click("#edit")
    assert page.input_value("#text").startswith("The last printed timetable")


def test_example_gives_the_typed_text_back(visit, tiny_api):
    page = visit(tiny_api.url)
    page.fill("#text", "My own words.")
    page.click("#example")
    page.wait_for_selector("#lit .chosen")
    page.click("#edit")
    page.click("#undo")
    assert page.input_value("#text") == "My own words."


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_dropped_file_is_loaded_and_the_typed_text_can_be_had_back(visit, tiny_api, encoding):
    page = visit(tiny_api.url)
    page.fill("#text", "My own words.")
    page.evaluate(DROP, ["news.txt", list(f"{NEWS} “Ä”".encode(encoding))])
    expect(page.locator("#compose-note")).to_have_text("news.txt is loaded.")
    assert page.input_value("#text") == f"{NEWS} “Ä”"
    page.click("#undo")
    assert page.input_value("#text") == "My own words."


def test_file_that_is_no_text_is_refused_and_loses_nothing(visit, tiny_api):
    page = visit(tiny_api.url)
    page.fill("#text", "My own words.")
    page.evaluate(DROP, ["photo.jpg", [0xFF, 0xD8, 0xFF, 0xE0, 0, 16]])
    expect(page.locator("#compose-note")).to_contain_text("photo.jpg is not plain text")
    assert page.input_value("#text") == "My own words."


def test_file_can_be_chosen_too(visit, tiny_api, tmp_path):
    path = tmp_path / "news.txt"
    path.write_text(NEWS, encoding="utf-8")
    page = visit(tiny_api.url)
    page.set_input_files("#file", path)
    expect(page.locator("#compose-note")).to_have_text("news.txt is loaded.")
    assert page.input_value("#text") == NEWS


def test_file_dropped_on_the_reading_leads_back_to_the_text(read, tiny_api):
    page = read(tiny_api)
    page.evaluate(DROP, ["b.txt", list(b"A storm came.")])
    expect(page.locator("#text")).to_be_visible()
    expect(page.locator("#text")).to_have_value("A storm came.")


def test_no_text_is_told_without_asking_the_service(visit, tiny_api):
    page = visit(tiny_api.url)
    page.click("#summarize")
    expect(page.locator("#compose-note")).to_contain_text("There is no text yet")
    assert page.log.n_asked == 0


def test_markup_in_a_text_stays_text(read, tiny_api):
    page = read(tiny_api, HOSTILE)
    for sentence in page.locator("#lit .sentence").all():
        sentence.click()
    page.click("#measure")
    page.wait_for_selector("#effects .notes")
    assert page.locator("#lit").text_content() == HOSTILE
    assert page.locator("#reading-view :is(img, script, b)").count() == 0
    assert page.title().startswith("patsum")


@pytest.mark.parametrize(
    ("directive", "attempt"),
    [
        ("require-trusted-types-for", "document.createElement('script').src = 'https://x.invalid'"),
        ("require-trusted-types-for", "document.body.innerHTML = '<p>'"),
        ("img-src", "new Image().src = 'https://x.invalid/i.png'"),
        ("connect-src", "fetch('https://x.invalid').catch(() => 0)"),
        ("style-src-attr", "document.body.setAttribute('style', 'color: red')"),
    ],
)
def test_what_got_into_the_page_could_do_nothing(visit, tiny_api, directive, attempt):
    page = visit(tiny_api.url)
    blocked = page.evaluate(
        f"""() => new Promise((resolve) => {{
          addEventListener('securitypolicyviolation', (e) => resolve(e.effectiveDirective));
          setTimeout(() => resolve('nothing was blocked'), 5000);
          try {{ {attempt}; }} catch {{ /* reported too */ }}
        }})"""
    )
    assert blocked == directive
    page.log.complaints.clear()  # the browser tells of it, and of the request that it blocked
    page.log.requests.clear()


def test_odd_characters_are_lit_where_they_stand(visit, tiny_api):
    page = visit(tiny_api.url)
    type_value(page, ODD)
    page.click("#summarize")
    page.wait_for_selector("#lit .sentence")
    answer = tiny_api.explain(ODD, returnAllScores=True)
    assert read_units(page, "#lit") == [as_units(ODD)]
    sentences = read_units(page, "#lit .sentence")
    assert sentences == [as_units(s["text"]) for s in answer["allScores"]]
    assert len(sentences) > 4
    starts = [s["offset"] for s in answer["allScores"]]
    units = as_units(ODD)
    assert all(units[i : i + len(s)] == s for i, s in zip(starts, sentences, strict=True))


def test_right_to_left_sentence_runs_from_right_to_left(visit, tiny_api):
    page = visit(tiny_api.url)
    type_value(page, ODD)
    page.click("#summarize")
    page.wait_for_selector("#lit .sentence")
    directions = page.locator("#lit .sentence").evaluate_all(
        "all => all.map(s => getComputedStyle(s).direction)"
    )
    assert directions.count("rtl") == 1


def test_text_of_100_000_characters_is_shown_whole_with_its_warning(visit, real_api):
    text = " ".join(f"{NEWS} It was report {i}." for i in range(180))[:100_000]
    page = visit(real_api.url)
    page.fill("#text", text)
    page.click("#summarize")
    page.wait_for_selector("#lit .unread")
    expect(page.locator("#warnings")).to_contain_text("Input truncated: the model reads up to")
    shown = page.locator("#lit").text_content()
    assert shown.replace("Not read from here on", "", 1) == text
    page.locator("#lit .chosen").first.click()
    expect(page.locator("#why-content > .notes")).to_contain_text("The model read the first")
