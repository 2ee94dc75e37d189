/**
 * Requests to the service this page came from, and to no other. Their paths are relative to the
 * page, as a proxy may serve it under a path of its own.
 */

const NO_CHANGE = 304;

/** What the service refused, and why by its codes. */
export class Problem extends Error {
  /** @param {number} status 0 where there was no answer at all */
  constructor(status, body) {
    super(body.detail ?? "");
    this.status = status;
    /** @type {string | undefined} absent where a proxy refused */
    this.code = body.code;
    /** @type {number | null | undefined} */
    this.limit = body.limit;
    /** @type {{field: string, pointer: string, code: string, minimum: number | null, maximum: number | null}[]} */
    this.errors = body.errors ?? [];
  }
}

/**
 * Ask; figures travel in bodies, never in addresses.
 * @param {string} path
 * @param {{method?: string, body?: any, headers?: Object<string, string>}} options
 * @returns {Promise<Response>} an answer that is no refusal
 */
async function ask(path, { method = "GET", body, headers = {} } = {}) {
  const sent = body === undefined ? headers : { ...headers, "Content-Type": "application/json" };
  const text = body === undefined ? undefined : JSON.stringify(body);
  let answer;
  try {
    answer = await fetch(path, { method, body: text, headers: sent });
  } catch {
    throw new Problem(0, {});
  }
  if (answer.ok || answer.status === NO_CHANGE) return answer;
  throw new Problem(answer.status, await answer.json().catch(() => ({})));
}

/** An answer in JSON. */
export async function asked(path, options) {
  return parsed(await (await ask(path, options)).text());
}

/** Data from JSON; its objects have no members but their own, whatever features and grades are called. */
export function parsed(text) {
  return JSON.parse(text, (_, value) =>
    isObject(value) ? Object.setPrototypeOf(value, null) : value,
  );
}

function isObject(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** An answer in words, and the language it is in. */
export async function read(path) {
  const answer = await ask(path);
  return { text: await answer.text(), language: answer.headers.get("Content-Language") ?? "en" };
}

/** A question that is asked again and again: null where nothing changed since. */
export class Repeated {
  #tag = null;

  constructor(path) {
    this.path = path;
  }

  async ask() {
    const headers = this.#tag === null ? {} : { "If-None-Match": this.#tag };
    const answer = await ask(this.path, { headers });
    if (answer.status === NO_CHANGE) return null;
    this.#tag = answer.headers.get("ETag");
    return parsed(await answer.text());
  }
}
