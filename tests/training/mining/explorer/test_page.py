"""The explorer as a person meets it: a real Chromium, a real server, a tiny run."""

import json
import re

import pytest
from playwright.sync_api import expect

from tests.chromium import open_chromium
from tests.live_server import serve_live
from tests.web.test_looks import find_faults
from training.mining.explorer.app import create_app

IS_BLANK = """canvas => {
  const data = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
  return !data.some((value, place) => place % 4 === 3 && value > 0);
}"""
BRIGHTEST = """canvas => {
  const data = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
  return Math.max(...data.filter((value, place) => place % 4 < 3 && data[place | 3] === 255));
}"""


@pytest.fixture(scope="module")
def browser():
    with open_chromium(60_000) as browser:
        yield browser


@pytest.fixture
def color_scheme():
    """What the browser prefers; a test may want another."""
    return "light"


@pytest.fixture
def stages():
    """Which models of the run are looked into."""
    return ("teacher",)


@pytest.fixture
def page(browser, make_explorer, color_scheme, stages):
    """The page on the tiny run; at the end nothing may have left the server, or gone wrong."""
    explorers = [make_explorer(stage) for stage in stages]
    with serve_live(create_app(explorers), is_service=False) as url:
        context = browser.new_context(
            viewport={"width": 1280, "height": 800}, color_scheme=color_scheme
        )
        asked, complaints = [], []
        context.on("request", lambda request: asked.append(request.url))
        context.on("console", lambda message: complaints.append(message.text))
        context.on("weberror", lambda error: complaints.append(str(error.error)))
        page = context.new_page()
        page.set_default_timeout(60_000)
        page.goto(url)
        page.wait_for_selector("body[data-ready]")
        page.n_refusals = 0
        page.explorer = explorers[0]
        yield page
        context.close()
    assert [url_asked for url_asked in asked if not url_asked.startswith(url)] == []
    refused = [c for c in complaints if c.startswith("Failed to load resource")]
    assert [c for c in complaints if c not in refused] == []
    assert len(refused) == page.n_refusals


def find_our_faults(page):
    """Names, references, contrast, width; the explorer needs no navigation."""
    return [fault for fault in find_faults(page) if fault != "nav"]


LEVELS = "all => all.map(token => parseInt(token.style.getPropertyValue('--level')))"


def brightness(page):
    """The level of each token, in percent."""
    return page.locator(".token").evaluate_all(LEVELS)


def wait_for_other_brightness(page, before):
    """Wait until the tokens are lit in another way; the answer of a head comes when it comes."""
    page.wait_for_function(
        f"before => `${{({LEVELS})([...document.querySelectorAll('.token')])}}` !== `${{before}}`",
        arg=before,
    )


