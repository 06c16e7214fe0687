/** The heads of a model, layer by layer: a thumbnail each, coloured by a figure. */

import { make } from "./element.js";
import { paint } from "./attention.js";

const CARRIED = {
  matching_token: "match",
  intra_sentence: "intra",
  previous_token: "prev",
  next_token: "next",
};
const STEPS = { ArrowRight: [0, 1], ArrowLeft: [0, -1], ArrowDown: [1, 0], ArrowUp: [-1, 0] };

export class Grid {
  #container = make("div", { class: "grid", role: "grid" });
  #note = make("span", { class: "hint", "aria-live": "polite" });
  #cells = [];
  #stage;
  #hasPatterns;
  #size;
  #thumbnails = null;
  #onPick;

  /**
   * @param {object} run - of the server.
   * @param {(layer: number, head: number) => void} onPick
   */
  constructor(run, onPick) {
    this.#stage = run.stage;
    this.#hasPatterns = run.plan.flat().some((pattern) => pattern !== null);
    this.#size = run.thumbnailSize;
    this.#onPick = onPick;
    const numbers = Array.from({ length: Math.max(...run.heads) }, (_, head) =>
      make("span", { role: "columnheader" }, String(head)),
    );
    const top = make("div", { role: "row" }, make("span", { role: "columnheader" }, "head"), ...numbers);
    const rows = run.plan.map((plan, layer) => this.#makeRow(plan, layer));
    this.#container.append(top, ...rows);
    const name = make("b", { id: `${run.stage}-name` }, run.stage);
    this.#container.setAttribute("aria-labelledby", name.id);
    /** The grid under the model's name. */
    this.element = make("div", { class: "heads" }, make("p", {}, name, " ", this.#note), this.#container);
    this.#container.addEventListener("keydown", (event) => this.#press(event));
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.repaint());
    this.#cells[0][0].button.tabIndex = 0;
  }

  /** Show the thumbnails of a document: size * size levels a head, layer by layer. */
  show(thumbnails) {
    this.#thumbnails = thumbnails;
    this.repaint();
  }

  repaint() {
    for (const cell of this.#cells.flat()) this.#paint(cell);
  }

  #paint({ canvas, place }) {
    if (this.#thumbnails === null) return;
    const first = place * this.#size ** 2;
    paint(canvas, this.#size, this.#size, (at) => this.#thumbnails[first + at]);
  }

  /**
   * Colour the cells.
   *
   * @param {(number | null)[][] | null} figures - by layer and head; null for none.
   * @param {number} top - what is brightest.
   * @param {(figure: number) => string} write - a figure in few characters.
   * @param {string} note - what the figures are.
   */
  colour(figures, top, write, note) {
    this.#note.textContent = note;
    this.#cells.forEach((row, layer) =>
      row.forEach((cell, head) => {
        const { button, figure, name } = cell;
        const value = figures?.[layer][head];
        const share = value === undefined ? 0 : Math.min(1, Math.max(0, value / (top || 1)));
        button.style.setProperty("--level", `${(100 * share).toFixed(1)}%`);
        if (button.classList.contains("hot") !== share > 0.5) {
          button.classList.toggle("hot");
          this.#paint(cell); // in another colour, or it could not be seen
        }
        figure.textContent = value === undefined ? "" : write(value);
        button.setAttribute("aria-label", `${name}${value === undefined ? "" : `: ${write(value)}`}`);
      }),
    );
  }

  /** Mark the chosen head, and heads that belong to it; none is chosen where it is another model's. */
  choose(chosen, related) {
    const isIn = (places, layer, head) => places.some((p) => p.layer === layer && p.head === head);
    this.#cells.forEach((row, layer) =>
      row.forEach(({ button }, head) => {
        const isChosen = isIn(chosen, layer, head);
        button.setAttribute("aria-pressed", String(isChosen));
        button.classList.toggle("related", isIn(related, layer, head));
        if (chosen.length > 0) button.tabIndex = isChosen ? 0 : -1;
      }),
    );
  }

  /** Mark the heads that something was decided about. */
  mark(decisions) {
    for (const { button } of this.#cells.flat()) delete button.dataset.verdict;
    for (const { layer, head, verdict } of decisions) {
      const { button } = this.#cells[layer][head];
      if (button.dataset.verdict !== "accepted") button.dataset.verdict = verdict;
    }
  }

  #makeRow(plan, layer) {
    const cells = plan.map((pattern, head) => this.#makeCell(pattern, layer, head));
    this.#cells.push(cells);
    const header = make("span", { role: "rowheader" }, `layer ${layer}`);
    return make("div", { role: "row" }, header, ...cells.map(({ cell }) => cell));
  }

  #makeCell(pattern, layer, head) {
    const name = `Layer ${layer}, head ${head}${pattern ? `, carries ${pattern}` : ""}`;
    const canvas = make("canvas", { width: "1", height: "1", "aria-hidden": "true" });
    const carried = make("span", { class: "carried" }, pattern ? (CARRIED[pattern] ?? pattern) : "free");
    const figure = make("span", { class: "figure" });
    const button = make(
      "button",
      {
        type: "button",
        id: `${this.#stage}-${layer}-${head}`,
        class: "cell",
        tabindex: "-1",
        title: name,
        "aria-pressed": "false",
        click: () => this.#onPick(layer, head),
      },
      canvas,
      figure,
      ...(this.#hasPatterns ? [carried] : []),
    );
    const place = this.#cells.flat().length + head; // among all heads, layer by layer
    return { cell: make("span", { role: "gridcell" }, button), button, canvas, figure, name, place };
  }

  #press(event) {
    const step = STEPS[event.key];
    const at = /-(\d+)-(\d+)$/.exec(event.target.id);
    if (!step || !at) return;
    const next = this.#cells[Number(at[1]) + step[0]]?.[Number(at[2]) + step[1]];
    if (!next) return;
    event.preventDefault();
    next.button.focus();
  }
}
