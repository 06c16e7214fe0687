/** What was decided: accept or reject the predicate in the chosen head, and the table of it all. */

import { make } from "./element.js";

export class Board {
  #accept = document.getElementById("accept");
  #reject = document.getElementById("reject");
  #note = document.getElementById("note");
  #says = document.getElementById("decide-note");
  #table = document.getElementById("board");
  #on;
  #head = null;
  #predicate = null;
  #decisions = [];

  /**
   * @param {(verdict: string, note: string) => void} on.onDecide
   * @param {(place: object) => void} on.onTakeBack - layer, head and predicate.
   * @param {(decision: object) => void} on.onShow
   */
  constructor(on) {
    this.#on = on;
    for (const [button, verdict] of [[this.#accept, "accepted"], [this.#reject, "rejected"]]) {
      button.addEventListener("click", () => on.onDecide(verdict, this.#note.value.trim()));
    }
  }

  choose(head) {
    this.#head = head;
    this.#fill();
  }

  takePredicate(predicate) {
    this.#predicate = predicate;
    this.#fill();
  }

  say(words) {
    this.#says.textContent = words;
  }

  show({ decisions, path, lookedAt, conflict }) {
    this.#decisions = decisions;
    const patterns = [...new Set(decisions.map(({ predicate }) => predicate))];
    this.#table.tBodies[0].replaceChildren(...patterns.map((predicate) => this.#makeRow(predicate)));
    this.#table.hidden = decisions.length === 0;
    document.getElementById("board-empty").hidden = decisions.length > 0;
    document.getElementById("board-path").textContent = path;
    const n = lookedAt.length;
    document.getElementById("looked-at").textContent = `${n} document${n === 1 ? "" : "s"} looked at`;
    const warning = document.getElementById("conflict");
    warning.textContent = conflict;
    warning.hidden = !conflict;
  }

  #fill() {
    const isWhole = this.#head !== null && this.#predicate !== null;
    this.#accept.disabled = this.#reject.disabled = !isWhole;
    const known = this.#decisions.find((item) => isWhole && this.#isChosen(item));
    this.#note.value = known?.note ?? "";
    this.say(
      !isWhole
        ? "Choose a head and write a predicate, then decide."
        : known
          ? `${known.verdict} by ${known.by}`
          : `Does this head look at a token that is ${this.#predicate.description}?`,
    );
  }

  #isChosen({ layer, head, predicate }) {
    return layer === this.#head.layer && head === this.#head.head && predicate === this.#predicate.text;
  }

  #makeRow(predicate) {
    const of = this.#decisions.filter((item) => item.predicate === predicate);
    const { density, pattern, canInject } = of[0];
    const name = canInject ? make("b", {}, pattern) : make("code", {}, predicate);
    const share = density === null ? "–" : `${(100 * density).toFixed(2)} %`;
    const heads = of.map((item) => this.#makeChip(item));
    return make(
      "tr",
      {},
      make("th", { scope: "row" }, name),
      make("td", { class: "figure" }, share),
      make("td", {}, ...heads),
    );
  }

  #makeChip(item) {
    const { layer, head, predicate, verdict, note, evidence } = item;
    const gr = evidence
      ? `GR ${(100 * evidence.relevance).toFixed(1)} %, lift ${evidence.lift.toFixed(1)}`
      : "";
    const title = [verdict, gr, note].filter(Boolean).join(" · ");
    const show = make(
      "button",
      { type: "button", class: "link", title, click: () => this.#on.onShow(item) },
      `${layer}·${head}`,
    );
    const remove = make(
      "button",
      {
        type: "button",
        class: "remove",
        "aria-label": `Take back: layer ${layer}, head ${head}`,
        click: () => this.#on.onTakeBack({ layer, head, predicate }),
      },
      "×",
    );
    return make("span", { class: `chip ${verdict}` }, show, remove);
  }
}
