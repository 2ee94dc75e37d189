/** Loads pages of recorded predictions; a newer query overtakes an older one. */

/** @import { ListedNumber, ReferredNumber } from "../types/number.js" */
/** @import { ListedPrediction, PredictionList, ReferredPrediction, ReviewQueue } from "../types/wire.js" */

import { asked, LatestRequest } from "./http.js";
import { chosenModel } from "./models.js";

export const STATES = /** @type {const} */ (["waiting", "decided", "all"]);
/** What a list may be narrowed by; an address may name them too. */
const FILTERS = ["reference", "reason", "grade", "version", "assignee", "action", "since", "until"];
/** @type {Record<string, State>} filters of one state alone: the others have nothing to narrow */
const OWN = { assignee: "waiting", action: "all" };
const LIMIT = 50;
/** Rows that an export has at most, and that are asked for at once. */
const [MOST_ROWS, MANY] = [5000, 500];

/** @typedef {typeof STATES[number]} State */
/** @typedef {"oldest" | "newest" | "doubtful" | "reference"} Order */
/** @typedef {{state: State, order: Order, filters: Readonly<Record<string, string>>}} Query */
/** @typedef {ListedPrediction | ReferredPrediction} Predicted */
/** @typedef {Pick<Predicted, "id" | "time" | "reference" | "reasons">} Common */
/** @typedef {Omit<ReferredPrediction, "verdict"> & {verdict: string | number | null}} Referred */
/** @typedef {Common & Partial<ListedPrediction & Referred & ListedNumber & Omit<ReferredNumber, "verdict">>} Case */

/**
 * A part of a list; `found` and `waiting` are counts, where they are known.
 * @typedef {{cases: Case[], next: string | null, found: number | null, waiting: number | null}} Part
 */

/** @type {Part & {waiting: number}} */
const NOTHING = { cases: [], next: null, found: null, waiting: 0 };

/** @type {Record<State, Order>} */
const FIRST = { waiting: "oldest", decided: "newest", all: "newest" };

export class Listing {
  /** @type {Readonly<Query>} what is asked for */
  query = query("waiting", {});
  /** @type {Readonly<Part & {query: Query, waiting: number}>} what came, and the question it answers */
  shown = { ...NOTHING, query: this.query };
  #ask;
  #requests = new LatestRequest();
  #isAsking = false;

  /**
   * @param {{loaded: () => void, refused: (error: unknown) => void}} on
   * @param {typeof asked} ask
   */
  constructor(on, ask = asked) {
    this.on = on;
    this.#ask = ask;
  }

  /**
   * Ask for what an address names, as a chart's bar does.
   * @param {string} address
   */
  take(address) {
    const named = new URLSearchParams(address);
    const state = STATES.find((name) => name === named.get("state")) ?? "all";
    const known = FILTERS.filter((name) => named.get(name));
    this.query = query(
      state,
      Object.fromEntries(known.map((name) => [name, named.get(name) ?? ""])),
    );
    return this.load();
  }

  /** @param {State} state */
  turn(state) {
    const kept = Object.entries(this.query.filters).filter(
      ([name]) => (OWN[name] ?? state) === state,
    );
    this.query = query(state, Object.fromEntries(kept));
    return this.load();
  }

  /**
   * @param {string} name
   * @param {string} value empty: whatever it is
   */
  filter(name, value) {
    const { [name]: _, ...filters } = this.query.filters;
    this.query = { ...this.query, filters: value ? { ...filters, [name]: value } : filters };
    return this.load();
  }

  /** @param {Order} order */
  sort(order) {
    this.query = { ...this.query, order };
    return this.load();
  }

  /** From its start; what was asked before is not waited for any more. */
  load() {
    return this.#come(this.query, null);
  }

  /** What follows what is shown; not while the list is being asked for, or is asked for anew. */
  async more() {
    const { query, next } = this.shown;
    if (!this.#isAsking && next !== null) await this.#come(query, next);
  }

  /** All that the shown list goes on to, as far as an export does. */
  async everything() {
    const { query } = this.shown;
    let part = await this.#part(query, MANY, null);
    const cases = [...part.cases];
    while (part.next !== null && cases.length < MOST_ROWS) {
      part = await this.#part(query, MANY, part.next);
      cases.push(...part.cases);
    }
    return { state: query.state, cases };
  }

  /**
   * @param {Query} query
   * @param {string | null} after
   */
  async #come(query, after) {
    const signal = this.#requests.begin();
    this.#isAsking = true;
    try {
      const part = await this.#part(query, LIMIT, after, signal);
      if (signal.aborted) return;
      this.#isAsking = false;
      this.shown = after === null ? this.#anew(query, part) : this.#longer(part);
      this.on.loaded();
    } catch (error) {
      if (signal.aborted) return;
      this.#isAsking = false;
      this.on.refused(error);
    }
  }

  /**
   * @param {Query} query
   * @param {Part} part
   */
  #anew(query, part) {
    return { ...part, query, waiting: part.waiting ?? this.shown.waiting };
  }

  /** @param {Part} part */
  #longer({ cases, next, waiting }) {
    const { shown } = this;
    return {
      ...shown,
      cases: [...shown.cases, ...cases],
      next,
      waiting: waiting ?? shown.waiting,
    };
  }

  /**
   * @param {Query} query
   * @param {number} limit
   * @param {string | null} after
   * @param {AbortSignal} [signal]
   * @returns {Promise<Part>}
   */
  async #part(query, limit, after, signal) {
    const path = address(query, limit, after);
    if (query.state === "all") {
      /** @type {PredictionList} */
      const { predictions, next } = await this.#ask(path, { signal });
      return { cases: predictions, next, found: null, waiting: null };
    }
    /** @type {ReviewQueue} */
    const { reviews, ...counts } = await this.#ask(path, { signal });
    return { cases: reviews, ...counts };
  }
}

/**
 * @param {State} state
 * @param {Record<string, string>} filters
 * @returns {Query}
 */
function query(state, filters) {
  return { state, order: FIRST[state], filters };
}

/**
 * Where a part of a list is had.
 * @param {Query} query
 * @param {number} limit
 * @param {string | null} after
 */
function address({ state, order, filters }, limit, after) {
  const named = new URLSearchParams({ limit: String(limit), ...filters });
  const model = chosenModel();
  if (model !== null) named.set("model", model);
  if (after !== null) named.set("after", after);
  if (state === "all") return `predictions?${named}`;
  named.delete("action");
  named.set("state", state);
  named.set("order", order);
  return `reviews?${named}`;
}
