/** The panel beside the text that answers "why this sentence?". */

import { make } from "./element.js";
import {
  describeSentence,
  listEvidence,
  listFaithfulness,
  listNotes,
  listPatterns,
} from "./reasons.js";

const OFFER =
  "The model reads the text again, each time without one other sentence, and this shows how " +
  "the score changes. It takes one reading a sentence.";

export class Why {
  #panel = document.getElementById("why");
  #heading = document.getElementById("why-heading");
  #hint = document.getElementById("why-hint");
  #content = document.getElementById("why-content");
  #effects = null;
  #handlers;

  /**
   * @param {object} handlers
   * @param {(index: number) => void} handlers.onGo - go to another sentence.
   * @param {(index: number) => void} handlers.onMeasure - measure the effects on this sentence.
   * @param {() => void} handlers.onCancel - stop the measurement.
   * @param {() => void} handlers.onClose
   */
  constructor(handlers) {
    this.#handlers = handlers;
    document.getElementById("why-close").addEventListener("click", () => handlers.onClose());
    document.addEventListener("keydown", (event) => {
      const isOpen = this.#panel.classList.contains("open") && this.#panel.checkVisibility();
      if (event.key === "Escape" && isOpen) handlers.onClose();
    });
  }

  /** Tell what can be asked here. */
  close() {
    this.#panel.classList.remove("open");
    this.#heading.textContent = "Why this sentence?";
    this.#hint.hidden = false;
    this.#content.replaceChildren();
  }

  /**
   * Give the reasons of one sentence.
   *
   * @param {Reading} reading
   * @param {number} index
   * @param {number} n - sentences of the summary.
   * @param {boolean} hasFocus - move the focus here.
   */
  show(reading, index, n, hasFocus) {
    this.#panel.classList.add("open");
    this.#hint.hidden = true;
    this.#heading.textContent = `Why sentence ${index + 1}?`;
    const reason = reading.reason(index);
    this.#effects = make("div", { id: "effects", "aria-live": "polite", tabindex: "-1" });
    this.#content.replaceChildren(
      ...describeSentence(reading, index, n),
      ...(reason ? this.#makeReason(reading, reason) : []),
    );
    if (reason) this.showEffects(reading, index);
    this.#panel.scrollTop = 0;
    if (hasFocus) this.#heading.focus();
  }

  /** Give the measured effects, or offer to measure them. */
  showEffects(reading, index) {
    const effects = reading.effects(index);
    const { onGo, onMeasure } = this.#handlers;
    const measure = { type: "button", id: "measure", click: () => onMeasure(index) };
    if (!effects) {
      this.#fillEffects(make("p", {}, OFFER), make("button", measure, "Measure the effects"));
      return;
    }
    this.#fillEffects(
      effects.evidence.length
        ? listEvidence(reading, effects.evidence, true, onGo)
        : make("p", {}, "No removal changed the score."),
      listNotes(effects.notes),
    );
  }

  /** Show that the effects are being measured. */
  showWait() {
    const cancel = { type: "button", id: "cancel", click: () => this.#handlers.onCancel() };
    const spinner = make("span", { class: "spinner", "aria-hidden": "true" });
    this.#fillEffects(
      make("p", { class: "wait" }, spinner, "Reading the text without one sentence at a time …"),
      make("button", cancel, "Cancel"),
    );
  }

  /** Fill the place of the effects; a focus that was in it stays in it. */
  #fillEffects(...children) {
    const hasFocus = this.#effects.contains(document.activeElement);
    this.#effects.replaceChildren(...children);
    if (hasFocus) (this.#effects.querySelector(":scope > button") ?? this.#effects).focus();
  }

  #makeReason(reading, reason) {
    const { faithfulness, notes } = reading.explanation;
    return [
      make("h3", {}, "Sentences it drew on"),
      reason.evidence.length
        ? listEvidence(reading, reason.evidence, false, this.#handlers.onGo)
        : make("p", {}, "The model looked at no other sentence."),
      make("h3", {}, "By which pattern"),
      ...listPatterns(reason.patterns),
      make("h3", {}, "What removing a sentence does"),
      this.#effects,
      make("h3", {}, "What this does not prove"),
      listNotes(notes),
      ...listFaithfulness(faithfulness),
    ];
  }
}
