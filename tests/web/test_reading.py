"""Facts about the lit text: the right sentences, their reasons, their measured effects."""

import pytest
from playwright.sync_api import expect

from tests.web.texts import NEWS


def chosen_indexes(page):
    return page.locator("#lit .chosen").evaluate_all("all => all.map(s => Number(s.dataset.index))")


def set_length(page, n):
    page.locator("#length").evaluate(
        "(slider, n) => { slider.value = n; slider.dispatchEvent(new Event('input')); }", n
    )


def evidence_shown(page, place):
    rows = page.locator(f"{place} .evidence-list li").all()
    return [
        (int(row.locator(".number").inner_text()) - 1, row.locator(".weight").inner_text())
        for row in rows
    ]


def test_pasted_text_is_lit_where_the_service_chose(read, real_api):
    page = read(real_api)
    answer = real_api.explain(NEWS, sentenceCount=3, returnAllScores=True)
    assert chosen_indexes(page) == [s["index"] for s in answer["sentences"]]
    assert page.locator("#lit .chosen").all_text_contents() == [
        s["text"] for s in answer["sentences"]
    ]
    assert page.locator("#summary").text_content() == answer["summary"]
    assert page.locator("#lit").text_content() == NEWS


def test_brightness_follows_the_score(read, real_api):
    page = read(real_api)
    scores = [s["rankScore"] for s in real_api.explain(NEWS, returnAllScores=True)["allScores"]]
    levels = page.locator("#lit .sentence").evaluate_all(
        "all => all.map(s => Number(/l(\\d)/.exec(s.className)[1]))"
    )
    assert levels == [round(9 * score / max(scores)) for score in scores]


def test_each_length_is_the_summary_of_the_service_and_asks_nothing(read, real_api):
    page = read(real_api)
    assert page.get_attribute("#length", "max") == "8"
    for n in (1, 2, 5, 8):
        set_length(page, n)
        answer = real_api.explain(NEWS, sentenceCount=n)
        assert chosen_indexes(page) == [s["index"] for s in answer["sentences"]]
        assert page.locator("#summary").text_content() == answer["summary"]
        assert page.inner_text("#chosen-count") == f"{n} of 8 sentences"
    assert page.log.n_asked == 1


def test_repetition_is_passed_over_at_each_length(read, real_api):
    text = f"{NEWS} The January storm had torn away forty metres of the northern breakwater."
    page = read(real_api, text)
    answer = real_api.explain(text, sentenceCount=9)
    assert len(answer["sentences"]) == 8
    set_length(page, 8)
    assert chosen_indexes(page) == [s["index"] for s in answer["sentences"]]
    (repeated,) = set(range(9)) - set(chosen_indexes(page))
    page.click(f"#sentence-{repeated}")
    expect(page.locator("#why .facts")).to_contain_text("repeats three words in a row")


def test_click_shows_the_reasons_of_the_service(read, real_api):
    page = read(real_api)
    answer = real_api.explain(NEWS, sentenceCount=3, explain={"method": "attention", "topK": 5})
    reason = answer["explanation"]["selected"][1]
    page.click(f"#sentence-{reason['index']}")
    assert page.inner_text("#why-heading") == f"Why sentence {reason['index'] + 1}?"
    assert evidence_shown(page, "#why-content >") == [
        (e["index"], f"{e['weight']:.3f}") for e in reason["evidence"]
    ]
    shares = page.locator("#why .pattern-list .weight").all_inner_texts()
    assert shares == [f"{100 * p['share']:.0f} %" for p in reason["patterns"]]
    notes = page.locator("#why-content > .notes li").all_inner_texts()
    assert notes == answer["explanation"]["notes"]
    marked = page.locator("#lit .evidence").evaluate_all(
        "all => all.map(s => Number(s.dataset.index))"
    )
    assert marked == sorted(e["index"] for e in reason["evidence"])


def test_faithfulness_is_shown_beside_the_reasons(read, tiny_api):
    page = read(tiny_api)
    page.locator("#lit .chosen").first.click()
    rows = page.locator("#why .faithfulness dt").all_inner_texts()
    assert rows[-1] == "Texts measured"
    assert page.locator("#why .faithfulness dd").last.inner_text() == "2"


def test_keyboard_alone_reaches_text_reasons_and_way_back(visit, real_api):
    page = visit(real_api.url)
    page.locator("#text").focus()
    page.keyboard.insert_text(NEWS)
    page.keyboard.press("Control+Enter")
    expect(page.locator("#summary-heading")).to_be_focused()
    for _ in range(20):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.classList.contains('sentence')"):
            break
    first = chosen_indexes(page)[0]
    expect(page.locator(f"#sentence-{first}")).to_be_focused()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    expect(page.locator("#why-heading")).to_be_focused()
    expect(page.locator("#why-heading")).to_have_text(f"Why sentence {first + 2}?")
    page.keyboard.press("Escape")
    expect(page.locator(f"#sentence-{first + 1}")).to_be_focused()
    assert page.inner_text("#why-heading") == "Why this sentence?"


def test_only_one_sentence_is_a_stop_of_the_tab_key(read, real_api):
    page = read(real_api)
    page.locator("#sentence-4").click()
    assert page.locator("#lit [tabindex='0']").evaluate_all("all => all.map(s => s.id)") == [
        "sentence-4"
    ]


def test_summary_sentence_and_evidence_lead_into_the_text(read, real_api):
    page = read(real_api, height=420)
    page.locator("#summary a").last.click()
    last = chosen_indexes(page)[-1]
    expect(page.locator(f"#sentence-{last}")).to_be_focused()
    expect(page.locator(f"#sentence-{last}")).to_be_in_viewport()
    index = evidence_shown(page, "#why-content >")[0][0]
    page.locator("#why .go").first.click()
    assert page.inner_text("#why-heading") == f"Why sentence {index + 1}?"
    expect(page.locator(f"#sentence-{index}")).to_be_in_viewport()


@pytest.mark.parametrize("is_chosen", [True, False])
def test_occlusion_waits_visibly_and_shows_what_the_service_measured(
    read, hold, real_api, is_chosen
):
    page = read(real_api)
    take_held = hold(page)
    index = chosen_indexes(page)[1] if is_chosen else 5
    page.click(f"#sentence-{index}")
    page.click("#measure")
    expect(page.locator("#effects .wait")).to_be_visible()
    expect(page.locator("#cancel")).to_be_focused()
    take_held().continue_()
    page.wait_for_selector("#effects .evidence-list")
    options = {"method": "occlusion", "topK": 5}
    answer = real_api.explain(NEWS, sentenceCount=8, explain=options)
    (reason,) = [r for r in answer["explanation"]["selected"] if r["index"] == index]
    assert evidence_shown(page, "#effects") == [
        (e["index"], f"{e['weight']:+.3f}".replace("-", "−")) for e in reason["evidence"]
    ]
    assert page.locator("#effects .notes li").all_inner_texts() == answer["explanation"]["notes"]


def test_cancelled_measurement_can_be_asked_for_again(read, hold, real_api):
    page = read(real_api)
    take_held = hold(page)
    page.locator("#lit .chosen").first.click()
    page.click("#measure")
    take_held()
    page.click("#cancel")
    expect(page.locator("#measure")).to_be_focused()
    page.click("#measure")
    take_held().continue_()
    page.wait_for_selector("#effects .evidence-list")


def test_summary_is_copied(read, real_api):
    page = read(real_api, permissions=["clipboard-read", "clipboard-write"])
    page.click("#copy")
    expect(page.locator("#status")).to_have_text("Copied.")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied == real_api.explain(NEWS, sentenceCount=3)["summary"]