def test_person_finds_a_pattern_tries_it_and_accepts_it(page, run_copy):
    # A document.
    page.click("#documents > summary")
    page.click("[data-document='2']")
    expect(page.locator("#document-name")).to_contain_text("2 ·")
    assert page.locator(".cell canvas").count() == 8
    assert not page.locator("#teacher-0-0 canvas").evaluate(IS_BLANK)

    # A head and a token: something is brightest, and the map is drawn.
    page.click("#teacher-1-2")
    expect(page.locator("#head-heading")).to_have_text("Teacher: layer 1, head 2")
    page.locator(".token").nth(2).click()
    expect(page.locator("#token-says")).to_contain_text("looks at")
    assert max(brightness(page)) == 100
    assert not page.locator("#map").evaluate(IS_BLANK)
    looked_from = brightness(page)
    page.select_option("#direction", "to")
    assert brightness(page) != looked_from
    page.select_option("#direction", "from")

    # A predicate with a mistake, then without.
    page.fill("#predicate", "previous or bananas")
    expect(page.locator("#predicate-error")).to_contain_text("column 13")
    shown = page.locator("#predicate-error").text_content().splitlines()
    assert shown[1:] == ["previous or bananas", " " * 12 + "^"]
    page.n_refusals += 1
    page.fill("#predicate", "previous or next")
    expect(page.locator("#predicate-error")).to_be_hidden()
    expect(page.locator(".token.match")).to_have_count(2)
    matches = page.locator(".token.match").evaluate_all("all => all.map(t => t.dataset.token)")
    assert matches == ["1", "3"]
    expect(page.locator("#teacher-1-2 .figure")).not_to_be_empty()

    # Measured on all documents.
    page.click("#measure")
    expect(page.locator("#predicate-figures")).to_contain_text("Measured on 4 documents")
    expect(page.locator("#head-figures")).to_contain_text("GR over 4 documents")

    # What if the head could look nowhere else?
    page.click("#try")
    row = page.locator("#results tbody tr")
    expect(row).to_have_count(1)
    expect(row).to_contain_text("teacher: mask 1·2 to previous or next")

    # Yes.
    page.fill("#note", "both neighbours")
    page.click("#accept")
    expect(page.locator("#board .chip")).to_have_text("1·2×")
    expect(page.locator("#teacher-1-2")).to_have_attribute("data-verdict", "accepted")
    table = json.loads((run_copy / "decisions.json").read_text(encoding="utf-8"))
    (decision,) = table["decisions"]
    assert (decision["layer"], decision["head"], decision["verdict"]) == (1, 2, "accepted")
    assert (decision["pattern"], decision["note"]) == ("previous or next", "both neighbours")
    assert decision["evidence"]["n_documents"] == 4
    assert table["documents"]["numbers"] == [0, 2]

    # What is left unexplained is less there than it was.
    page.select_option("#colour", "residual")
    expect(page.locator(".heads .hint")).to_contain_text("no accepted pattern explains")


@pytest.mark.parametrize("colour", ["lift", "relevance"])
def test_predicate_without_a_match_in_any_document_has_no_figures(page, colour):
    page.fill("#predicate", "self and not self")
    page.click("#measure")
    expect(page.locator("#predicate-figures")).to_contain_text("Measured on 0 documents")
    page.select_option("#colour", colour)
    expect(page.locator(".heads .hint")).to_have_text("No token has a match in any document.")
    assert set(page.locator(".cell .figure").all_text_contents()) == {""}


def test_keyboard_goes_from_head_to_head_and_from_token_to_token(page):
    page.focus("#teacher-0-0")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    expect(page.locator("#head-heading")).to_have_text("Teacher: layer 1, head 1")
    page.locator(".token").first.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    expect(page.locator(".token.picked")).to_have_attribute("data-token", "1")


def test_nothing_can_be_decided_on_a_predicate_that_is_being_written(page):
    page.click("#teacher-0-1")
    page.fill("#predicate", "previous")
    expect(page.locator("#accept")).to_be_enabled()
    is_disabled = page.evaluate("""() => {
      const input = document.getElementById("predicate");
      input.value = "next";
      input.dispatchEvent(new Event("input"));
      return document.getElementById("accept").disabled;
    }""")
    assert is_disabled
    expect(page.locator("#accept")).to_be_enabled()


@pytest.mark.parametrize("stages", [("teacher", "student")])
def test_mistake_in_a_predicate_stays_while_the_other_model_is_looked_at(page):
    page.click("#teacher-0-0")
    page.fill("#predicate", "bananas")
    expect(page.locator("#predicate-error")).to_contain_text("bananas")
    page.n_refusals += 2  # each model is asked
    page.click("#student-0-0")
    expect(page.locator("#head-heading")).to_have_text("Student: layer 0, head 0")
    expect(page.locator("#predicate-error")).to_be_visible()
    expect(page.locator("#accept")).to_be_disabled()


