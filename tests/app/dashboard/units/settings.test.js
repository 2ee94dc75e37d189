/** What was chosen: kept by the browser where it keeps anything, and told to every view. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { Settings } from "../../../../app/dashboard/assets/settings.js";

/** A browser's storage, with what it holds. */
function storage(held = {}) {
  const values = new Map(Object.entries(held));
  return /** @type {Storage} */ (
    /** @type {unknown} */ ({
      getItem: (/** @type {string} */ key) => values.get(key) ?? null,
      setItem: (/** @type {string} */ key, /** @type {string} */ value) => values.set(key, value),
    })
  );
}

/** @returns {Storage} */
function forbidden() {
  throw new Error("no storage here");
}

test("what was chosen before is there again", () => {
  const held = storage({ "dubito.language": "ko", other: "x" });
  const settings = new Settings(() => held);
  assert.equal(settings.get("language"), "ko");
  assert.equal(settings.get("theme"), null);
});

test("every listener is told of a change, until it leaves", () => {
  const settings = new Settings(() => storage());
  /** @type {string[]} */
  const told = [];
  const leave = settings.subscribe((name) => told.push(`first ${name} ${settings.get(name)}`));
  settings.subscribe((name) => told.push(`second ${name}`));
  settings.set("reviewer", "Kim");
  leave();
  settings.set("reviewer", "Lee");
  assert.deepEqual(told, ["first reviewer Kim", "second reviewer", "second reviewer"]);
});

test("what stays the same is no change", () => {
  const settings = new Settings(() => storage({ "dubito.theme": "dark" }));
  settings.subscribe(() => assert.fail("nothing changed"));
  settings.set("theme", "dark");
  assert.equal(settings.get("theme"), "dark");
});

test("a browser that keeps nothing has the choice until the page is closed", () => {
  const settings = new Settings(forbidden);
  settings.set("theme", "dark");
  assert.equal(settings.get("theme"), "dark");
});

test("what is graded is the bundle's, and not kept", () => {
  const held = storage();
  new Settings(() => held).set("subject", "loan");
  assert.equal(new Settings(() => held).get("subject"), null);
});
