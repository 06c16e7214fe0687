/** A text as the model read it: its sentences, their scores, and what is chosen at any length. */

/** Most evidence sentences for each sentence. */
export const TOP_K = 5;

/** Steps of brightness; `lit.css` and `lit_document.py` have the same ones. */
const TOP_LEVEL = 9;

/**
 * The request whose answer makes a Reading. It asks for every sentence, best first: sentences are
 * chosen one after the other, so the summary of n sentences is the first n of that order.
 *
 * @param {string} text
 */
export function readingRequest(text) {
  return {
    text,
    ratio: 1,
    sortBy: "Rank",
    returnAllScores: true,
    explain: { method: "attention", topK: TOP_K },
  };
}

export class Reading {
  #reasons;
  #effects = new Map();

  /**
   * @param {string} text - as it was sent.
   * @param {object} answer - of the service to `readingRequest(text)`.
   */
  constructor(text, answer) {
    const [document] = answer.documents;
    this.text = text;
    this.modelVersion = answer.modelVersion;
    this.statistics = document.statistics;
    this.warnings = document.warnings;
    this.explanation = document.explanation;
    /** Every sentence that was read, in the order of the text; `index` is its place. */
    this.sentences = document.allScores;
    /** Indexes of the sentences that can be chosen, best first. */
    this.ranked = document.sentences.map((sentence) => sentence.index);
    this.topScore = Math.max(...this.sentences.map((sentence) => sentence.rankScore));
    this.#reasons = reasonsByIndex(document.explanation);
  }

  /** Give the indexes of the n chosen sentences, in the order of the text. */
  choose(n) {
    return this.ranked.slice(0, n).sort((a, b) => a - b);
  }

  /** Give the summary of n sentences, as the service joins it. */
  summarize(n) {
    return this.choose(n).map((index) => this.sentences[index].text).join(" ");
  }

  /** Give the step of brightness of a sentence: its score as a share of the highest one. */
  level(index) {
    if (this.topScore <= 0) return 0;
    return Math.round((TOP_LEVEL * this.sentences[index].rankScore) / this.topScore);
  }

  /** Give the place of a sentence by score, 1 for the best. */
  place(index) {
    const score = this.sentences[index].rankScore;
    return 1 + this.sentences.filter((s) => s.rankScore > score || (s.rankScore === score && s.index < index)).length;
  }

  /** Tell whether a sentence is passed over at any length because it repeats a better one. */
  isRepetition(index) {
    return !this.ranked.includes(index);
  }

  /** Give evidence and patterns of a sentence; undefined where it is a repetition. */
  reason(index) {
    return this.#reasons.get(index);
  }

  /** Tell how many sentences must be asked for, so that this one is among the n and explained. */
  countToExplain(index, n) {
    return Math.max(n, this.ranked.indexOf(index) + 1);
  }

  /** Keep the measured effects of an occlusion answer. */
  addEffects(answer) {
    const { explanation } = answer.documents[0];
    for (const [index, reason] of reasonsByIndex(explanation)) {
      this.#effects.set(index, { evidence: reason.evidence, notes: explanation.notes });
    }
  }

  /** Give the measured effects on a sentence, with their notes; undefined before a measurement. */
  effects(index) {
    return this.#effects.get(index);
  }
}

function reasonsByIndex(explanation) {
  return new Map(explanation.selected.map((reason) => [reason.index, reason]));
}