def test_rejection_measures_first_and_can_be_taken_back(page, run_copy):
    page.fill("#predicate", "lead(2)")
    expect(page.locator("#predicate-says")).to_contain_text("first 2 sentences")
    page.click("#teacher-0-1")
    page.click("#reject")
    expect(page.locator("#board .chip.rejected")).to_have_text("0·1×")
    page.click("#board .remove")
    expect(page.locator("#board")).to_be_hidden()
    table = json.loads((run_copy / "decisions.json").read_text(encoding="utf-8"))
    assert table["decisions"] == []


def test_what_if_shows_how_far_it_is_and_can_be_cancelled(page):
    page.click("#teacher-0-1")
    page.select_option("#change", "prune")
    with page.explorer.exhibit.lock:  # the model is busy: the job cannot get on
        page.click("#try")
        expect(page.locator("#job-title")).to_have_text("What if: prune layer 0, head 1")
        expect(page.locator("#job-count")).to_contain_text("0 of 2")
        page.click("#job-cancel")
    expect(page.locator("#job")).to_be_hidden()
    expect(page.locator("#results")).to_be_hidden()
    page.click("#try")
    expect(page.locator("#results tbody tr")).to_have_count(1)


@pytest.mark.parametrize("stages", [("student",)])
def test_library_is_measured_in_one_go_and_a_head_names_the_pattern_that_it_carries(page):
    page.click("#student-1-1")
    expect(page.locator("#head-pattern")).to_have_text("carries next_token")
    page.click("#measure-library")
    page.locator("#best-list").get_by_text("next", exact=True).click()
    assert page.input_value("#predicate") == "next"
    expect(page.locator("#head-figures")).to_contain_text("GR over 4 documents100.0 %")
    page.select_option("#colour", "taylor")
    expect(page.locator(".heads .hint")).to_contain_text("by Taylor")
    figures = page.locator(".cell .figure").all_text_contents()
    assert sum(map(float, figures)) == pytest.approx(100, abs=0.5)


@pytest.mark.parametrize("color_scheme", ["dark"])
@pytest.mark.parametrize("stages", [("student",)])
def test_thumbnail_turns_dark_where_its_cell_turns_bright(page):
    """Of a head that is wholly inside the predicate, and of one that is wholly outside."""
    page.fill("#predicate", "next")
    expect(page.locator("#student-1-1 .figure")).to_have_text("100.0")
    expect(page.locator("#student-0-2 .figure")).to_have_text("0.0")
    assert page.locator("#student-1-1 canvas").evaluate(BRIGHTEST) == 0
    assert page.locator("#student-0-2 canvas").evaluate(BRIGHTEST) == 255


@pytest.mark.parametrize("stages", [("teacher", "student")])
def test_teacher_and_student_stand_side_by_side_and_a_click_on_either_is_answered(page, run_copy):
    expect(page.locator("#teacher-1-2")).to_be_visible()
    expect(page.locator("#student-1-1 .carried")).to_have_text("next")
    expect(page.locator("#student-1-0 .carried")).to_have_text("free")
    assert page.locator(".cell canvas").count() == 16

    # A head of the teacher, and a token: both grids tell how they stand to a predicate.
    page.click("#teacher-1-0")
    page.locator(".token").nth(3).click()
    page.fill("#predicate", "next")
    expect(page.locator("#teacher-1-0 .figure")).not_to_be_empty()
    expect(page.locator("#student-1-1 .figure")).to_have_text("100.0")
    from_teacher = brightness(page)

    # What became of it in the student: the same token, lit as that head looks.
    expect(page.locator("#student-1-2")).to_have_class(re.compile("related"))
    page.click("#head-pattern button")
    expect(page.locator("#head-heading")).to_have_text("Student: layer 1, head 2")
    expect(page.locator("#head-pattern")).to_have_text(
        "carries intra_sentence · began as teacher 1·0"
    )
    expect(page.locator("#teacher-1-0")).to_have_class(re.compile("related"))
    expect(page.locator("#teacher-1-0")).to_have_attribute("aria-pressed", "false")
    expect(page.locator(".token.picked")).to_have_attribute("data-token", "3")
    wait_for_other_brightness(page, from_teacher)

    # A decision about it goes to the student's own file.
    page.click("#accept")
    expect(page.locator("#board .chip")).to_have_text("1·2×")
    assert not (run_copy / "decisions.json").exists()
    table = json.loads((run_copy / "student-decisions.json").read_text(encoding="utf-8"))
    assert [(d["layer"], d["head"]) for d in table["decisions"]] == [(1, 2)]
    page.click("#try")
    expect(page.locator("#results tbody tr")).to_contain_text("student: mask 1·2 to next")
    page.click("#teacher-0-0")
    expect(page.locator("#board")).to_be_hidden()
    expect(page.locator("#board-heading")).to_have_text("Board of the teacher")


