/** The status line "Is all well?": each part is well, bad or unknown, and links to its chart. */

/** @import { Problem } from "./http.js" */
/** @import { Alarm, UncertaintyFigures } from "../types/wire.js" */

import { el } from "./elements.js";
import { asked, LatestRequest, problemOf } from "./http.js";
import { fixed, moment, number, percent, t } from "./words.js";

/** From these on a part is bad: shares of requests, seconds. */
const MOST_ERRORS = 0.01;
const MOST_REFUSED = 0.05;
const SLOW_SECONDS = 1;
const LOOK_MS = 4000;
/** Requests below which a quantile of their time says little. */
const FEW = 50;
const BADGES = { good: "good", bad: "bad", unknown: "plain" };

/** @typedef {"good" | "bad" | "unknown"} State */
/** @typedef {{name: string, anchor: string, state: State, text: string}} Part `anchor` is where it leads */
/**
 * @typedef {object} Readiness
 * @property {boolean} isReady
 * @property {boolean} [isGone] nothing answers at all
 * @property {boolean} [isReadable] whether the records can be read, where no grade would be given
 */

export class Well {
  /** @type {Readiness | null} */
  #ready = null;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  #requests = new LatestRequest();
  /** @type {UncertaintyFigures | null} */
  #data = null;
  #isFailing = false;

  constructor() {
    this.whole = el("section.card.well.unknown", { id: "well", "aria-live": "polite" });
  }

  /** Look at readiness now and then; it says within seconds whether a grade would be given. */
  start() {
    this.stop();
    this.#look(this.#requests.begin());
  }

  stop() {
    this.#requests.abort();
    clearTimeout(this.#timer);
  }

  /** @param {UncertaintyFigures} data */
  take(data) {
    this.#data = data;
    this.show();
  }

  /**
   * Say whether the figures can be read just now.
   * @param {boolean} isFailing
   */
  fail(isFailing) {
    this.#isFailing = isFailing;
    this.show();
  }

  /** @param {AbortSignal} signal */
  async #look(signal) {
    const found = await readiness(signal);
    if (signal.aborted) return;
    this.#ready = found;
    this.show();
    this.#timer = setTimeout(() => this.#look(signal), LOOK_MS);
  }

  show() {
    const parts = this.#parts();
    const state = overall(parts);
    const said = JSON.stringify([t("well.title"), parts]);
    if (this.whole.dataset.said === said) return;
    this.whole.dataset.said = said;
    this.whole.className = `card well ${state}`;
    this.whole.replaceChildren(
      el("h3", {}, `${t("well.title")} `, badge(state)),
      el(
        "ul",
        {},
        parts.map((one) => el("li", {}, chip(one))),
      ),
    );
  }

