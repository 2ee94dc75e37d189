/**
 * Sends requests to the service that the page came from, and reads its answers.
 *
 * Paths are relative to the page, as a proxy may serve it under a path of its own.
 */

/** @import { FieldProblem } from "../types/wire.js" */

const NO_CHANGE = 304;

/**
 * @typedef {object} Options
 * @property {string} [method]
 * @property {unknown} [body] sent as JSON
 * @property {Record<string, string>} [headers]
 * @property {AbortSignal} [signal] ends the request once nobody wants its answer
 */

/** Why the service refused, by its codes. */
export class Problem extends Error {
  /**
   * @param {number} status 0 where there was no answer at all
   * @param {{detail?: string, code?: string, limit?: number | null, errors?: FieldProblem[]}} body
   */
  constructor(status, body) {
    super(body.detail ?? "");
    this.status = status;
    /** @type {string | undefined} absent where a proxy refused */
    this.code = body.code;
    /** @type {number | null | undefined} */
    this.limit = body.limit;
    /** @type {FieldProblem[]} */
    this.errors = body.errors ?? [];
  }
}

/**
 * What a request failed with, where it was a refusal; anything else is a fault of the page.
 * @param {unknown} error
 * @returns {Problem}
 */
export function problemOf(error) {
  if (error instanceof Problem) return error;
  throw error;
}

/** The requests of one part of a view: each aborts the one before it, whose answer nobody wants. */
export class LatestRequest {
  #controller = new AbortController();

  /** @returns {AbortSignal} for the new request; it is aborted once a newer one begins */
  begin() {
    this.#controller.abort();
    this.#controller = new AbortController();
    return this.#controller.signal;
  }

  abort() {
    this.#controller.abort();
  }
}

/**
 * An act that is not begun again before it has ended: a double press sends once.
 * @param {() => Promise<void>} act
 */
export function unrepeated(act) {
  let isRunning = false;
  return async () => {
    if (isRunning) return;
    isRunning = true;
    await act().finally(() => {
      isRunning = false;
    });
  };
}

/**
 * Figures travel in bodies, never in addresses.
 * @param {string} path
 * @param {Options} options
 * @returns {Promise<Response>} an answer that is no refusal
 */
async function send(path, { method = "GET", body, headers = {}, signal } = {}) {
  const isJson = body !== undefined;
  const sent = isJson ? { ...headers, "Content-Type": "application/json" } : headers;
  const text = isJson ? JSON.stringify(body) : undefined;
  let answer;
  try {
    answer = await fetch(path, { method, body: text, headers: sent, signal });
  } catch {
    signal?.throwIfAborted();
    throw new Problem(0, {});
  }
  if (answer.ok || answer.status === NO_CHANGE) return answer;
  throw new Problem(answer.status, await answer.json().catch(() => ({})));
}

/**
 * An answer in JSON.
 * @template T
 * @param {string} path
 * @param {Options} [options]
 * @returns {Promise<T>} rejects with a `Problem`, or as its signal says where that was aborted
 */
export async function asked(path, options = {}) {
  const answer = await send(path, options);
  const text = await answer.text();
  options.signal?.throwIfAborted();
  try {
    return parsed(text);
  } catch {
    // Not the service's: a proxy on the way says something of its own.
    throw new Problem(answer.status, {});
  }
}

/**
 * Data from JSON; its objects have no members but their own, whatever features and grades are called.
 * @param {string} text
 */
export function parsed(text) {
  return JSON.parse(text, (_, value) =>
    isObject(value) ? Object.setPrototypeOf(value, null) : value,
  );
}

/** @param {unknown} value */
function isObject(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/**
 * An answer in words, and the language it is in.
 * @param {string} path
 * @param {Options} [options]
 */
export async function read(path, options) {
  const answer = await send(path, options);
  return { text: await answer.text(), language: answer.headers.get("Content-Language") ?? "en" };
}

/**
 * A question that is asked again and again, until something has changed.
 * @template T
 */
export class Repeated {
  /** @type {string | null} */
  #tag = null;

  /** @param {string} path */
  constructor(path) {
    this.path = path;
  }

  /**
   * @param {AbortSignal} signal
   * @returns {Promise<T | null>} null where nothing changed since
   */
  async ask(signal) {
    /** @type {Record<string, string>} */
    const headers = this.#tag === null ? {} : { "If-None-Match": this.#tag };
    const answer = await send(this.path, { headers, signal });
    if (answer.status === NO_CHANGE) return null;
    this.#tag = answer.headers.get("ETag");
    return parsed(await answer.text());
  }
}
