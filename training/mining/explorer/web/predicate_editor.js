/** Where a predicate is written: read as it is typed, its mistakes shown in place. */

import { make } from "./element.js";
import { Refusal } from "./server.js";

const PAUSE_MS = 150;

export class PredicateEditor {
  #parse;
  #input = document.getElementById("predicate");
  #says = document.getElementById("predicate-says");
  #error = document.getElementById("predicate-error");
  #figures = document.getElementById("predicate-figures");
  #button = document.getElementById("measure");
  #onChange;
  #timer = 0;
  #work = null;
  #offered = new Set();

  /** The predicate that is written, as the server reads it; null while it is none. */
  predicate = null;

  /**
   * @param {(text: string, signal: AbortSignal) => Promise<object>} on.onParse - refuses what is none.
   * @param {(predicate: object | null) => void} on.onChange
   * @param {(text: string) => void} on.onMeasure
   */
  constructor({ onParse, onChange, onMeasure }) {
    this.#parse = onParse;
    this.#onChange = onChange;
    this.#input.addEventListener("input", () => {
      this.#work?.abort();
      this.#take(null); // nothing may be decided on what stood there before
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => this.read(), PAUSE_MS);
    });
    document.getElementById("predicate-form").addEventListener("submit", async (event) => {
      event.preventDefault();
      clearTimeout(this.#timer);
      await this.read();
      if (this.predicate !== null) onMeasure(this.predicate.text);
    });
  }

  /** Name predicates to choose from. */
  offer(texts) {
    for (const text of texts) this.#offered.add(text);
    document
      .getElementById("candidates")
      .replaceChildren(...[...this.#offered].map((value) => make("option", { value })));
  }

  write(text) {
    this.#input.value = text;
    return this.read();
  }

  /** Read what is written now. */
  async read() {
    this.#work?.abort();
    const text = this.#input.value;
    if (!text.trim()) {
      this.#take(null);
      return;
    }
    this.#work = new AbortController();
    try {
      this.#take(await this.#parse(text, this.#work.signal));
    } catch (error) {
      if (error.name === "AbortError") return;
      if (!(error instanceof Refusal)) throw error;
      this.#take(null);
      const place = error.position === null ? "" : `\n${text}\n${" ".repeat(error.position)}^`;
      this.#error.textContent = error.message + place;
      this.#error.hidden = false;
      this.#input.setAttribute("aria-invalid", "true");
    }
  }

  #take(predicate) {
    this.show(predicate);
    this.#onChange(predicate);
  }

  /** Show what is known of the predicate that is written. */
  show(predicate) {
    this.predicate = predicate;
    this.#error.hidden = true;
    this.#input.removeAttribute("aria-invalid");
    this.#says.textContent = predicate ? `A token looks at a token that is ${predicate.description}.` : "";
    this.#button.disabled = predicate === null;
    const over = predicate?.over;
    this.#figures.textContent = over
      ? `Density ${(100 * over.density).toFixed(2)} % of all pairs; a head that looks everywhere alike has ` +
        `GR ${(100 * over.uniform).toFixed(2)} %. Measured on ${over.n_documents} documents with a match.`
      : "";
  }
}