  #parts() {
    const service = this.#data?.service;
    const grading = service?.grading;
    const requests = grading?.requests ?? 0;
    return [
      this.#readiness(),
      part("errors", "#chart-statuses", ...share(grading?.errors, requests, MOST_ERRORS)),
      part("refused", "#chart-statuses", ...share(grading?.refused, requests, MOST_REFUSED)),
      part("latency", "#chart-latency", ...slowness(service?.latency, requests)),
      part("queue", "#chart-latency", ...known(service?.queue, number)),
      this.#database(),
      part("alarms", ".alarms", ...raised(this.#data?.alarms)),
      part("record", "#chart-decisions", ...known(service?.last_record, moment)),
    ];
  }

  #readiness() {
    const anchor = "#chart-latency";
    if (this.#ready === null) return part("ready", anchor, "unknown", "–");
    const { isReady, isGone } = this.#ready;
    if (isReady) return part("ready", anchor, "good", t("well.yes"));
    return part("ready", anchor, "bad", t(isGone ? "well.gone" : "well.no"));
  }

  /** The records are in trouble where they say so, or where their figures cannot be read. */
  #database() {
    const anchor = "#chart-decisions";
    const isSilent = this.#isFailing || this.#ready?.isReadable === false;
    if (this.#data === null && !isSilent) return part("database", anchor, "unknown", "–");
    const isBad = isSilent || this.#data?.service.trouble != null;
    return isBad
      ? part("database", anchor, "bad", t("well.trouble"))
      : part("database", anchor, "good", t("well.ok"));
  }
}

/** @param {State} state */
function badge(state) {
  const attributes = { class: `badge ${BADGES[state]}`, id: "well-state", "data-state": state };
  return el("span", attributes, t(`well.${state}`));
}

/**
 * @param {string} name
 * @param {string} anchor
 * @param {State} state
 * @param {string} text
 * @returns {Part}
 */
function part(name, anchor, state, text) {
  return { name, anchor, state, text };
}

/**
 * Bad where one part is; well where a grade would be given and kept, whatever is not known yet.
 * @param {Part[]} parts
 * @returns {State}
 */
function overall(parts) {
  if (parts.some(({ state }) => state === "bad")) return "bad";
  const needed = parts.filter(({ name }) => name === "ready" || name === "database");
  return needed.every(({ state }) => state === "good") ? "good" : "unknown";
}

/**
 * A part, which leads to its chart.
 * @param {Part} part
 */
function chip({ name, anchor, state, text }) {
  const lead = () => document.querySelector(anchor)?.scrollIntoView({ block: "center" });
  return el(
    "button",
    { type: "button", "data-part": name, "data-state": state, onclick: lead },
    t(`well.part.${name}`),
    " ",
    el("strong", {}, text),
  );
}

/**
 * @param {number | undefined} count
 * @param {number} whole
 * @param {number} most
 * @returns {[State, string]}
 */
function share(count, whole, most) {
  if (count === undefined || whole === 0) return ["unknown", t("well.few")];
  return [count / whole > most ? "bad" : "good", percent(count / whole)];
}

/**
 * @param {Record<string, number | null> | undefined} quantiles
 * @param {number} requests
 * @returns {[State, string]}
 */
function slowness(quantiles, requests) {
  const [median, high] = [quantiles?.["0.5"] ?? null, quantiles?.["0.95"] ?? null];
  // Of few the slowest is the first, for which the service was still making itself ready.
  if (median === null || high === null || requests < FEW) return ["unknown", t("well.few")];
  return [high > SLOW_SECONDS ? "bad" : "good", `${milliseconds(median)} / ${milliseconds(high)}`];
}

/** @param {number} seconds */
function milliseconds(seconds) {
  return `${fixed(1000 * seconds, seconds < 0.1 ? 1 : 0)} ms`;
}

/**
 * @param {Alarm[] | undefined} alarms
 * @returns {[State, string]}
 */
function raised(alarms) {
  if (alarms === undefined) return ["unknown", "–"];
  const count = alarms.filter((one) => one.raised && one.acknowledged === null).length;
  return count ? ["bad", t("well.raised", { count: number(count) })] : ["good", t("well.none")];
}

/**
 * What is good once it is known.
 * @template T
 * @param {T | null | undefined} value
 * @param {(value: T) => string} shown
 * @returns {[State, string]}
 */
function known(value, shown) {
  return value === null || value === undefined
    ? ["unknown", t("well.few")]
    : ["good", shown(value)];
}

/**
 * Whether a grade would be given; where not, whether the records can be read.
 * @param {AbortSignal} signal
 * @returns {Promise<Readiness>}
 */
async function readiness(signal) {
  const problem = await refusal("health/ready", signal);
  if (problem === null) return { isReady: true };
  if (problem.status === 0) return { isReady: false, isGone: true };
  const records = await refusal("reviews?limit=1", signal);
  return { isReady: false, isReadable: records?.code !== "unreadable" };
}

/**
 * @param {string} path
 * @param {AbortSignal} signal
 * @returns {Promise<Problem | null>} null where it was answered, or nobody waits any more
 */
function refusal(path, signal) {
  return asked(path, { signal }).then(
    () => null,
    (error) => (signal.aborted ? null : problemOf(error)),
  );
}
