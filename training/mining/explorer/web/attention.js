/** One head's attention in one document, as the server sends it: a scale a row, a byte a pair. */

export class AttentionMap {
  #largest;
  #levels;

  /**
   * @param {Uint8Array} bytes - n float32 (the largest weight of each row), then n * n levels.
   * @param {number} n - tokens.
   */
  constructor(bytes, n) {
    const view = new DataView(bytes.buffer, bytes.byteOffset);
    this.n = n;
    this.#largest = Float32Array.from({ length: n }, (_, i) => view.getFloat32(4 * i, true));
    this.#levels = bytes.subarray(4 * n);
    /** The largest weight of all. */
    this.largest = this.#largest.reduce((a, b) => Math.max(a, b), 0);
  }

  /** The weight with which token i looks at token j, 0 to 1. */
  weight(i, j) {
    return (this.#levels[i * this.n + j] / 255) * this.#largest[i];
  }

  /** All weights from a token, or to it. */
  weights(token, direction) {
    const at = (j) => (direction === "from" ? this.weight(token, j) : this.weight(j, token));
    return Float32Array.from({ length: this.n }, (_, j) => at(j));
  }
}

/** Which pairs a predicate holds for. */
export class Matches {
  #bits;

  /** @param {Uint8Array} bits - n * n, row by row, the first in the highest bit of a byte. */
  constructor(bits, n) {
    this.#bits = bits;
    this.n = n;
  }

  has(i, j) {
    const place = i * this.n + j;
    return ((this.#bits[place >> 3] >> (7 - (place & 7))) & 1) === 1;
  }
}

/**
 * Paint levels as brightness in one colour.
 *
 * @param {HTMLCanvasElement} canvas - set to width x height pixels.
 * @param {(place: number) => number} level - 0 to 255 by pixel.
 */
export function paint(canvas, width, height, level) {
  canvas.width = width;
  canvas.height = height;
  const context = canvas.getContext("2d");
  const image = context.createImageData(width, height);
  const [r, g, b] = readColour(canvas);
  for (let place = 0; place < width * height; place += 1) {
    image.data.set([r, g, b, level(place)], 4 * place);
  }
  context.putImageData(image, 0, 0);
}

/** The element's text colour in [red, green, blue]; "rgb(1, 2, 3)" in every browser. */
function readColour(element) {
  return getComputedStyle(element).color.match(/\d+/g).slice(0, 3).map(Number);
}
