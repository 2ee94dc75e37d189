/** The chart library: fetched once, and again where that failed. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { kept, plain } from "../../../../app/dashboard/assets/charts.js";

test("many charts wait for one fetch", async () => {
  let count = 0;
  const library = kept(async () => {
    count += 1;
    return "library";
  });
  assert.deepEqual(await Promise.all([library(), library()]), ["library", "library"]);
  await library();
  assert.equal(count, 1);
});

test("after a failed fetch the next chart fetches again", async () => {
  const answers = [Promise.reject(new Error("offline")), Promise.resolve("library")];
  const library = kept(() => /** @type {Promise<string>} */ (answers.shift()));
  await assert.rejects(Promise.all([library(), library()]), /offline/);
  assert.equal(await library(), "library");
});

test("names of grades never become markup", () => {
  assert.equal(plain("rock & <b>roll</b>"), "rock &amp; &lt;b>roll&lt;/b>");
});
