/** The chosen head's whole map, enlarged: row i is where token i looks. */

import { paint } from "./attention.js";

const MOST_PIXELS = 256; // of an edge: as large as it is shown

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
    const size = Math.min(attention.n, MOST_PIXELS);
    const shares = shrink(attention, size);
    paint(this.#canvas, size, size, (place) => 255 * Math.sqrt(shares[place]));
    if (token === null) return;
    const context = this.#canvas.getContext("2d");
    context.fillStyle = getComputedStyle(this.#canvas).getPropertyValue("--reason");
    context.globalAlpha = 0.45;
    const at = Math.floor((token * size) / attention.n) - 1;
    if (direction === "from") context.fillRect(0, at, size, 3);
    else context.fillRect(at, 0, 3, size);
  }
}

/** Shares of the largest weight, size * size; a pixel takes the largest under it, or lines would fade. */
function shrink(attention, size) {
  const shares = new Float32Array(size * size);
  const top = attention.largest || 1;
  for (let i = 0; i < attention.n; i += 1) {
    const row = Math.floor((i * size) / attention.n) * size;
    for (let j = 0; j < attention.n; j += 1) {
      const place = row + Math.floor((j * size) / attention.n);
      shares[place] = Math.max(shares[place], attention.weight(i, j) / top);
    }
  }
  return shares;
}
