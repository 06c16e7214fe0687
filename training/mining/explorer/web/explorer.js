/** The page: its parts put together, and what the person can do. */

import { AttentionMap, Matches } from "./attention.js";
import { Board } from "./board.js";
import { Documents } from "./documents.js";
import { make } from "./element.js";
import { HeadMap } from "./head_map.js";
import { JobBar } from "./job_bar.js";
import { Model } from "./model.js";
import { PredicateEditor } from "./predicate_editor.js";
import { Refusal, Server } from "./server.js";
import { Text } from "./text.js";
import { WhatIf } from "./what_if.js";

const N_NAMED = 5;
const LEAST_NAMED = 0.01; // of the largest weight: a mask leaves zeros

class Page {
  #models;
  #model; // the one whose head is chosen, and that all but the grids is about
  #documents;
  #text = new Text((token) => this.#pickToken(token));
  #map = new HeadMap((token) => this.#pickToken(token));
  #jobBar = new JobBar();
  #editor = new PredicateEditor({
    onParse: (text, signal) => this.#parse(text, signal),
    onChange: (predicate) => this.#takePredicate(predicate),
    onMeasure: (predicate) => this.#measure([predicate]),
  });
  #board = new Board({
    onDecide: (verdict, note) => this.#attempt(() => this.#decide(verdict, note)),
    onTakeBack: (place) => this.#attempt(() => this.#takeBack(place)),
    onShow: ({ layer, head, predicate }) => {
      this.#editor.write(predicate);
      this.#pickHead(this.#model, layer, head);
    },
  });
  #whatIf = new WhatIf((changes) => this.#attempt(() => this.#try(changes)));
  #direction = document.getElementById("direction");
  #wanted = null;
  #head = null;
  #token = null;
  #attention = null;
  #matches = null;

  /** @param {{server: Server, run: object}[]} found - one a model of the same run. */
  constructor(found) {
    this.#models = found.map(({ server, run }) => this.#makeModel(server, run));
    [this.#model] = this.#models;
    const { run, source, library, documents } = this.#model.run;
    const stages = this.#models.map((model) => `${model.stage} ${model.run.model}`);
    document.getElementById("subject").textContent = [run, ...stages, source].join(" · ");
    document.title = `${run}: patsum explore`;
    const grids = document.getElementById("grids");
    grids.style.setProperty("--columns", Math.max(...this.#models.flatMap((model) => model.run.heads)));
    grids.replaceChildren(...this.#models.map((model) => model.grid.element));
    this.#editor.offer(library);
    for (const model of this.#models) model.figures.takeImportance(model.run.importance);
    this.#documents = new Documents(documents, (n) => this.#pickDocument(n));
    this.#describeModel();
    this.#direction.addEventListener("change", () => this.#light());
    document
      .getElementById("measure-library")
      .addEventListener("click", () => this.#measure(library));
  }

  #makeModel(server, run) {
    const model = new Model(server, run, {
      onPick: (layer, head) => this.#pickHead(model, layer, head),
      onColour: () => this.#showFigures(),
    });
    return model;
  }

  async start() {
    await this.#pickDocument(this.#model.run.documents[0].number);
    await this.#attempt(() =>
      this.#forAll(async (model) => {
        this.#takeMeasured(model, await model.server.get("relevance"));
      }),
    );
    this.#editor.read();
  }

  /** Do something with every model at once. */
  #forAll(work) {
    return Promise.all(this.#models.map(work));
  }

  async #pickDocument(number) {
    this.#wanted = number;
    await this.#attempt(async () => {
      const found = await this.#forAll((model) => model.fetch(number));
      if (this.#wanted !== number) return; // another was chosen meanwhile
      this.#models.forEach((model, place) => model.show(found[place]));
      this.#token = null;
      this.#attention = this.#matches = null;
      this.#text.show(this.#model.view);
      this.#documents.choose(number);
      document.getElementById("human").textContent = this.#model.view.summary;
      await Promise.all([
        this.#fetchHead(),
        this.#fetchPredicate(),
        this.#forAll((model) => model.fetchResidual()),
        this.#forAll(async (model) => this.#showBoard(model, await model.server.get("board"))),
      ]);
      this.#light();
    });
  }

  async #pickHead(model, layer, head) {
    this.#head = { layer, head };
    if (model !== this.#model) this.#pickModel(model);
    for (const other of this.#models) {
      if (other === model) other.grid.choose([this.#head], []);
      else other.grid.choose([], model.kin(other, layer, head));
    }
    document.getElementById("head-heading").textContent =
      `${capitalize(model.stage)}: layer ${layer}, head ${head}`;
    this.#describeHead();
    this.#board.choose(this.#head);
    this.#whatIf.choose(this.#head, model.run.heads[layer]);
    this.#showFigures();
    await this.#attempt(async () => {
      await this.#fetchHead();
      this.#light();
    });
  }

  /** Say what the chosen head carries, and which heads of the other model it belongs to. */
  #describeHead() {
    const { layer, head } = this.#head;
    const pattern = this.#model.run.plan[layer][head];
    const kin = this.#models
      .filter((other) => other !== this.#model)
      .flatMap((other) =>
        this.#model.kin(other, layer, head).map((place) => this.#linkHead(other, place)),
      );
    const how = this.#model.run.origins === null ? "became " : "began as ";
    document
      .getElementById("head-pattern")
      .replaceChildren(
        pattern ? `carries ${pattern}` : "",
        pattern && kin.length ? " · " : "",
        ...(kin.length ? [how, ...kin] : []),
      );
  }

  #linkHead(model, { layer, head }) {
    const click = () => this.#pickHead(model, layer, head);
    return make("button", { type: "button", class: "link", click }, `${model.stage} ${layer}·${head}`);
  }

  /** Let all but the grids be about this model. */
  #pickModel(model) {
    this.#model = model;
    this.#describeModel();
    this.#documents.takeModel(model.run.documents);
    if (model.view !== null) this.#text.mark(model.view);
    if (model.predicate !== null) this.#editor.show(model.predicate); // else its mistake stays
    if (model.board !== null) this.#showBoard(model, model.board);
    this.#board.takePredicate(model.predicate);
    this.#whatIf.takePredicate(model.predicate);
  }

  #describeModel() {
    const { stage, run } = this.#model;
    this.#whatIf.describe(stage, run.nHeld, run.heldRouge1);
    document.getElementById("board-heading").textContent = `Board of the ${stage}`;
  }

  #pickToken(token) {
    this.#token = token;
    this.#light();
  }

  async #fetchHead() {
    if (this.#head === null || this.#model.view === null) return;
    const model = this.#model;
    const { layer, head } = this.#head;
    const { number, nTokens } = model.view;
    const bytes = await model.server.bytes(`documents/${number}/heads/${layer}/${head}`);
    const isLate =
      this.#model !== model ||
      model.view.number !== number ||
      this.#head.layer !== layer ||
      this.#head.head !== head;
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
    const seen = order.filter((j) => weights[j] >= LEAST_NAMED * weights[order[0]]);
    const named = seen.flatMap((j) => [
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

  /** Let every model read a predicate, and say what was measured of it there. */
  async #parse(text, signal) {
    const found = await this.#forAll(({ server }) => server.send("POST", "predicate", { text }, signal));
    this.#models.forEach((model, place) => {
      model.predicate = found[place];
    });
    return this.#model.predicate;
  }

  #takePredicate(predicate) {
    for (const model of this.#models) {
      if (predicate === null) model.predicate = null;
      model.figures.takePredicate(model.predicate);
    }
    this.#board.takePredicate(predicate);
    this.#whatIf.takePredicate(predicate);
    this.#attempt(async () => {
      await this.#fetchPredicate();
      this.#light();
    });
  }

  async #fetchPredicate() {
    const { predicate } = this.#editor;
    const { view, server } = this.#model;
    if (predicate === null || view === null) {
      this.#matches = null;
      for (const model of this.#models) model.figures.takeHere(null);
      return;
    }
    const { number, nTokens } = view;
    const path = `documents/${number}`;
    const query = `predicate=${encodeURIComponent(predicate.text)}`;
    const [bits, here] = await Promise.all([
      server.bytes(`${path}/matches?${query}`),
      this.#forAll((model) => model.server.get(`${path}/relevance?${query}`)),
    ]);
    if (this.#model.view.number !== number || this.#editor.predicate?.text !== predicate.text) return;
    this.#matches = new Matches(bits, nTokens);
    this.#models.forEach((model, place) => model.figures.takeHere(here[place]));
  }

  #showFigures() {
    if (this.#head === null) return;
    const { figures } = this.#model;
    const rows = figures.of(this.#head.layer, this.#head.head);
    document
      .getElementById("head-figures")
      .replaceChildren(...rows.flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, value)]));
    this.#showBest(figures.best(this.#head.layer, this.#head.head));
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

  /** Measure predicates over all documents, in the model of the chosen head first. */
  async #measure(texts, models = this.#models) {
    return this.#attempt(async () => {
      const inOrder = models.toSorted((a, b) => (b === this.#model) - (a === this.#model));
      for (const model of inOrder) {
        const found = await this.#jobBar.follow(model.server, "relevance", { predicates: texts });
        if (found === null) return false;
        this.#takeMeasured(model, found);
      }
      return true;
    });
  }

  #takeMeasured(model, found) {
    model.takeMeasured(found);
    this.#editor.offer(Object.keys(found));
    const { predicate } = this.#editor;
    if (predicate === null || !(predicate.text in found)) return;
    this.#editor.show(this.#model.predicate);
    this.#takePredicate(this.#model.predicate);
  }

  async #decide(verdict, note) {
    const model = this.#model;
    const { predicate } = this.#editor;
    const body = { ...this.#head, predicate: predicate.text, verdict, note };
    if (predicate.over === null && !(await this.#measure([predicate.text], [model]))) return;
    this.#showBoard(model, await model.server.send("POST", "board", body));
    await model.fetchResidual();
    this.#board.say(`${verdict}: written down.`);
  }

  async #takeBack(place) {
    const model = this.#model;
    this.#showBoard(model, await model.server.send("DELETE", "board", place));
    await model.fetchResidual();
  }

  #showBoard(model, board) {
    model.takeBoard(board);
    if (model !== this.#model) return;
    this.#board.show(board);
    this.#documents.markLookedAt(board.lookedAt);
    this.#whatIf.takeBoard(board.decisions);
  }

  async #try(changes) {
    const { server, stage } = this.#model;
    const result = await this.#jobBar.follow(server, "what-if", { changes });
    if (result !== null) this.#whatIf.add(stage, result);
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

function capitalize(word) {
  return word[0].toUpperCase() + word.slice(1);
}

function showRefusal(error) {
  const notice = make("p", { class: "notice refusal", role: "alert" }, error.message);
  document.getElementById("notices").replaceChildren(notice);
}

/** Ask every model of the run for what the page needs first. */
async function findModels() {
  const stages = await new Server("api/").get("models");
  return Promise.all(
    stages.map(async (stage) => {
      const server = new Server(`api/${stage}/`);
      return { server, run: await server.get("run") };
    }),
  );
}

try {
  await new Page(await findModels()).start();
  document.body.dataset.ready = "true";
} catch (error) {
  if (!(error instanceof Refusal)) throw error;
  showRefusal(error);
}
