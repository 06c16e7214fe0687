/** The figures of every head, and which of them colours the grid. */

import { make } from "./element.js";

const N_BEST = 4;
const LEAST_Z = 1;
const LEAST_LIFT = 1.5;

const percent = (value) => (100 * value).toFixed(1);
const times = (value) => (value >= 100 ? value.toFixed(0) : value.toFixed(1));

/** What can colour the grid: its name, and what a figure of it is. */
const KINDS = {
  taylor: { name: "importance (Taylor)", note: "share of all heads' importance in %, by Taylor" },
  michel: { name: "importance (Michel)", note: "share of all heads' importance in %, by Michel" },
  relevance: { name: "GR of the predicate", note: "attention inside the predicate in %" },
  lift: { name: "lift of the predicate", note: "times the attention of a head that looks everywhere alike" },
  residual: {
    name: "residual",
    note: "attention in % that no accepted pattern explains, in this document",
  },
};

/** Figures are rows of numbers by layer and head, null where a layer has no such head. */
export class Figures {
  #select = document.getElementById("colour");
  #onChange;
  #importance = {};
  #predicate = null;
  #here = null;
  #residual = null;
  #measured = {};
  #isOwnChoice = false;

  /** @param {() => void} onChange - the grid's colours are others. */
  constructor(onChange) {
    this.#onChange = onChange;
    const options = Object.entries(KINDS).map(([value, { name }]) => make("option", { value }, name));
    this.#select.replaceChildren(...options);
    this.#select.addEventListener("change", () => {
      this.#isOwnChoice = true;
      onChange();
    });
  }

  /** @param {Record<string, {mean: (number | null)[][]}>} importance - by score. */
  takeImportance(importance) {
    this.#importance = importance;
    this.#onChange();
  }

  /** What was measured over all documents, by predicate. */
  takeMeasured(found) {
    Object.assign(this.#measured, found);
    this.#onChange();
  }

  /** The predicates that stand out in a head: highest z over all heads, lift above 1. */
  best(layer, head) {
    return Object.entries(this.#measured)
      .filter(([, { n_documents }]) => n_documents > 0)
      .map(([text, over]) => ({
        text,
        value: over.relevance[layer][head],
        z: over.z[layer][head],
        lift: over.lift[layer][head],
      }))
      .filter(({ z, lift }) => z >= LEAST_Z && lift >= LEAST_LIFT)
      .sort((a, b) => b.z - a.z)
      .slice(0, N_BEST)
      .map(({ text, value, z, lift }) => ({
        text,
        says: `GR ${percent(value)} %, lift ${times(lift)}, z ${z.toFixed(1)}`,
      }));
  }

  takePredicate(predicate) {
    if (!this.#isOwnChoice && predicate !== null) this.#select.value = "relevance";
    this.#predicate = predicate;
    this.#here = null;
    this.#onChange();
  }

  /** What the predicate is in this document. */
  takeHere(here) {
    this.#here = here;
    this.#onChange();
  }

  takeResidual(residual) {
    this.#residual = residual;
    this.#onChange();
  }

  /** What colours the grid now. */
  colours() {
    const kind = this.#select.value;
    const { note } = KINDS[kind];
    if (kind in this.#importance) {
      const values = shares(this.#importance[kind].mean);
      return { values, top: highest(values), write: percent, note };
    }
    if (kind === "residual") {
      const values = this.#residual?.relevance ?? null;
      return { values, top: 1, write: percent, note: values ? note : "No pattern is accepted yet." };
    }
    const n = this.#predicate?.over?.n_documents;
    if (n === 0) {
      return { values: null, top: 1, write: percent, note: "No token has a match in any document." };
    }
    const source = this.#predicate?.over ?? this.#here;
    const values = source?.relevance ?? null;
    if (values === null) {
      const none = this.#here === null ? "Write a predicate." : "No token has a match in this document.";
      return { values: null, top: 1, write: percent, note: none };
    }
    const where = n ? `over ${n} documents` : "in this document";
    if (kind === "relevance") {
      return { values, top: highest(values), write: percent, note: `${note}, ${where}` };
    }
    const lift = divide(values, source.uniform);
    return { values: lift, top: highest(lift), write: times, note: `${note}, ${where}` };
  }

  /** A head's figures as [name, text]. */
  of(layer, head) {
    const rows = Object.entries(this.#importance).map(([kind, { mean }]) => [
      KINDS[kind].name,
      `${percent(shares(mean)[layer][head])} %, rank ${rank(mean, layer, head)}`,
    ]);
    const here = this.#here?.relevance?.[layer][head];
    if (here !== undefined) rows.push(["GR in this document", `${percent(here)} %`]);
    const over = this.#predicate?.over;
    if (over?.n_documents) {
      const [value, low, high] = ["relevance", "low", "high"].map((name) => over[name][layer][head]);
      rows.push([`GR over ${over.n_documents} documents`, `${percent(value)} % (${percent(low)} to ${percent(high)})`]);
      const place = rank(over.relevance, layer, head);
      rows.push(["lift over uniform", `${times(over.lift[layer][head])} ×, rank ${place}`]);
      rows.push(["z over all heads", over.z[layer][head].toFixed(1)]);
      rows.push(["clears the thresholds", over.carries[layer][head] ? "yes" : "no"]);
    }
    const residual = this.#residual?.relevance?.[layer][head];
    if (residual !== undefined) rows.push(["not explained here", `${percent(residual)} %`]);
    return rows;
  }
}

/** The figures of the heads that there are. */
function list(values) {
  return values.flat().filter((value) => value !== null);
}

function highest(values) {
  return Math.max(...list(values));
}

function divide(values, by) {
  return values.map((row) => row.map((value) => (value === null ? null : value / by)));
}

function shares(values) {
  return divide(values, list(values).reduce((a, b) => a + b, 0) || 1);
}

function rank(values, layer, head) {
  return 1 + list(values).filter((value) => value > values[layer][head]).length;
}
