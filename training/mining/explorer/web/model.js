/** One model on the page: its server, its grid of heads, its figures, what was decided about it. */

import { Figures } from "./figures.js";
import { Grid } from "./grid.js";

export class Model {
  /** The document in this model's eyes; null before the first. */
  view = null;

  /** The predicate that is written, with what was measured of it in this model; null for none. */
  predicate = null;

  /** The decisions about this model; null before they are asked for. */
  board = null;

  /**
   * @param {Server} server - of this model.
   * @param {object} run - what it says first.
   * @param {(layer: number, head: number) => void} on.onPick
   * @param {() => void} on.onColour - the figures are others.
   */
  constructor(server, run, { onPick, onColour }) {
    this.server = server;
    this.run = run;
    this.stage = run.stage;
    this.grid = new Grid(run, onPick);
    this.figures = new Figures(() => {
      const { values, top, write, note } = this.figures.colours();
      this.grid.colour(values, top, write, note);
      onColour();
    });
  }

  /** Fetch a document and its thumbnails. */
  async fetch(number) {
    const path = `documents/${number}`;
    return Promise.all([this.server.get(path), this.server.bytes(`${path}/thumbnails`)]);
  }

  /** Show what `fetch` gave. */
  show([view, thumbnails]) {
    this.view = view;
    this.grid.show(thumbnails);
  }

  async fetchResidual() {
    const { number } = this.view;
    const residual = await this.server.get(`documents/${number}/residual`);
    if (this.view.number === number) this.figures.takeResidual(residual);
  }

  takeBoard(board) {
    this.board = board;
    this.grid.mark(board.decisions);
  }

  /** Take what was measured over all documents, by predicate. */
  takeMeasured(found) {
    this.figures.takeMeasured(found);
    const { predicate } = this;
    if (predicate && predicate.text in found) {
      this.predicate = { ...predicate, over: found[predicate.text] };
    }
  }

  /** The heads of another model that began as this one's head, or that it began as. */
  kin(other, layer, head) {
    if (this.run.origins !== null) return [toPlace(this.run.origins[layer][head])];
    return (other.run.origins ?? []).flatMap((row, l) =>
      row.flatMap((origin, h) =>
        origin[0] === layer && origin[1] === head ? [{ layer: l, head: h }] : [],
      ),
    );
  }
}

function toPlace([layer, head]) {
  return { layer, head };
}
