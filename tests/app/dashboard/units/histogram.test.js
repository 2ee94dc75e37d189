/** Where a value stands among those of training, in words. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { standing } from "../../../../app/dashboard/assets/histogram.js";
import { settings } from "../../../../app/dashboard/assets/settings.js";
import { speakOf } from "../../../../app/dashboard/assets/words.js";

settings.set("language", "en");
speakOf({ name: "loans", version: 1, digest: "" });

/** @typedef {import("../../../../app/dashboard/types/wire.js").Feature} Feature */

/**
 * @param {"integer" | "float"} kind
 * @param {number[]} edges
 * @param {number[]} counts
 */
function feature(kind, edges, counts) {
  const [minimum, maximum] = [edges[0], edges[edges.length - 1]];
  const seen = { minimum, maximum, histogram_edges: edges, histogram_counts: counts };
  return /** @type {Feature} */ (/** @type {unknown} */ ({ kind, seen }));
}

const AMOUNT = feature("float", [0, 10, 20, 30], [10, 80, 10]);
const COUNT = feature("integer", [0, 1, 2, 3], [86, 10, 4]);

test("a value among many others is close to them", () => {
  assert.equal(standing(AMOUNT, 15), "close to 80% of training loans");
});

test("a whole number that many have is the same as theirs", () => {
  assert.equal(standing(COUNT, 0), "same as 86% of training loans");
});

test("a value among few is told by how many are smaller", () => {
  assert.equal(standing(AMOUNT, 25), "above 95% of training loans");
});

test("outside the training range and missing are told so", () => {
  assert.equal(standing(AMOUNT, 31), "outside the training range");
  assert.equal(standing(AMOUNT, null), "missing");
});
