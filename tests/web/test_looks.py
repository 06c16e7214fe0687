"""Facts about the page for every eye and hand: widths, colours, names, focus."""

import pytest
from playwright.sync_api import expect

from tests.web.texts import NEWS

LOOKS = [(w, scheme) for w in (360, 1280) for scheme in ("light", "dark")]

UNREADABLE = """() => {
  // WCAG 2.2, 1.4.3: the contrast of each visible text with what is painted behind it.
  const context = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
  const read = (colour) => {
    context.clearRect(0, 0, 1, 1);
    context.fillStyle = colour;
    context.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = context.getImageData(0, 0, 1, 1).data;
    return [r, g, b, a / 255];
  };
  const over = ([r, g, b, a], below) =>
    [r, g, b].map((value, i) => value * a + below[i] * (1 - a)).concat(1);
  const behind = (element) => {
    const below = element.parentElement ? behind(element.parentElement) : [255, 255, 255, 1];
    return over(read(getComputedStyle(element).backgroundColor), below);
  };
  const luminance = (colour) => {
    const [r, g, b] = colour.slice(0, 3).map((value) => {
      const share = value / 255;
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const contrast = (element, pseudo) => {
    const style = getComputedStyle(element, pseudo);
    const background = pseudo
      ? over(read(style.backgroundColor), behind(element)) : behind(element);
    const lights = [luminance(over(read(style.color), background)), luminance(background)];
    return (Math.max(...lights) + 0.05) / (Math.min(...lights) + 0.05);
  };
  const found = [];
  for (const element of document.body.querySelectorAll('*')) {
    const hasText = [...element.childNodes].some((n) => n.nodeType === 3 && n.data.trim());
    const isSeen = element.checkVisibility() && element.getClientRects().length;
    if (!isSeen || element.closest('em, noscript, :disabled')) continue;
    if (hasText && contrast(element) < 4.5) found.push([element.outerHTML.slice(0, 90)]);
    const content = getComputedStyle(element, '::before').content;
    if (content !== 'none' && contrast(element, '::before') < 4.5)
      found.push(['before', element.outerHTML.slice(0, 90)]);
  }
  return found;
}"""

FAULTS = """() => {
  const all = (selector) => [...document.querySelectorAll(selector)];
  const seen = (selector) => all(selector).filter((e) => e.checkVisibility());
  const text = (id) => document.getElementById(id)?.textContent.trim();
  const name = (e) => (e.getAttribute('aria-label') || '').trim()
    || (e.getAttribute('aria-labelledby') || '').split(' ').map(text).join('')
    || [...(e.labels || [])].map((l) => l.textContent.trim()).join('') || e.textContent.trim();
  const ids = all('[id]').map((e) => e.id);
  const refers = ['for', 'aria-controls', 'aria-labelledby', 'aria-describedby'];
  return [
    ...seen('button, a, [role=button]').filter((e) => !name(e)).map((e) => ['no name', e.id]),
    ...seen('input, textarea').filter((e) => !e.labels.length).map((e) => ['no label', e.id]),
    ...all('img').filter((e) => !e.hasAttribute('alt')).map((e) => ['no alt', e.src]),
    ...ids.filter((id, i) => ids.indexOf(id) !== i).map((id) => ['id twice', id]),
    ...refers.flatMap((attribute) => all(`[${attribute}]`)
      .flatMap((e) => e.getAttribute(attribute).split(' '))
      .filter((id) => !ids.includes(id)).map((id) => ['leads nowhere', attribute, id])),
    ...(seen('h1').length === 1 ? [] : [['headings of level 1', seen('h1').length]]),
    ...['header', 'main', 'nav'].filter((tag) => seen(tag).length !== 1),
    ...(document.documentElement.lang ? [] : ['no language']),
    ...seen('section, aside, nav').filter((e) => !name(e)).map((e) => ['no name', e.className]),
    ...all('[tabindex]').filter((e) => e.tabIndex > 0).map((e) => ['tab order', e.id]),
  ];
}"""

