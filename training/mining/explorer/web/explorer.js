/** The page: its parts put together, and what the person can do. */

import { AttentionMap, Matches } from "./attention.js";
import { Board } from "./board.js";
import { Documents } from "./documents.js";
import { make } from "./element.js";
import { Figures } from "./figures.js";
import { Grid } from "./grid.js";
import { HeadMap } from "./head_map.js";
import { JobBar } from "./job_bar.js";
import { PredicateEditor } from "./predicate_editor.js";
import { Refusal, Server } from "./server.js";
import { Text } from "./text.js";
import { WhatIf } from "./what_if.js";

const N_NAMED = 5;

class Page {
  #server = new Server();
  #run;
  #grid;
  #documents;
  #text = new Text((token) => this.#pickToken(token));
  #map = new HeadMap((token) => this.#pickToken(token));
  #jobBar = new JobBar(this.#server);
  #editor = new PredicateEditor(this.#server, {
    onChange: (predicate) => this.#takePredicate(predicate),
    onMeasure: (predicate) => this.#measure([predicate]),
  });
  #figures = new Figures(() => this.#colour());
  #board = new Board({
    onDecide: (verdict, note) => this.#attempt(() => this.#decide(verdict, note)),
    onTakeBack: (place) => this.#attempt(() => this.#takeBack(place)),
    onShow: ({ layer, head, predicate }) => {
      this.#editor.write(predicate);
      this.#pickHead(layer, head);
    },
  });
  #whatIf = new WhatIf((changes) => this.#attempt(() => this.#try(changes)));
  #direction = document.getElementById("direction");
  #wanted = null;
  #view = null;
  #head = null;
  #token = null;
  #attention = null;
  #matches = null;

  constructor(run) {
    this.#run = run;
    const { stage, source, model, nHeld, heldRouge1 } = run;
    document.getElementById("subject").textContent = `${run.run} · ${stage} ${model} · ${source}`;
    document.title = `${run.run} ${stage}: patsum explore`;
    this.#whatIf.describe(nHeld, heldRouge1);
    this.#editor.offer(run.library);
    this.#figures.takeImportance(run.importance);
    this.#grid = new Grid(run, (layer, head) => this.#pickHead(layer, head));
    this.#documents = new Documents(run.documents, (n) => this.#pickDocument(n));
    this.#direction.addEventListener("change", () => this.#light());
    document
      .getElementById("measure-library")
      .addEventListener("click", () => this.#measure(run.library));
  }

  async start() {
    await this.#pickDocument(this.#run.documents[0].number);
    await this.#attempt(async () => {
      this.#takeMeasured(await this.#server.get("api/relevance"));
    });
    this.#editor.read();
  }

  async #pickDocument(number) {
    this.#wanted = number;
    await this.#attempt(async () => {
      const path = `api/documents/${number}`;
      const [view, thumbnails] = await Promise.all([
        this.#server.get(path),
        this.#server.bytes(`${path}/thumbnails`),
      ]);
      if (this.#wanted !== number) return; // another was chosen meanwhile
      this.#view = view;
      this.#token = null;
      this.#attention = this.#matches = null;
      this.#text.show(view);
      this.#documents.choose(number);
      document.getElementById("human").textContent = view.summary;
      this.#grid.show(thumbnails);
      await Promise.all([
        this.#fetchHead(),
        this.#fetchPredicate(),
        this.#fetchResidual(),
        this.#refreshBoard(),
      ]);
      this.#light();
    });
  }

  async #pickHead(layer, head) {
    this.#head = { layer, head };
    this.#grid.choose(layer, head);
    document.getElementById("head-heading").textContent = `Layer ${layer}, head ${head}`;
    const pattern = this.#run.plan[layer][head];
    document.getElementById("head-pattern").textContent = pattern ? `carries ${pattern}` : "";
    this.#board.choose(this.#head);
    this.#whatIf.choose(this.#head, this.#run.heads);
    this.#showFigures();
    await this.#attempt(async () => {
      await this.#fetchHead();
      this.#light();
    });
  }

  #pickToken(token) {
    this.#token = token;
    this.#light();
  }

  async #fetchHead() {
    if (this.#head === null || this.#view === null) return;
    const { layer, head } = this.#head;
    const { number, nTokens } = this.#view;
    const bytes = await this.#server.bytes(`api/documents/${number}/heads/${layer}/${head}`);
    const isLate = this.#view.number !== number || this.#head.layer !== layer || this.#head.head !== head;
    if (isLate) return;
    this.#attention = new AttentionMap(bytes, nTokens);
  }

  /** Light up what the chosen head does from the chosen token. */
  #light() {
    const isFrom = this.#direction.value === "from";
    const has = this.#attention !== null && this.#token !== null;
    const weights = has ? this.#attention.weights(this.#token, this.#direction.value) : null;
    this.#text.light(this.#token, weights);
    this.#text.underline((j) => {
      if (this.#matches === null || this.#token === null) return false;
      return isFrom ? this.#matches.has(this.#token, j) : this.#matches.has(j, this.#token);
    });
    this.#map.show(this.#attention, this.#token, this.#direction.value);
    this.#sayToken(weights, isFrom);
  }

  #sayToken(weights, isFrom) {
    const says = document.getElementById("token-says");
    const top = document.getElementById("top-weight");
    top.textContent = "…";
    if (this.#token === null) {
      says.textContent = "Click a token to see where the head looks from it.";
      return;
    }
    if (weights === null) {
      says.textContent = "Choose a head to see where it looks from this token.";
      return;
    }
    const order = [...weights.keys()].sort((a, b) => weights[b] - weights[a]).slice(0, N_NAMED);
    top.textContent = weights[order[0]].toFixed(3);
    const named = order.flatMap((j) => [
      make("b", {}, this.#text.word(j)),
      `\u00a0${weights[j].toFixed(2)} `,
    ]);
    const inside = this.#shareInside(weights, isFrom);
    const word = make("b", { class: "from" }, this.#text.word(this.#token));
    says.replaceChildren(word, isFrom ? " looks at " : " is looked at by ", ...named, inside);
  }

  #shareInside(weights, isFrom) {
    if (this.#matches === null || !isFrom) return "";
    let share = 0;
    weights.forEach((weight, j) => {
      if (this.#matches.has(this.#token, j)) share += weight;
    });
    return `· ${(100 * share).toFixed(0)}\u00a0% inside the predicate`;
  }

  #takePredicate(predicate) {
    this.#figures.takePredicate(predicate);
    this.#board.takePredicate(predicate);
    this.#whatIf.takePredicate(predicate);
    this.#attempt(async () => {
      await this.#fetchPredicate();
      this.#light();
    });
  }

  async #fetchPredicate() {
    const { predicate } = this.#editor;
    if (predicate === null || this.#view === null) {
      this.#matches = null;
      this.#figures.takeHere(null);
      return;
    }
    const { number, nTokens } = this.#view;
    const path = `api/documents/${number}`;
    const query = `predicate=${encodeURIComponent(predicate.text)}`;
    const [bits, here] = await Promise.all([
      this.#server.bytes(`${path}/matches?${query}`),
      this.#server.get(`${path}/relevance?${query}`),
    ]);
    if (this.#view.number !== number || this.#editor.predicate?.text !== predicate.text) return;
    this.#matches = new Matches(bits, nTokens);
    this.#figures.takeHere(here);
  }

  async #fetchResidual() {
    if (this.#view === null) return;
    const { number } = this.#view;
    const residual = await this.#server.get(`api/documents/${number}/residual`);
    if (this.#view.number === number) this.#figures.takeResidual(residual);
  }

  #colour() {
    const { values, top, write, note } = this.#figures.colours();
    this.#grid?.colour(values, top, write);
    document.getElementById("grid-note").textContent = note;
    this.#showFigures();
  }

  #showFigures() {
    if (this.#head === null) return;
    const rows = this.#figures.of(this.#head.layer, this.#head.head);
    document
      .getElementById("head-figures")
      .replaceChildren(...rows.flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, value)]));
    this.#showBest(this.#figures.best(this.#head.layer, this.#head.head));
  }

  /** Name the measured predicates that the chosen head has most of, for the person to confirm. */
  #showBest(best) {
    document.getElementById("best").hidden = best.length === 0;
    const items = best.map(({ text, says }) => {
      const click = () => this.#editor.write(text);
      const button = make("button", { type: "button", class: "link", click }, text);
      return make("li", {}, button, ` ${says}`);
    });
    document.getElementById("best-list").replaceChildren(...items);
  }

  /** Measure predicates over all documents. */
  async #measure(texts) {
    return this.#attempt(async () => {
      const found = await this.#jobBar.follow("api/relevance", { predicates: texts });
      if (found === null) return false;
      this.#takeMeasured(found);
      return true;
    });
  }

  #takeMeasured(found) {
    this.#figures.takeMeasured(found);
    this.#editor.takeMeasured(found);
  }

  async #decide(verdict, note) {
    const { predicate } = this.#editor;
    if (predicate.over === null && !(await this.#measure([predicate.text]))) return;
    const body = { ...this.#head, predicate: predicate.text, verdict, note };
    this.#showBoard(await this.#server.send("POST", "api/board", body));
    await this.#fetchResidual();
    this.#board.say(`${verdict}: written down.`);
  }

  async #takeBack(place) {
    this.#showBoard(await this.#server.send("DELETE", "api/board", place));
    await this.#fetchResidual();
  }

  async #refreshBoard() {
    this.#showBoard(await this.#server.get("api/board"));
  }

  #showBoard(board) {
    this.#board.show(board);
    this.#grid.mark(board.decisions);
    this.#documents.markLookedAt(board.lookedAt);
    this.#whatIf.takeBoard(board.decisions);
  }

  async #try(changes) {
    const result = await this.#jobBar.follow("api/what-if", { changes });
    if (result !== null) this.#whatIf.add(result);
  }

  /** Do something; a refusal is shown, and gives false. */
  async #attempt(work) {
    try {
      const result = await work();
      document.getElementById("notices").replaceChildren();
      return result;
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      showRefusal(error);
      return false;
    }
  }
}

function showRefusal(error) {
  const notice = make("p", { class: "notice refusal", role: "alert" }, error.message);
  document.getElementById("notices").replaceChildren(notice);
}

try {
  await new Page(await new Server().get("api/run")).start();
  document.body.dataset.ready = "true";
} catch (error) {
  if (!(error instanceof Refusal)) throw error;
  showRefusal(error);
}
