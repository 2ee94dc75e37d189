/** Receives statistics as they change: by server-sent events, or by polling where there are none. */

/** @import { UncertaintyFigures } from "../types/wire.js" */

import { asked, LatestRequest, parsed, Repeated } from "./http.js";
import { ofModel } from "./models.js";

const POLL_MS = 4000;

/**
 * @typedef {object} Listeners
 * @property {(data: UncertaintyFigures) => void} figures
 * @property {(name: "live" | "polling" | "waiting" | "fixed") => void} state
 * @property {(error: unknown) => void} refused
 */

export class Stream {
  /** @type {EventSource | null} */
  #source = null;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  #requests = new LatestRequest();

  /**
   * @param {string} query which window or range, in which steps
   * @param {Listeners} on
   */
  constructor(query, on, isFixed = false) {
    this.query = query;
    this.on = on;
    this.isFixed = isFixed;
  }

  /** First the figures as they are, so that a refusal is told; then whatever changes. */
  async start() {
    const signal = this.#requests.begin();
    this.on.state("waiting");
    try {
      this.on.figures(await asked(ofModel(`uncertainty?${this.query}`), { signal }));
      if (this.isFixed) this.on.state("fixed");
      else this.#listen(signal);
    } catch (error) {
      if (!signal.aborted) this.on.refused(error);
    }
  }

  stop() {
    this.#requests.abort();
    this.#source?.close();
    clearTimeout(this.#timer);
  }

  /** @param {AbortSignal} signal aborted once the stream is stopped */
  #listen(signal) {
    const source = new EventSource(ofModel(`uncertainty/stream?${this.query}`));
    this.#source = source;
    source.onopen = () => this.on.state("live");
    source.onmessage = (event) => this.on.figures(parsed(event.data));
    source.onerror = () => {
      if (signal.aborted) return;
      this.on.state("waiting");
      if (source.readyState !== EventSource.CLOSED) return;
      this.#poll(new Repeated(ofModel(`uncertainty?${this.query}`)), signal);
    };
  }

  /**
   * @param {Repeated<UncertaintyFigures>} repeated
   * @param {AbortSignal} signal
   */
  async #poll(repeated, signal) {
    try {
      const data = await repeated.ask(signal);
      if (data !== null) this.on.figures(data);
      this.on.state("polling");
    } catch {
      if (signal.aborted) return;
      this.on.state("waiting");
    }
    this.#timer = setTimeout(() => this.#poll(repeated, signal), POLL_MS);
  }
}
