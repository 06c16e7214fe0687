/** The document's text, its tokens lit by how much the chosen one looks at them. */

import { make } from "./element.js";

const STEPS = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 };
const GAMMA = 0.6; // a tenth of the most attention must still be seen

export class Text {
  #container = document.getElementById("text");
  #tokens = [];
  #marks = [];
  #onPick;

  /** @param {(token: number) => void} onPick */
  constructor(onPick) {
    this.#onPick = onPick;
    this.#container.addEventListener("click", (event) => {
      const token = tokenOf(event.target);
      if (token !== null && window.getSelection().isCollapsed) onPick(token);
    });
    this.#container.addEventListener("keydown", (event) => this.#press(event));
  }

  /** Show a document of the server. */
  show(view) {
    this.#tokens = [];
    this.#marks = [];
    const sentences = view.sentences.map((sentence) => this.#makeSentence(sentence));
    this.#container.replaceChildren(...sentences);
    this.#container.scrollTop = 0;
    this.#tokens[0].tabIndex = 0;
    this.mark(view);
  }

  /** Mark the sentences that a model has chosen, in the same document. */
  mark(view) {
    view.sentences.forEach(({ score, isChosen, isOracle }, place) => {
      const mark = this.#marks[place];
      mark.textContent = `${isChosen ? "▸" : ""}${isOracle ? "◂" : ""}`;
      mark.title = `score ${score.toFixed(2)}`;
      mark.parentElement.className = isChosen ? "chosen-sentence" : "";
    });
  }

  /** A token's text. */
  word(token) {
    return this.#tokens[token].textContent.trim();
  }

  /**
   * Light the tokens up.
   *
   * @param {number | null} token - the chosen one.
   * @param {Float32Array | null} weights - by token.
   */
  light(token, weights) {
    const top = weights ? weights.reduce((a, b) => Math.max(a, b), 0) : 0;
    this.#tokens.forEach((span, j) => {
      const level = top > 0 ? (weights[j] / top) ** GAMMA : 0;
      span.style.setProperty("--level", `${(100 * level).toFixed(0)}%`);
      span.classList.toggle("lit", level > 0.1);
      span.classList.toggle("hot", level > 0.5);
      span.classList.toggle("picked", j === token);
      span.title = weights ? weights[j].toFixed(4) : "";
    });
    if (token !== null) this.#rove(token);
  }

  /** Underline the tokens that a predicate matches. @param {(j: number) => boolean} isMatch */
  underline(isMatch) {
    this.#tokens.forEach((span, j) => span.classList.toggle("match", isMatch(j)));
  }

  #makeSentence({ tokens, rest }) {
    const parts = tokens.flatMap((token) => {
      const attributes = {
        class: token.isSpecial ? "token special" : "token",
        role: "button",
        tabindex: "-1",
        "data-token": String(this.#tokens.length),
      };
      const span = make("span", attributes, token.text);
      this.#tokens.push(span);
      return token.before ? [token.before, span] : [span];
    });
    if (rest) parts.splice(-1, 0, make("span", { class: "unread" }, rest));
    const mark = make("span", { class: "mark" });
    this.#marks.push(mark);
    return make("p", {}, mark, ...parts);
  }

  #press(event) {
    const token = tokenOf(event.target);
    if (token === null || event.altKey || event.ctrlKey || event.metaKey) return;
    if (event.key === "Enter" || event.key === " ") this.#onPick(token);
    else if (event.key in STEPS) {
      const next = Math.min(this.#tokens.length - 1, Math.max(0, token + STEPS[event.key]));
      this.#rove(next);
      this.#tokens[next].focus();
    } else return;
    event.preventDefault();
  }

  #rove(token) {
    for (const span of this.#container.querySelectorAll("[tabindex='0']")) span.tabIndex = -1;
    this.#tokens[token].tabIndex = 0;
  }
}

function tokenOf(target) {
  const span = target.closest("[data-token]");
  return span === null ? null : Number(span.dataset.token);
}
