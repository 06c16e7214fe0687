/** The whole text, its sentences lit by score: one stop for the Tab key, arrows between sentences. */

import { make } from "./element.js";

const STEPS = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 };

export class LitText {
  #container;
  #onPick;
  #reading = null;
  #spans = [];

  /**
   * @param {HTMLElement} container - holds the text.
   * @param {(index: number, byKeyboard: boolean) => void} onPick - a sentence was asked about.
   */
  constructor(container, onPick) {
    this.#container = container;
    this.#onPick = onPick;
    container.addEventListener("click", (event) => this.#click(event));
    container.addEventListener("keydown", (event) => this.#press(event));
  }

  /** Show a text; nothing is chosen yet. */
  show(reading) {
    this.#reading = reading;
    this.#spans = reading.sentences.map((sentence) => this.#makeSentence(sentence));
    const parts = [];
    let end = 0;
    for (const { offset, length, index } of reading.sentences) {
      parts.push(reading.text.slice(end, offset), this.#spans[index]);
      end = offset + length;
    }
    const rest = reading.text.slice(end);
    const unread = rest.trimStart();
    parts.push(rest.slice(0, rest.length - unread.length), ...(unread ? [makeUnread(unread)] : []));
    this.#container.replaceChildren(...parts);
  }

  /** Mark the n chosen sentences. */
  choose(n) {
    const chosen = new Set(this.#reading.choose(n));
    this.#spans.forEach((span, index) => {
      const isChosen = chosen.has(index);
      span.classList.toggle("chosen", isChosen);
      const score = this.#reading.sentences[index].rankScore.toFixed(2);
      const state = isChosen ? "in the summary" : "not in the summary";
      span.setAttribute("aria-description", `Sentence ${index + 1}, ${state}, score ${score}`);
    });
    if (!this.#spans.some((span) => span.tabIndex === 0)) this.#rove(Math.min(...chosen));
  }

  /**
   * Mark the sentence that is asked about, and those behind it.
   *
   * @param {number | null} index - null for none.
   * @param {number[]} evidence - indexes.
   */
  mark(index, evidence = []) {
    this.#spans.forEach((span, i) => {
      span.classList.toggle("picked", i === index);
      span.classList.toggle("evidence", evidence.includes(i));
      span.setAttribute("aria-expanded", String(i === index));
    });
    if (index !== null) this.#rove(index);
  }

  /** Bring a sentence into view, and put the focus on it if asked. */
  reveal(index, hasFocus) {
    const span = this.#spans[index];
    const box = span.getBoundingClientRect();
    const bottom = window.innerHeight - this.#coveredHeight();
    if (box.top < 0 || box.bottom > bottom) {
      window.scrollBy({ top: (box.top + box.bottom - bottom) / 2 });
    }
    if (hasFocus) span.focus({ preventScroll: true });
  }

  /** Pixels at the window's bottom that the reasons hide, on a narrow screen. */
  #coveredHeight() {
    const sheet = document.getElementById("why");
    return getComputedStyle(sheet).position === "fixed" ? sheet.offsetHeight : 0;
  }

  #makeSentence({ text, index }) {
    const level = this.#reading.level(index);
    const attributes = {
      id: `sentence-${index}`,
      class: `sentence l${level}`,
      role: "button",
      tabindex: "-1",
      dir: "auto",
      "data-index": String(index),
      "data-number": String(index + 1),
      "aria-controls": "why",
      "aria-expanded": "false",
    };
    return make("span", attributes, text);
  }

  #click(event) {
    const index = indexOf(event.target);
    const hasSelection = !window.getSelection().isCollapsed; // somebody copies a passage
    if (index !== null && !hasSelection) this.#onPick(index, false);
  }

  #press(event) {
    const index = indexOf(event.target);
    if (index === null || event.altKey || event.ctrlKey || event.metaKey) return;
    const last = this.#spans.length - 1;
    let next = null;
    if (event.key === "Enter" || event.key === " ") this.#onPick(index, true);
    else if (event.key in STEPS) next = Math.min(last, Math.max(0, index + STEPS[event.key]));
    else if (event.key === "Home") next = 0;
    else if (event.key === "End") next = last;
    else return;
    event.preventDefault();
    if (next !== null) {
      this.#rove(next);
      this.reveal(next, true);
    }
  }

  /** Let the Tab key stop at one sentence only. */
  #rove(index) {
    for (const span of this.#spans) span.tabIndex = -1;
    this.#spans[index].tabIndex = 0;
  }
}

function makeUnread(text) {
  const label = make("span", { class: "unread-label" }, "Not read from here on");
  return make("span", { class: "unread", dir: "auto" }, label, text);
}

function indexOf(target) {
  const span = target.closest("[data-index]");
  return span === null ? null : Number(span.dataset.index);
}