STOP = """() => {
  const element = document.activeElement;
  const shown = element.matches('input[type=file]') ? element.parentElement : element;
  const style = getComputedStyle(shown);
  const isOutlined = style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2;
  const isBody = element === document.body; // the browser's own stop after the last one
  return [isBody ? '' : element.id || element.className || element.textContent, isOutlined];
}"""


def find_faults(page):
    """What is wrong with a view: names, references, contrast, a line wider than the window."""
    overflow = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    return [
        *page.evaluate(FAULTS),
        *page.evaluate(UNREADABLE),
        *(["overflow"] if overflow > 0 else []),
    ]


@pytest.mark.parametrize(("width", "color_scheme"), LOOKS)
def test_each_view_is_readable_named_and_inside_the_window(visit, real_api, width, color_scheme):
    page = visit(real_api.url, width=width, color_scheme=color_scheme)
    assert find_faults(page) == []
    page.click("#summarize")
    expect(page.locator("#compose-note")).not_to_be_empty()
    assert find_faults(page) == []
    page.fill("#text", f"{NEWS}\n\n{'Unbreakable' * 40} was the word. {NEWS}")
    page.click("#summarize")
    page.wait_for_selector("#lit .chosen")
    assert find_faults(page) == []
    page.locator("#lit .chosen").nth(1).click()
    page.click("#measure")
    page.wait_for_selector("#effects .evidence-list")
    assert find_faults(page) == []


@pytest.mark.parametrize("color_scheme", ["light", "dark"])
def test_faults_are_found(visit, tiny_api, color_scheme):
    page = visit(tiny_api.url, color_scheme=color_scheme)
    page.evaluate("""() => {
      document.getElementById('summarize').textContent = '';
      document.querySelector('label').removeAttribute('for');
      document.querySelector('.lead').style.color = 'gray';
      document.querySelector('.lead').style.background = 'gray';
      document.querySelector('textarea').style.width = '3000px';
    }""")
    faults = find_faults(page)
    assert ["no name", "summarize"] in faults
    assert ["no label", "text"] in faults
    assert "overflow" in faults
    assert any("lead" in str(fault) for fault in faults)


def test_every_stop_of_the_tab_key_is_seen(read, real_api):
    page = read(real_api)
    page.locator("#lit .chosen").first.click()
    page.locator(".skip").focus()
    stops = []
    for _ in range(60):
        page.keyboard.press("Tab")
        stops.append(page.evaluate(STOP))
        if stops[-1] == stops[0] and len(stops) > 1:
            break
    assert [name for name, is_outlined in stops if name and not is_outlined] == []
    names = [name for name, _ in stops]
    order = ["edit", "copy", "save", "length", "sentence-0", "why-close", "measure"]
    assert [name for name in names if name in order] == order


def test_dark_and_light_differ(visit, tiny_api):
    colours = [
        visit(tiny_api.url, color_scheme=scheme).evaluate(
            "getComputedStyle(document.body).backgroundColor"
        )
        for scheme in ("light", "dark")
    ]
    assert len(set(colours)) == 2


def test_reasons_on_a_narrow_screen_leave_the_sentence_in_sight(read, real_api):
    page = read(real_api, width=360, height=700)
    sentence = page.locator("#lit .chosen").last
    sentence.click()
    box, sheet = sentence.bounding_box(), page.locator("#why").bounding_box()
    assert box["y"] >= 0
    assert box["y"] + box["height"] <= sheet["y"]
    page.click("#why-close")
    expect(sentence).to_be_focused()


def test_results_are_announced(read, real_api):
    page = read(real_api)
    assert page.locator("#chosen-count").evaluate("e => e.tagName") == "OUTPUT"
    assert page.get_attribute("#length", "aria-valuetext") == "3 of 8 sentences"
    assert page.get_attribute("#status", "role") == "status"
    assert page.get_attribute("#sentence-0", "aria-description").startswith(
        "Sentence 1, in the summary, score 0."
    )
