/** Why one sentence stands where it does: its evidence, its patterns, its measured effects. */

import { make, makeBar } from "./element.js";

/** The patterns in words; one that is not listed keeps its name. */
const PATTERNS = {
  matching_token: "The same word elsewhere in the text",
  intra_sentence: "Within the sentence",
  previous_token: "The word before",
  next_token: "The word after",
};

const FAITHFULNESS = {
  comprehensiveness: "Comprehensiveness: how far scores fall without the evidence",
  sufficiency: "Sufficiency: how far scores fall with the evidence alone",
  leaveOneOutKendallTau: "Kendall’s tau between these weights and removing sentences, −1 to 1",
  n: "Texts measured",
};

/**
 * Describe a sentence and its score.
 *
 * @param {Reading} reading
 * @param {number} index
 * @param {number} n - sentences of the summary.
 */
export function describeSentence(reading, index, n) {
  const sentence = reading.sentences[index];
  const facts = [
    `Score ${sentence.rankScore.toFixed(3)}`,
    `rank ${reading.place(index)} of ${reading.sentences.length}`,
    describeChoice(reading, index, n),
  ];
  return [
    make("blockquote", { dir: "auto" }, sentence.text),
    make("p", { class: "facts" }, facts.join(" · ")),
  ];
}

function describeChoice(reading, index, n) {
  if (reading.choose(n).includes(index)) return "in the summary";
  if (reading.isRepetition(index)) {
    return "left out at any length: it repeats three words in a row of a better sentence";
  }
  return `in the summary from ${reading.ranked.indexOf(index) + 1} sentences on`;
}

/**
 * List evidence sentences with bars; a click goes to the sentence.
 *
 * @param {Reading} reading
 * @param {{index: number, weight: number}[]} evidence - the strongest first.
 * @param {boolean} isSigned - effects have a sign, attention has none.
 * @param {(index: number) => void} onGo
 */
export function listEvidence(reading, evidence, isSigned, onGo) {
  const strongest = Math.max(...evidence.map(({ weight }) => Math.abs(weight)));
  const items = evidence.map(({ index, weight }) => {
    const side = isSigned ? (weight < 0 ? "competes" : "supports") : "looked-at";
    const number = make("span", { class: "number" }, String(index + 1));
    const quote = make("span", { class: "quote", dir: "auto" }, reading.sentences[index].text);
    const spoken = make("span", { class: "spoken" }, "Go to sentence ");
    const bar = makeBar([{ share: Math.abs(weight) / strongest, name: "weight-bar" }]);
    const value = make("span", { class: "weight" }, writeWeight(weight, isSigned));
    return make(
      "li",
      { class: side },
      make("button", { type: "button", class: "go", click: () => onGo(index) }, spoken, number, quote),
      make("div", { class: "measure" }, bar, value, isSigned ? ` ${side}` : ""),
    );
  });
  return make("ol", { class: "evidence-list" }, ...items);
}

function writeWeight(weight, isSigned) {
  const sign = isSigned ? (weight < 0 ? "−" : "+") : "";
  return `${sign}${Math.abs(weight).toFixed(3)}`;
}

/**
 * Show the shares of the patterns.
 *
 * @param {{name: string, share: number}[]} patterns
 */
export function listPatterns(patterns) {
  const bar = makeBar(patterns.map(({ share }, i) => ({ share, name: `pattern p${i % 6}` })));
  const items = patterns.map(({ name, share }, i) =>
    make(
      "li",
      {},
      make("span", { class: `key p${i % 6}`, "aria-hidden": "true" }),
      make("span", { class: "name" }, PATTERNS[name] ?? name),
      make("span", { class: "weight" }, `${Math.round(100 * share)} %`),
    ),
  );
  return [bar, make("ul", { class: "pattern-list" }, ...items)];
}

/** List what the numbers do not prove, word for word as the service says it. */
export function listNotes(notes) {
  return make("ul", { class: "notes" }, ...notes.map((note) => make("li", {}, note)));
}

/** Show what was measured for the model; nothing where it was not, which a note says. */
export function listFaithfulness(faithfulness) {
  if (!faithfulness) return [];
  const rows = Object.entries(faithfulness).flatMap(([name, value]) => [
    make("dt", {}, FAITHFULNESS[name] ?? name),
    make("dd", {}, Number.isInteger(value) ? String(value) : value.toFixed(3)),
  ]);
  return [make("dl", { class: "faithfulness" }, ...rows)];
}
