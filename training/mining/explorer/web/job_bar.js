/** The bar at the top: what the server works on, how far it is, and a way to stop it. */

export class JobBar {
  #server = null;
  #box = document.getElementById("job");
  #bar = document.getElementById("job-bar");
  #number = null;

  constructor() {
    document.getElementById("job-cancel").addEventListener("click", () => this.#cancel());
  }

  /** Start a job of a server and show it until it ends. @returns {Promise<any>} null if cancelled. */
  async follow(server, path, body) {
    try {
      return await server.follow(path, body, (job) => this.#show(server, job));
    } finally {
      this.#box.hidden = true;
    }
  }

  #show(server, { number, title, state, done, total, seconds }) {
    const isOther = this.#server !== server || this.#number !== number;
    if (state === "waiting" && !this.#box.hidden && isOther) return; // its turn comes
    this.#server = server;
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
    if (this.#number !== null) await this.#server.send("DELETE", `jobs/${this.#number}`, {});
  }
}
