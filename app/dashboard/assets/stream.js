/** Figures as they change: by server-sent events, or by asking again where those do not come. */

import { asked, parsed, Repeated } from "./http.js";

const POLL_MS = 4000;

export class Stream {
  #source = null;
  #timer = null;
  #isOn = false;

  /**
   * @param {string} query which window or range, in which steps
   * @param {{figures: (data: object) => void, state: (name: "live"|"polling"|"waiting"|"fixed") => void,
   *   refused: (problem: Error) => void}} on
   */
  constructor(query, on, isFixed = false) {
    this.query = query;
    this.on = on;
    this.isFixed = isFixed;
  }

  /** First the figures as they are, so that a refusal is told; then whatever changes. */
  async start() {
    this.#isOn = true;
    this.on.state("waiting");
    try {
      const data = await asked(`uncertainty?${this.query}`);
      if (!this.#isOn) return;
      this.on.figures(data);
      if (this.isFixed) this.on.state("fixed");
      else this.#listen();
    } catch (problem) {
      if (this.#isOn) this.on.refused(problem);
    }
  }

  stop() {
    this.#isOn = false;
    this.#source?.close();
    clearTimeout(this.#timer);
  }

  #listen() {
    const source = new EventSource(`uncertainty/stream?${this.query}`);
    this.#source = source;
    source.onopen = () => this.on.state("live");
    source.onmessage = (event) => this.on.figures(parsed(event.data));
    source.onerror = () => {
      if (!this.#isOn) return;
      this.on.state("waiting");
      if (source.readyState === EventSource.CLOSED)
        this.#poll(new Repeated(`uncertainty?${this.query}`));
    };
  }

  async #poll(repeated) {
    if (!this.#isOn) return;
    try {
      const data = await repeated.ask();
      if (!this.#isOn) return;
      if (data !== null) this.on.figures(data);
      this.on.state("polling");
    } catch {
      this.on.state("waiting");
    }
    this.#timer = setTimeout(() => this.#poll(repeated), POLL_MS);
  }
}
