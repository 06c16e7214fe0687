/** What went wrong or should be known, in words; the text itself stays untouched. */

import { make } from "./element.js";

const UNAUTHORIZED = 401;

export class Notices {
  #container;
  #countdown = 0;

  /** @param {HTMLElement} container */
  constructor(container) {
    this.#container = container;
  }

  clear() {
    clearInterval(this.#countdown);
    this.#container.replaceChildren();
  }

  /**
   * Show a refusal and offer to try again.
   *
   * @param {Refusal} refusal
   * @param {() => void} onRetry
   * @param {(key: string) => void} onKey - a bearer key was given.
   */
  showRefusal(refusal, onRetry, onKey) {
    this.clear();
    const isKeyMissing = refusal.status === UNAUTHORIZED;
    const notice = make(
      "div",
      { class: "notice refusal", role: "alert" },
      make("p", {}, make("strong", {}, refusal.title), refusal.status ? ` · ${refusal.status}` : ""),
      make("p", {}, refusal.detail),
      ...listMistakes(refusal),
    );
    notice.append(isKeyMissing ? makeKeyForm(onKey) : this.#makeRetry(refusal, onRetry));
    if (refusal.requestId) {
      notice.append(make("p", { class: "request-id" }, `Request ${refusal.requestId}`));
    }
    this.#container.replaceChildren(notice);
    notice.querySelector("input")?.focus();
    notice.scrollIntoView({ block: "nearest" });
  }

  /** A button that counts the seconds which the service asked us to wait. */
  #makeRetry({ retryAfterS }, onRetry) {
    const button = make("button", { type: "button", class: "retry", click: onRetry }, "Try again");
    let leftS = retryAfterS ?? 0;
    const tick = () => {
      button.disabled = leftS > 0;
      button.textContent = leftS > 0 ? `Try again in ${leftS} s` : "Try again";
      if (leftS <= 0) clearInterval(this.#countdown);
      leftS -= 1;
    };
    tick();
    if (leftS >= 0) this.#countdown = setInterval(tick, 1000);
    return button;
  }
}

/** The mistakes that the detail does not already say. */
function listMistakes({ detail, errors }) {
  const others = errors.filter((error) => error.detail !== detail);
  if (!others.length) return [];
  const items = others.map((error) =>
    make("li", {}, make("code", {}, error.pointer), " ", error.detail),
  );
  return [make("ul", {}, ...items)];
}

function makeKeyForm(onKey) {
  const input = make("input", { type: "password", id: "key", autocomplete: "off", required: true });
  const form = make(
    "form",
    { class: "key-form" },
    make("label", { for: "key" }, "Bearer key"),
    input,
    make("button", { type: "submit" }, "Use this key"),
    make("p", { class: "hint" }, "Kept in the memory of this tab until you reload or close it."),
  );
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    onKey(input.value.trim());
  });
  return form;
}

/** Make a warning of the service's about a text: `InputTruncated` becomes "Input truncated". */
export function makeWarning({ code, message }) {
  const words = code.replaceAll(/(?<=[a-z])[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
  const line = make("p", {}, make("strong", {}, words), ": ", message, ".");
  return make("div", { class: "notice warning" }, line);
}
