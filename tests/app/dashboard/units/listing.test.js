/** The list of cases: the newest question wins, and what is shown answers one question alone. */

import assert from "node:assert/strict";
import { test } from "node:test";

/** @import { asked } from "../../../../app/dashboard/assets/http.js" */

import { Listing } from "../../../../app/dashboard/assets/listing.js";

/**
 * A question that the test answers, when it likes; then the list has taken the answer.
 * @typedef {object} Question
 * @property {string} path
 * @property {AbortSignal} [signal]
 * @property {(body: object) => Promise<void>} answer
 * @property {(error: Error) => Promise<void>} fail
 */

/** A list, its questions, and the refusals that it told. */
function listing() {
  /** @type {Question[]} */
  const questions = [];
  /** @type {unknown[]} */
  const refused = [];
  /** @type {typeof asked} */
  const ask = (path, { signal } = {}) =>
    new Promise((done, failed) => {
      questions.push({
        path,
        signal,
        answer: (body) => taken(() => done(/** @type {any} */ (body))),
        fail: (error) => taken(() => failed(error)),
      });
    });
  const list = new Listing({ loaded() {}, refused: (error) => refused.push(error) }, ask);
  return { list, questions, refused };
}

/** @param {() => void} settle */
async function taken(settle) {
  settle();
  await new Promise((next) => setImmediate(next));
}

/**
 * @param {string[]} ids
 * @param {string | null} next
 */
function page(ids, next = null) {
  return { reviews: ids.map((id) => ({ id })), next, waiting: 9, found: ids.length };
}

/** @param {Listing} list */
function ids(list) {
  return list.shown.cases.map(({ id }) => id);
}

test("the answer for the order that was chosen last is shown, whichever comes last", async () => {
  const { list, questions } = listing();
  list.sort("doubtful");
  list.sort("reference");
  const [doubtful, reference] = questions;
  await reference.answer(page(["by reference"]));
  await doubtful.answer(page(["by doubt"]));
  assert.deepEqual(ids(list), ["by reference"]);
  assert.equal(list.shown.query.order, "reference");
});

test("a question that is overtaken is aborted", () => {
  const { list, questions } = listing();
  list.sort("doubtful");
  list.sort("reference");
  assert.deepEqual(
    questions.map(({ signal }) => signal?.aborted),
    [true, false],
  );
});

test("a refusal of what is overtaken is not told", async () => {
  const { list, questions, refused } = listing();
  list.sort("doubtful");
  list.sort("reference");
  await questions[0].fail(new Error("aborted"));
  assert.deepEqual(refused, []);
  await questions[1].fail(new Error("refused"));
  assert.equal(refused.length, 1);
});

test("a double press on more asks and appends once", async () => {
  const { list, questions } = listing();
  list.load();
  await questions[0].answer(page(["a"], "after a"));
  list.more();
  list.more();
  assert.equal(questions.length, 2);
  await questions[1].answer(page(["b"]));
  assert.deepEqual(ids(list), ["a", "b"]);
});

test("more is not asked for while another order is, which would mix them", async () => {
  const { list, questions } = listing();
  list.load();
  await questions[0].answer(page(["a"], "after a"));
  list.sort("doubtful");
  list.more();
  assert.equal(questions.length, 2);
  await questions[1].answer(page(["z"]));
  assert.deepEqual(ids(list), ["z"]);
});

test("more can be asked for again after it was refused", async () => {
  const { list, questions, refused } = listing();
  list.load();
  await questions[0].answer(page(["a"], "after a"));
  list.more();
  await questions[1].fail(new Error("busy"));
  assert.equal(refused.length, 1);
  list.more();
  await questions[2].answer(page(["b"]));
  assert.deepEqual(ids(list), ["a", "b"]);
});

test("what is shown keeps its own state until the other's cases are there", async () => {
  const { list, questions } = listing();
  list.load();
  await questions[0].answer(page(["a"]));
  list.turn("decided");
  assert.equal(list.query.state, "decided");
  assert.equal(list.shown.query.state, "waiting");
  await questions[1].fail(new Error("busy"));
  assert.deepEqual([list.shown.query.state, ids(list)], ["waiting", ["a"]]);
});

test("an export keeps the question it began with", async () => {
  const { list, questions } = listing();
  list.load();
  await questions[0].answer(page(["a"]));
  const all = list.everything();
  list.sort("doubtful");
  await questions[1].answer(page(["a"], "after a"));
  await questions[2].answer(page(["z"]));
  await questions[3].answer(page(["b"]));
  assert.deepEqual((await all).cases, [{ id: "a" }, { id: "b" }]);
  const orders = questions.map(({ path }) => new URLSearchParams(path.split("?")[1]).get("order"));
  assert.deepEqual(orders, ["oldest", "oldest", "doubtful", "oldest"]);
});

test("an address names a state and what narrows it; other names are left out", () => {
  const { list, questions } = listing();
  list.take("state=decided&grade=C&since=&colour=red");
  assert.equal(questions[0].path, "reviews?limit=50&grade=C&state=decided&order=newest");
  list.take("state=none&action=refer");
  assert.equal(questions[1].path, "predictions?limit=50&action=refer");
});

test("a filter of one state alone is dropped in the others", () => {
  const { list, questions } = listing();
  list.filter("assignee", "Kim");
  list.filter("grade", "B");
  list.turn("decided");
  assert.equal(questions[2].path, "reviews?limit=50&grade=B&state=decided&order=newest");
  list.filter("grade", "");
  assert.equal(questions[3].path, "reviews?limit=50&state=decided&order=newest");
});
