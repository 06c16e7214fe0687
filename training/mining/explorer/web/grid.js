/** The heads, layer by layer: a thumbnail each, coloured by a figure. */

import { make } from "./element.js";
import { paint } from "./attention.js";

const STEPS = { ArrowRight: [0, 1], ArrowLeft: [0, -1], ArrowDown: [1, 0], ArrowUp: [-1, 0] };

export class Grid {
  #container = document.getElementById("grid");
  #cells = [];
  #size;
  #thumbnails = null;
  #onPick;

  /**
   * @param {object} run - of the server.
   * @param {(layer: number, head: number) => void} onPick
   */
  constructor(run, onPick) {
    this.#size = run.thumbnailSize;
    this.#onPick = onPick;
    const numbers = Array.from({ length: run.heads }, (_, head) =>
      make("span", { role: "columnheader" }, String(head)),
    );
    const top = make("div", { role: "row" }, make("span", { role: "columnheader" }, "head"), ...numbers);
    const rows = run.plan.map((plan, layer) => this.#makeRow(plan, layer));
    this.#container.style.setProperty("--heads", run.heads);
    this.#container.replaceChildren(top, ...rows);
    this.#container.addEventListener("keydown", (event) => this.#press(event));
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.repaint());
    this.#cells[0][0].button.tabIndex = 0;
  }

  /** Show the thumbnails of a document: layers * heads * size * size levels. */
  show(thumbnails) {
    this.#thumbnails = thumbnails;
    this.repaint();
  }

  repaint() {
    if (this.#thumbnails === null) return;
    const area = this.#size ** 2;
    this.#cells.flat().forEach(({ canvas }, at) => {
      paint(canvas, this.#size, this.#size, (place) => this.#thumbnails[at * area + place]);
    });
  }

  /**
   * Colour the cells.
   *
   * @param {number[][] | null} figures - by layer and head; null for none.
   * @param {number} top - what is brightest.
   * @param {(figure: number) => string} write - a figure in few characters.
   */
  colour(figures, top, write) {
    this.#cells.forEach((row, layer) =>
      row.forEach(({ button, figure, name }, head) => {
        const value = figures?.[layer][head];
        const share = value === undefined ? 0 : Math.min(1, Math.max(0, value / (top || 1)));
        button.style.setProperty("--level", `${(100 * share).toFixed(1)}%`);
        button.classList.toggle("hot", share > 0.5);
        figure.textContent = value === undefined ? "" : write(value);
        button.setAttribute("aria-label", `${name}${value === undefined ? "" : `: ${write(value)}`}`);
      }),
    );
  }

  /** Mark the chosen head. */
  choose(layer, head) {
    this.#cells.forEach((row, l) =>
      row.forEach(({ button }, h) => {
        const isChosen = l === layer && h === head;
        button.setAttribute("aria-pressed", String(isChosen));
        button.tabIndex = isChosen ? 0 : -1;
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
    const figure = make("span", { class: "figure" });
    const button = make(
      "button",
      {
        type: "button",
        id: `head-${layer}-${head}`,
        class: "cell",
        tabindex: "-1",
        title: name,
        "aria-pressed": "false",
        click: () => this.#onPick(layer, head),
      },
      canvas,
      figure,
    );
    return { cell: make("span", { role: "gridcell" }, button), button, canvas, figure, name };
  }

  #press(event) {
    const step = STEPS[event.key];
    const at = /^head-(\d+)-(\d+)$/.exec(event.target.id);
    if (!step || !at) return;
    const next = this.#cells[Number(at[1]) + step[0]]?.[Number(at[2]) + step[1]];
    if (!next) return;
    event.preventDefault();
    next.button.focus();
  }
}
