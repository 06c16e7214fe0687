/** What would happen if heads were masked, fixed or pruned: what to try, and what came of it. */

import { make } from "./element.js";

export class WhatIf {
  #change = document.getElementById("change");
  #target = document.getElementById("target");
  #unmatched = document.getElementById("unmatched");
  #button = document.getElementById("try");
  #results = document.getElementById("results");
  #head = null;
  #nHeads = 0;
  #predicate = null;
  #accepted = [];

  /** @param {(changes: object[]) => void} onTry */
  constructor(onTry) {
    document.getElementById("what-if").addEventListener("submit", (event) => {
      event.preventDefault();
      onTry(this.#changes());
    });
    for (const select of [this.#change, this.#target]) {
      select.addEventListener("change", () => this.#refresh());
    }
    this.#refresh();
  }

  describe(stage, nHeld, rouge1) {
    document.getElementById("held").textContent =
      `${stage}, on ${nHeld} held validation documents, ROUGE-1 ${rouge1.toFixed(2)} now`;
  }

  /** Take a head, and how many its layer has. */
  choose(head, nHeads) {
    this.#head = head;
    this.#nHeads = nHeads;
    this.#refresh();
  }

  takePredicate(predicate) {
    this.#predicate = predicate;
    this.#refresh();
  }

  takeBoard(decisions) {
    this.#accepted = decisions.filter(({ verdict }) => verdict === "accepted");
    this.#refresh();
  }

  /** Show a result of a model's server. */
  add(stage, { changes, n, loss, rouge1 }) {
    const [only] = changes;
    const to = only.predicate ? ` to ${only.predicate}` : "";
    const name =
      changes.length === 1
        ? `${stage}: ${only.change} ${only.layer}·${only.head}${to}`
        : `${stage}: ${only.change} ${changes.length} heads: ${changes.map((c) => `${c.layer}·${c.head}`).join(" ")}`;
    const row = make(
      "tr",
      { title: `${n} documents` },
      make("th", { scope: "row" }, name),
      makeDifference(loss, 4, loss.difference < 0),
      makeDifference(rouge1, 2, rouge1.difference > 0),
    );
    this.#results.tBodies[0].prepend(row);
    this.#results.hidden = false;
  }

  #changes() {
    const change = this.#change.value;
    const unmatched = this.#unmatched.value;
    const predicate = change === "prune" ? null : (this.#predicate?.text ?? null);
    const { layer } = this.#head ?? {};
    switch (this.#target.value) {
      case "layer":
        return Array.from({ length: this.#nHeads }, (_, head) => ({ layer, head, change, predicate, unmatched }));
      case "board":
        return this.#accepted.map((item) => ({
          layer: item.layer,
          head: item.head,
          change,
          predicate: change === "prune" ? null : item.predicate,
          unmatched,
        }));
      default:
        return [{ ...this.#head, change, predicate, unmatched }];
    }
  }

  #refresh() {
    const isPrune = this.#change.value === "prune";
    const isBoard = this.#target.value === "board";
    this.#unmatched.disabled = isPrune;
    this.#button.disabled = isBoard
      ? this.#accepted.length === 0
      : this.#head === null || (this.#predicate === null && !isPrune);
  }
}

function makeDifference({ difference, low, high, before, after }, digits, isGood) {
  const sign = (value) => `${value > 0 ? "+" : value < 0 ? "−" : "±"}${Math.abs(value).toFixed(digits)}`;
  const isSure = low > 0 || high < 0;
  const title = `${before.toFixed(digits)} → ${after.toFixed(digits)}; 95 % interval over documents`;
  const look = isSure ? (isGood ? "better" : "worse") : "unsure";
  return make(
    "td",
    { class: `figure ${look}`, title },
    make("b", {}, sign(difference)),
    ` (${sign(low)} to ${sign(high)})`,
  );
}
