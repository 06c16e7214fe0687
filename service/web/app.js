/** The page: its parts put together, and what the person can do. */

import { Compose } from "./compose.js";
import { make } from "./element.js";
import { LitText } from "./lit_text.js";
import { makeWarning, Notices } from "./notices.js";
import { Reading, readingRequest, TOP_K } from "./reading.js";
import { Refusal, Service } from "./service.js";
import { Why } from "./why.js";

const FIRST_COUNT = 3;

class Page {
  #service = new Service();
  #notices = new Notices(document.getElementById("notices"));
  #compose = new Compose(
    (text) => this.#read(text),
    () => this.#edit(),
  );
  #litText = new LitText(document.getElementById("lit"), (index, byKeyboard) =>
    this.#pick(index, byKeyboard),
  );
  #why = new Why({
    onGo: (index) => this.#pick(index, false, true),
    onMeasure: (index) => this.#measure(index),
    onCancel: () => this.#work?.abort(),
    onClose: () => this.#unpick(),
  });
  #slider = document.getElementById("length");
  #status = document.getElementById("status");
  #reading = null;
  #picked = null;
  #work = null;
  #isMeasuring = false;

  constructor() {
    this.#slider.addEventListener("input", () => this.#choose());
    document.getElementById("edit").addEventListener("click", () => this.#edit());
    document.getElementById("copy").addEventListener("click", () => this.#copy());
    document.getElementById("save").addEventListener("click", () => this.#save());
  }

  get #n() {
    return Number(this.#slider.value);
  }

  async #read(text) {
    this.#compose.setBusy(true);
    const body = readingRequest(text);
    const answer = await this.#ask(
      (signal) => this.#service.explain(body, signal),
      () => this.#read(text),
    );
    if (this.#work === null) this.#compose.setBusy(false);
    if (answer) this.#show(new Reading(text, answer));
  }

  #show(reading) {
    this.#reading = reading;
    this.#picked = null;
    document.getElementById("warnings").replaceChildren(...reading.warnings.map(makeWarning));
    this.#slider.max = String(reading.ranked.length);
    this.#slider.value = String(FIRST_COUNT); // the browser keeps it below max
    document.getElementById("longest").textContent = String(reading.ranked.length);
    document.getElementById("top-score").textContent = reading.topScore.toFixed(2);
    document.getElementById("model").textContent = reading.modelVersion;
    this.#litText.show(reading);
    this.#why.close();
    this.#turnTo("reading");
    this.#choose();
    document.getElementById("summary-heading").focus();
  }

  /** Choose as many sentences as the slider says. */
  #choose() {
    const { sentencesCount } = this.#reading.statistics;
    this.#litText.choose(this.#n);
    const links = this.#reading
      .choose(this.#n)
      .flatMap((index) => [this.#linkSentence(index), " "]);
    document.getElementById("summary").replaceChildren(...links.slice(0, -1));
    const chosen = `${this.#n} of ${sentencesCount} sentence${sentencesCount === 1 ? "" : "s"}`;
    document.getElementById("chosen-count").textContent = chosen;
    this.#slider.setAttribute("aria-valuetext", chosen);
    this.#status.textContent = "";
    if (this.#picked !== null) this.#showReasons(false);
  }

  #linkSentence(index) {
    const go = (event) => {
      event.preventDefault();
      this.#pick(index, false, true);
    };
    const link = {
      href: `#sentence-${index}`,
      dir: "auto",
      lang: "",
      "data-number": String(index + 1),
      click: go,
    };
    return make("a", link, this.#reading.sentences[index].text);
  }

  #pick(index, byKeyboard, isReveal = false) {
    this.#picked = index;
    this.#showReasons(byKeyboard);
    if (isReveal) this.#litText.reveal(index, true);
    else if (!byKeyboard) this.#litText.reveal(index, false);
  }

  #showReasons(hasFocus) {
    const evidence = this.#reading.reason(this.#picked)?.evidence ?? [];
    this.#litText.mark(this.#picked, evidence.map(({ index }) => index));
    this.#why.show(this.#reading, this.#picked, this.#n, hasFocus);
    if (this.#isMeasuring) this.#why.showWait();
  }

  #unpick() {
    const index = this.#picked;
    this.#picked = null;
    this.#litText.mark(null);
    this.#why.close();
    if (index !== null) this.#litText.reveal(index, true);
  }

  async #measure(index) {
    const reading = this.#reading;
    const body = {
      text: reading.text,
      sentenceCount: reading.countToExplain(index, this.#n),
      explain: { method: "occlusion", topK: TOP_K },
    };
    this.#isMeasuring = true;
    this.#why.showWait();
    const answer = await this.#ask(
      (signal) => this.#service.explain(body, signal),
      () => this.#measure(index),
    );
    this.#isMeasuring = false;
    if (answer) reading.addEffects(answer);
    if (reading !== this.#reading || this.#picked === null) return;
    this.#why.showEffects(reading, this.#picked);
  }

  async #save() {
    const body = {
      text: this.#reading.text,
      sentenceCount: this.#n,
      explain: { method: "attention", topK: TOP_K },
    };
    this.#say("Preparing the file …");
    const blob = await this.#ask(
      (signal) => this.#service.explainAsHtml(body, signal),
      () => this.#save(),
    );
    this.#say(blob ? "Saved: one HTML file that needs no network." : "");
    if (!blob) return;
    const url = URL.createObjectURL(blob);
    make("a", { href: url, download: "summary-with-reasons.html" }).click();
    setTimeout(() => URL.revokeObjectURL(url), 60_000);
  }

  async #copy() {
    try {
      await navigator.clipboard.writeText(this.#reading.summarize(this.#n));
      this.#say("Copied.");
    } catch { // no permission, or a page without TLS
      window.getSelection().selectAllChildren(document.getElementById("summary"));
      this.#say("The summary is selected: copy it with Ctrl+C.");
    }
  }

  /** Go back to the text; whatever was typed is still there. */
  #edit() {
    this.#work?.abort();
    this.#compose.setBusy(false);
    this.#notices.clear();
    this.#turnTo("compose");
    this.#compose.focus();
  }

  /** Ask the service; a refusal is shown and gives null, as does a newer question. */
  async #ask(question, retry) {
    this.#work?.abort();
    const work = (this.#work = new AbortController());
    try {
      const answer = await question(work.signal);
      this.#notices.clear();
      return answer;
    } catch (error) {
      if (error.name === "AbortError") return null;
      if (!(error instanceof Refusal)) throw error;
      this.#notices.showRefusal(error, retry, (key) => {
        this.#service.key = key;
        retry();
      });
      return null;
    } finally {
      if (this.#work === work) this.#work = null;
    }
  }

  #say(words) {
    this.#status.textContent = words;
  }

  #turnTo(view) {
    document.body.dataset.view = view;
    document.getElementById("compose-view").hidden = view !== "compose";
    document.getElementById("reading-view").hidden = view !== "reading";
  }
}

new Page();
