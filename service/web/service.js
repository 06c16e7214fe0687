/** The service behind the page: one request, one answer or one refusal that a person can read. */

/** Why there is no answer. */
export class Refusal extends Error {
  /**
   * @param {object} problem
   * @param {number} problem.status - of HTTP; 0 when nothing came back.
   * @param {string} problem.title
   * @param {string} problem.detail
   * @param {{detail: string, pointer: string}[]} problem.errors
   * @param {string} problem.requestId - "" when unknown.
   * @param {number | null} problem.retryAfterS - seconds to wait; null when the service did not say.
   */
  constructor(problem) {
    super(problem.title);
    Object.assign(this, problem);
  }
}

/** Asks `/v1/explain`. The bearer key lives in this object and nowhere else. */
export class Service {
  constructor() {
    this.key = "";
  }

  /**
   * Ask for a summary and its reasons.
   *
   * @param {object} body - of the request.
   * @param {AbortSignal} signal
   * @returns {Promise<object>} the answer, offsets in UTF-16 units.
   * @throws {Refusal | DOMException} the latter when aborted.
   */
  async explain(body, signal) {
    const response = await this.#post(body, "application/json", signal);
    return await read(() => response.json());
  }

  /**
   * Ask for the same as one self-contained HTML document.
   *
   * @returns {Promise<Blob>}
   * @throws {Refusal | DOMException}
   */
  async explainAsHtml(body, signal) {
    const response = await this.#post(body, "text/html", signal);
    return await read(() => response.blob());
  }

  async #post(body, accept, signal) {
    const headers = { Accept: accept, "Content-Type": "application/json" };
    if (this.key) headers.Authorization = `Bearer ${this.key}`;
    // JSON.stringify escapes lone surrogates, so that the text arrives as it is here.
    const content = JSON.stringify({ ...body, stringIndexType: "Utf16CodeUnit" });
    const response = await read(() =>
      fetch("v1/explain", { method: "POST", headers, body: content, signal, cache: "no-store" }),
    );
    if (!response.ok) throw await readRefusal(response);
    return response;
  }
}

async function read(ask) {
  try {
    return await ask();
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refusal({
      status: 0,
      title: "No answer from the service",
      detail: "The connection failed or was cut. Check that the service runs, then try again.",
      errors: [],
      requestId: "",
      retryAfterS: null,
    });
  }
}

async function readRefusal(response) {
  const problem = await response.json().catch(() => ({}));
  const wait = Number.parseInt(response.headers.get("Retry-After") ?? "", 10);
  return new Refusal({
    status: response.status,
    title: problem.title ?? "The service refused",
    detail: problem.detail ?? `It answered with HTTP status ${response.status} and no reason.`,
    errors: problem.errors ?? [],
    requestId: problem.requestId ?? response.headers.get("X-Request-Id") ?? "",
    retryAfterS: Number.isNaN(wait) ? null : wait,
  });
}
