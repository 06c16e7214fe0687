/** The explorer's server: one question, one answer, or a refusal that a person can read. */

const POLL_MS = 300;

/** Why there is no answer. */
export class Refusal extends Error {
  /**
   * @param {string} detail
   * @param {number | null} position - of the mistake in a predicate.
   */
  constructor(detail, position = null) {
    super(detail);
    this.position = position;
  }
}

export class Server {
  #base;

  /** @param {string} base - what its paths begin with, such as "api/teacher/". */
  constructor(base) {
    this.#base = base;
  }

  /** @returns {Promise<any>} JSON. @throws {Refusal | DOMException} the latter when aborted. */
  async get(path, signal) {
    return (await this.#ask(path, { signal })).json();
  }

  /** @returns {Promise<Uint8Array>} */
  async bytes(path, signal) {
    return new Uint8Array(await (await this.#ask(path, { signal })).arrayBuffer());
  }

  /** @returns {Promise<any>} JSON. */
  async send(method, path, body, signal) {
    const headers = { "Content-Type": "application/json" };
    return (await this.#ask(path, { method, headers, body: JSON.stringify(body), signal })).json();
  }

  /**
   * Start a job and follow it to its end.
   *
   * @param {(job: object) => void} onProgress - called at each look.
   * @returns {Promise<any>} the job's result; null when it was cancelled.
   * @throws {Refusal} it failed.
   */
  async follow(path, body, onProgress) {
    let job = await this.send("POST", path, body);
    onProgress(job);
    while (job.state === "waiting" || job.state === "running") {
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
      job = await this.get(`jobs/${job.number}`);
      onProgress(job);
    }
    if (job.state === "failed") throw new Refusal(job.error);
    return job.result;
  }

  async #ask(path, options) {
    let response;
    try {
      response = await fetch(this.#base + path, { cache: "no-store", ...options });
    } catch (error) {
      if (error.name === "AbortError") throw error;
      throw new Refusal("No answer. Is `patsum explore` still running in its terminal?");
    }
    if (response.ok) return response;
    const problem = await response.json().catch(() => ({}));
    throw new Refusal(problem.detail ?? `HTTP status ${response.status}`, problem.position ?? null);
  }
}
