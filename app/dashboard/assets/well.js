/** "Is all well?": one line of parts, each of which is well, bad or not known yet, and leads to its chart. */

import { el } from "./elements.js";
import { asked } from "./http.js";
import { fixed, moment, number, percent, t } from "./words.js";

/** From these on a part is bad: shares of requests, seconds. */
const MOST_ERRORS = 0.01;
const MOST_REFUSED = 0.05;
const SLOW_SECONDS = 1;
const LOOK_MS = 4000;
/** Requests below which a quantile of their time says little. */
const FEW = 50;
const BADGES = { good: "good", bad: "bad", unknown: "plain" };

export class Well {
  #ready = null;
  #timer = null;
  /** Which round of looks goes on; those of earlier ones are over. */
  #run = 0;
  #data = null;

  constructor() {
    this.whole = el("section.card.well.unknown", { id: "well", "aria-live": "polite" });
  }

  /** Look at readiness now and then; it says within seconds whether a grade would be given. */
  start() {
    this.stop();
    this.#look(++this.#run);
  }

  stop() {
    this.#run += 1;
    clearTimeout(this.#timer);
  }

  take(data) {
    this.#data = data;
    this.show();
  }

  async #look(run) {
    const found = await readiness();
    if (run !== this.#run) return;
    this.#ready = found;
    this.show();
    this.#timer = setTimeout(() => this.#look(run), LOOK_MS);
  }

  show() {
    const parts = this.#parts();
    const state = overall(parts);
    const said = JSON.stringify([t("well.title"), parts]);
    if (this.whole.dataset.said === said) return;
    this.whole.dataset.said = said;
    this.whole.className = `card well ${state}`;
    this.whole.replaceChildren(
      el(
        "h3",
        {},
        `${t("well.title")} `,
        el(
          "span",
          { class: `badge ${BADGES[state]}`, id: "well-state", "data-state": state },
          t(`well.${state}`),
        ),
      ),
      el(
        "ul",
        {},
        parts.map((one) => el("li", {}, chip(one))),
      ),
    );
  }

  #parts() {
    const service = this.#data?.service ?? null;
    const grading = service?.grading ?? null;
    const alarms = this.#data?.alarms ?? [];
    const raised = alarms.filter((one) => one.raised && one.acknowledged === null).length;
    return [
      this.#readiness(),
      part("errors", "#chart-statuses", ...share(grading?.errors, grading?.requests, MOST_ERRORS)),
      part(
        "refused",
        "#chart-statuses",
        ...share(grading?.refused, grading?.requests, MOST_REFUSED),
      ),
      part("latency", "#chart-latency", ...latency(service?.latency, grading?.requests ?? 0)),
      part(
        "queue",
        "#chart-latency",
        ...known(
          service?.queue,
          (value) => number(value),
          () => true,
        ),
      ),
      this.#database(),
      part(
        "alarms",
        ".alarms",
        ...(this.#data === null
          ? ["unknown", "–"]
          : [
              raised ? "bad" : "good",
              raised ? t("well.raised", { count: number(raised) }) : t("well.none"),
            ]),
      ),
      part("record", "#chart-decisions", ...known(service?.last_record, moment, () => true)),
    ];
  }

  #readiness() {
    if (this.#ready === null) return part("ready", "#chart-latency", "unknown", "–");
    if (this.#ready.isReady) return part("ready", "#chart-latency", "good", t("well.yes"));
    return part(
      "ready",
      "#chart-latency",
      "bad",
      t(this.#ready.code === "gone" ? "well.gone" : "well.no"),
    );
  }

  /** The records are in trouble where they say so, or where their figures cannot be read. */
  #database() {
    const isSilent = this.failed === true || this.#ready?.isReadable === false;
    if (this.#data === null && !isSilent)
      return part("database", "#chart-decisions", "unknown", "–");
    const isBad = isSilent || this.#data?.service?.trouble != null;
    return part(
      "database",
      "#chart-decisions",
      isBad ? "bad" : "good",
      t(isBad ? "well.trouble" : "well.ok"),
    );
  }

  /** Whether the figures can be read just now. */
  fail(isFailing) {
    this.failed = isFailing;
    this.show();
  }
}

function part(name, anchor, state, text) {
  return { name, anchor, state, text };
}

/** Bad where one part is; well where a grade would be given and kept, whatever is not known yet. */
function overall(parts) {
  const of = Object.fromEntries(parts.map(({ name, state }) => [name, state]));
  if (Object.values(of).includes("bad")) return "bad";
  return of.ready === "good" && of.database === "good" ? "good" : "unknown";
}

/** A part, which leads to its chart. */
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

function share(count, whole, most) {
  if (!whole) return ["unknown", t("well.few")];
  return [count / whole > most ? "bad" : "good", percent(count / whole)];
}

function latency(quantiles, requests) {
  const [median, high] = [quantiles?.["0.5"] ?? null, quantiles?.["0.95"] ?? null];
  // Of few the slowest is the first, for which the service was still making itself ready.
  if (median === null || high === null || requests < FEW) return ["unknown", t("well.few")];
  return [high > SLOW_SECONDS ? "bad" : "good", `${milliseconds(median)} / ${milliseconds(high)}`];
}

export function milliseconds(seconds) {
  return `${fixed(1000 * seconds, seconds < 0.1 ? 1 : 0)} ms`;
}

function known(value, shown, isGood) {
  if (value === null || value === undefined) return ["unknown", t("well.few")];
  return [isGood(value) ? "good" : "bad", shown(value)];
}

/** Whether a grade would be given; where not, whether the records can be read. */
async function readiness() {
  const problem = await asked("health/ready").then(
    () => null,
    (found) => found,
  );
  if (problem === null) return { isReady: true };
  if (problem.status === 0) return { isReady: false, code: "gone" };
  const isReadable = await asked("reviews?limit=1").then(
    () => true,
    ({ code }) => code !== "unreadable",
  );
  return { isReady: false, code: problem.code, isReadable };
}
