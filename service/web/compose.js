/** Where a text comes from: typing, a file, the example; a replaced text can be had back. */

import { EXAMPLE_TEXT } from "./example.js";

export class Compose {
  #form = document.getElementById("compose");
  #input = document.getElementById("text");
  #count = document.getElementById("count");
  #note = document.getElementById("compose-note");
  #undo = document.getElementById("undo");
  #replaced = "";
  #onText;

  /**
   * @param {(text: string) => void} onText - the person wants this text summarized.
   * @param {() => void} onReplace - another text was put in.
   */
  constructor(onText, onReplace) {
    this.#onText = onText;
    this.#form.addEventListener("submit", (event) => this.#submit(event));
    this.#input.addEventListener("input", () => this.#changed());
    this.#input.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) this.#form.requestSubmit();
    });
    this.#undo.addEventListener("click", () => this.#restore());
    document.getElementById("example").addEventListener("click", () => {
      this.#replace(EXAMPLE_TEXT, "The example is loaded.");
      this.#form.requestSubmit();
    });
    const file = document.getElementById("file");
    file.addEventListener("change", () => {
      if (file.files.length) this.#readFile(file.files[0]);
      file.value = "";
    });
    this.#takeDrops(onReplace);
    this.#changed(); // a reload may have kept the text
  }

  get text() {
    return this.#input.value;
  }

  focus() {
    this.#input.focus();
  }

  /** Show whether an answer is awaited; the text can be edited meanwhile. */
  setBusy(isBusy) {
    this.#form.setAttribute("aria-busy", String(isBusy));
    document.getElementById("summarize").textContent = isBusy ? "Reading …" : "Summarize";
  }

  #submit(event) {
    event.preventDefault();
    if (this.text.trim()) {
      this.#onText(this.text);
      return;
    }
    this.#note.textContent = "There is no text yet. Type or paste one, or load the example.";
    this.#input.focus();
  }

  #changed() {
    const n = this.text.length;
    this.#count.textContent = n ? `${n.toLocaleString("en")} characters` : "";
    this.#note.textContent = "";
    this.#undo.hidden = true;
  }

  #replace(text, note) {
    const replaced = this.text;
    this.#input.value = text;
    this.#changed();
    this.#note.textContent = note;
    if (replaced.trim() && replaced !== this.text) {
      this.#replaced = replaced;
      this.#undo.hidden = false;
    }
  }

  #restore() {
    this.#replace(this.#replaced, "Your text is back.");
    this.#input.focus();
  }

  async #readFile(file) {
    try {
      const text = decode(await file.arrayBuffer());
      this.#replace(text, `${file.name} is loaded.`);
    } catch {
      this.#note.textContent =
        `${file.name} is not plain text in UTF-8 or UTF-16. ` +
        "Save it as .txt in UTF-8, or paste its text.";
    }
  }

  /** Take a file or a text dropped anywhere; without this the browser would leave the page. */
  #takeDrops(onReplace) {
    document.addEventListener("dragover", (event) => {
      if (event.target === this.#input && !hasFile(event)) return; // the browser inserts text itself
      event.preventDefault();
      document.body.classList.add("dropping");
    });
    document.addEventListener("dragleave", (event) => {
      if (event.relatedTarget === null) document.body.classList.remove("dropping");
    });
    document.addEventListener("drop", (event) => {
      document.body.classList.remove("dropping");
      if (event.target === this.#input && !hasFile(event)) return;
      event.preventDefault();
      const [file] = event.dataTransfer.files;
      const text = event.dataTransfer.getData("text/plain");
      if (!file && !text) return;
      onReplace();
      if (file) this.#readFile(file);
      else this.#replace(text, "The dropped text is loaded.");
    });
  }
}

function hasFile(event) {
  return event.dataTransfer.types.includes("Files");
}

/** Decode a text file: UTF-8, or UTF-16 with its mark; anything else throws. */
function decode(buffer) {
  const [first, second] = new Uint8Array(buffer);
  const mark = (first << 8) | second;
  const encoding = { 0xfeff: "utf-16be", 0xfffe: "utf-16le" }[mark] ?? "utf-8";
  return new TextDecoder(encoding, { fatal: true }).decode(buffer);
}
