/** The chosen head's whole map, enlarged: row i is where token i looks. */

import { paint } from "./attention.js";

export class HeadMap {
  #canvas = document.getElementById("map");
  #attention = null;
  #shown = null;

  /** @param {(token: number) => void} onPick - the token of a row was chosen. */
  constructor(onPick) {
    this.#canvas.addEventListener("click", (event) => {
      if (this.#attention === null) return;
      const box = this.#canvas.getBoundingClientRect();
      const row = Math.floor(((event.clientY - box.top) / box.height) * this.#attention.n);
      onPick(Math.min(this.#attention.n - 1, Math.max(0, row)));
    });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
      if (this.#attention !== null) this.show(this.#attention, ...this.#shown);
    });
  }

  /** Draw a head's map, and the chosen token's row, or its column. */
  show(attention, token, direction) {
    this.#attention = attention;
    this.#shown = [token, direction];
    if (attention === null) {
      paint(this.#canvas, 1, 1, () => 0);
      return;
    }
    const { n } = attention;
    const top = attention.largest || 1;
    paint(this.#canvas, n, n, (place) => {
      return 255 * Math.sqrt(attention.weight(Math.floor(place / n), place % n) / top);
    });
    if (token === null) return;
    const context = this.#canvas.getContext("2d");
    context.fillStyle = getComputedStyle(this.#canvas).getPropertyValue("--reason");
    context.globalAlpha = 0.45;
    if (direction === "from") context.fillRect(0, token - 1, n, 3);
    else context.fillRect(token - 1, 0, 3, n);
  }
}
