/** The list of documents to choose from. */

import { make } from "./element.js";

const WIDE = matchMedia("(min-width: 100rem)"); // there the list has a column of its own

const ORDERS = {
  number: (a, b) => a.number - b.number,
  low: (a, b) => a.rouge1 - b.rouge1,
  high: (a, b) => b.rouge1 - a.rouge1,
  short: (a, b) => a.nTokens - b.nTokens,
  long: (a, b) => b.nTokens - a.nTokens,
};

export class Documents {
  #panel = document.getElementById("documents");
  #list = document.getElementById("document-list");
  #filter = document.getElementById("document-filter");
  #order = document.getElementById("document-order");
  #documents;
  #onPick;
  #chosen = null;
  #lookedAt = new Set();

  /** @param {(number: number) => void} onPick */
  constructor(documents, onPick) {
    this.#documents = documents;
    this.#onPick = onPick;
    this.#filter.addEventListener("input", () => this.#draw());
    this.#order.addEventListener("change", () => this.#draw());
    const open = () => {
      this.#panel.open = WIDE.matches;
    };
    WIDE.addEventListener("change", open);
    open();
    this.#draw();
  }

  /** Show the figures of another model. */
  takeModel(documents) {
    this.#documents = documents;
    if (this.#chosen !== null) this.#nameChosen();
    this.#draw();
  }

  choose(number) {
    this.#chosen = number;
    this.#nameChosen();
    if (!WIDE.matches) this.#panel.open = false;
    this.#draw();
  }

  #nameChosen() {
    const number = this.#chosen;
    const { firstWords, rouge1, nTokens } = this.#documents.find((d) => d.number === number);
    const name = `${number} · ${nTokens} tokens · R-1 ${rouge1.toFixed(1)} · ${firstWords}`;
    document.getElementById("document-name").textContent = name;
  }

  markLookedAt(numbers) {
    this.#lookedAt = new Set(numbers);
    this.#draw();
  }

  #draw() {
    const words = this.#filter.value.toLowerCase();
    const found = this.#documents
      .filter(({ firstWords }) => firstWords.toLowerCase().includes(words))
      .sort(ORDERS[this.#order.value]);
    this.#list.replaceChildren(...found.map((item) => make("li", {}, this.#makeButton(item))));
  }

  #makeButton({ number, firstWords, nTokens, rouge1 }) {
    const isSeen = this.#lookedAt.has(number);
    return make(
      "button",
      {
        type: "button",
        class: isSeen ? "go seen" : "go",
        "data-document": String(number),
        "aria-current": String(number === this.#chosen),
        click: () => this.#onPick(number),
      },
      make("span", { class: "number" }, String(number)),
      make("span", { class: "quote" }, firstWords),
      make("span", { class: "figure" }, `${nTokens} tok · R-1 ${rouge1.toFixed(1)}`),
    );
  }
}
