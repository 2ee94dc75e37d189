/** Requests: refusals by their codes, what is overtaken, and what is sent once. */

import assert from "node:assert/strict";
import { afterEach, test } from "node:test";

import {
  asked,
  LatestRequest,
  Problem,
  parsed,
  problemOf,
  Repeated,
  unrepeated,
} from "../../../../app/dashboard/assets/http.js";

const { fetch } = globalThis;

afterEach(() => {
  globalThis.fetch = fetch;
});

/** @param {(path: string, init: RequestInit) => Promise<Response>} answer */
function answered(answer) {
  globalThis.fetch = /** @type {typeof fetch} */ (/** @type {unknown} */ (answer));
}

/** @param {string} code */
function isProblem(code, status = 409) {
  return (/** @type {unknown} */ error) =>
    error instanceof Problem && error.code === code && error.status === status;
}

test("a refusal has its code, its status and its bound", async () => {
  const body = { code: "body_too_large", limit: 1048576, detail: "in English" };
  answered(async () => Response.json(body, { status: 413 }));
  await assert.rejects(asked("predict"), isProblem("body_too_large", 413));
});

test("no answer at all is a problem of its own", async () => {
  answered(async () => {
    throw new TypeError("Failed to fetch");
  });
  await assert.rejects(asked("predict"), (error) => problemOf(error).status === 0);
});

test("a page of a proxy in place of an answer is a problem, not a fault of the page", async () => {
  answered(async () => new Response("<html>log in</html>"));
  await assert.rejects(asked("model"), (error) => problemOf(error).status === 200);
});

test("what is no refusal is not taken for one", () => {
  const fault = new TypeError("undefined is not a function");
  assert.throws(() => problemOf(fault), fault);
});

test("a newer request aborts the one before it, which is no problem of the service", async () => {
  answered(
    (_, { signal }) =>
      new Promise((_, failed) => {
        signal?.addEventListener("abort", () => failed(signal.reason));
      }),
  );
  const latest = new LatestRequest();
  const first = asked("reviews", { signal: latest.begin() });
  latest.begin();
  await assert.rejects(first, { name: "AbortError" });
});

test("an answer that has come is not taken once it is overtaken", async () => {
  const latest = new LatestRequest();
  const late = { ok: true, status: 200, text: async () => `${latest.begin() && "{}"}` };
  answered(async () => /** @type {Response} */ (/** @type {unknown} */ (late)));
  await assert.rejects(asked("reviews", { signal: latest.begin() }), { name: "AbortError" });
});

test("the requests of two parts of a view do not abort each other", () => {
  const [first, second] = [new LatestRequest(), new LatestRequest()];
  const signal = first.begin();
  second.begin();
  assert.equal(signal.aborted, false);
});

test("a double press acts once, and once more after it has ended", async () => {
  let count = 0;
  const act = unrepeated(async () => {
    count += 1;
  });
  await Promise.all([act(), act()]);
  assert.equal(count, 1);
  await act();
  assert.equal(count, 2);
});

test("an act that failed can be repeated", async () => {
  let count = 0;
  const act = unrepeated(async () => {
    count += 1;
    throw new Error("busy");
  });
  await assert.rejects(act());
  await assert.rejects(act());
  assert.equal(count, 2);
});

test("a repeated question names the tag of what came, and is null where nothing changed", async () => {
  /** @type {(string | undefined)[]} */
  const tags = [];
  answered(async (_, { headers }) => {
    const tag = /** @type {Record<string, string>} */ (headers)["If-None-Match"];
    tags.push(tag);
    return tag === '"one"'
      ? new Response(null, { status: 304 })
      : new Response("{}", { headers: { ETag: '"one"' } });
  });
  const repeated = new Repeated("uncertainty");
  const { signal } = new AbortController();
  assert.notEqual(await repeated.ask(signal), null);
  assert.equal(await repeated.ask(signal), null);
  assert.deepEqual(tags, [undefined, '"one"']);
});

test("a grade may be called like a property of objects", () => {
  const grades = parsed('{"__proto__": 1, "A": {"b": 2}}');
  assert.deepEqual(Object.keys(grades), ["__proto__", "A"]);
  assert.equal("constructor" in grades.A, false);
});