@pytest.mark.usefixtures("uneven_student")
@pytest.mark.parametrize("stages", [("teacher", "student")])
def test_student_with_layers_of_different_widths_stands_beside_its_teacher(page, run_copy):
    assert page.locator("#teacher-0-0, #teacher-0-3, #teacher-1-3").count() == 3
    assert page.locator(".cell[id^=student-0-]").count() == 2
    assert page.locator(".cell[id^=student-1-]").count() == 4
    for head in ("0-0", "0-1", "1-0", "1-3"):
        assert not page.locator(f"#student-{head} canvas").evaluate(IS_BLANK)

    # Figures are those of the heads that there are.
    page.select_option("#colour", "michel")
    figures = page.locator(".cell[id^=student-] .figure").all_text_contents()
    assert sum(map(float, figures)) == pytest.approx(100, abs=0.5)
    page.fill("#predicate", "previous")
    page.select_option("#colour", "lift")
    expect(page.locator("#student-1-3 .figure")).not_to_be_empty()
    page.select_option("#colour", "relevance")
    expect(page.locator("#student-1-3 .figure")).to_have_text("100.0")

    # Each head knows its place, and the keyboard goes to none that is not there.
    page.click("#student-1-2")
    expect(page.locator("#head-pattern")).to_have_text(
        "carries matching_token · began as teacher 1·3"
    )
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    expect(page.locator("#head-heading")).to_have_text("Student: layer 1, head 2")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    expect(page.locator("#head-heading")).to_have_text("Student: layer 0, head 1")
    page.locator(".token").nth(3).click()
    expect(page.locator("#token-says")).to_contain_text("looks at")

    # A whole layer is tried, and a decision about one head is written down.
    page.select_option("#change", "prune")
    page.select_option("#target", "layer")
    page.click("#try")
    row = page.locator("#results tbody tr")
    expect(row).to_contain_text("student: prune 2 heads: 0·0 0·1")
    page.click("#accept")
    expect(page.locator("#board .chip")).to_have_text("0·1×")
    expect(page.locator("#head-figures")).to_contain_text("rank")
    table = json.loads((run_copy / "student-decisions.json").read_text(encoding="utf-8"))
    assert table["model"]["heads"] == [2, 4]
    assert find_our_faults(page) == []


@pytest.mark.parametrize("stages", [("teacher", "student")])
@pytest.mark.parametrize("color_scheme", ["light", "dark"])
def test_every_part_is_named_readable_and_inside_the_window(page, color_scheme):
    assert find_our_faults(page) == []
    page.click("#documents > summary")
    assert find_our_faults(page) == []
    page.click("[data-document='1']")
    page.click("#teacher-0-3")
    page.fill("#predicate", "same_sentence")
    page.click("#accept")
    expect(page.locator("#board .chip")).to_have_count(1)
    page.click("#try")
    expect(page.locator("#results tbody tr")).to_have_count(1)
    for token in (0, 5):
        page.locator(".token").nth(token).click()
        assert find_our_faults(page) == []
