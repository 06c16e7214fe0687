/** The bar at the top: what the server works on, how far it is, and a way to stop it. */

export class JobBar {
  #server;
  #box = document.getElementById("job");
  #bar = document.getElementById("job-bar");
  #number = null;

  constructor(server) {
    this.#server = server;
    document.getElementById("job-cancel").addEventListener("click", () => this.#cancel());
  }

  /** Start a job and show it until it ends. @returns {Promise<any>} its result; null if cancelled. */
  async follow(path, body) {
    try {
      return await this.#server.follow(path, body, (job) => this.#show(job));
    } finally {
      this.#box.hidden = true;
    }
  }

  #show({ number, title, state, done, total, seconds }) {
    if (state === "waiting" && !this.#box.hidden && this.#number !== number) return; // its turn comes
    this.#number = number;
    this.#box.hidden = false;
    document.getElementById("job-title").textContent = title;
    if (total) {
      this.#bar.max = total;
      this.#bar.value = done;
    } else this.#bar.removeAttribute("value");
    const left = done ? ` · ${Math.ceil((seconds / done) * (total - done))} s left` : "";
    document.getElementById("job-count").textContent =
      state === "waiting" ? "waits for another" : `${done} of ${total}${left}`;
  }

  async #cancel() {
    if (this.#number !== null) await this.#server.send("DELETE", `api/jobs/${this.#number}`, {});
  }
}
