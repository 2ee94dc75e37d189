/** What is typed into the form: what is wrong with entries before they are sent, and what is sent. */

import assert from "node:assert/strict";
import { test } from "node:test";

import {
  entryFaults,
  isOnlyMissing,
  question,
  toldFaults,
} from "../../../../app/dashboard/assets/entries.js";
import { settings } from "../../../../app/dashboard/assets/settings.js";

settings.set("language", "en");

/** @typedef {import("../../../../app/dashboard/types/wire.js").ModelDescription} ModelDescription */

/** @param {string} name */
function feature(name, own = {}) {
  return { name, kind: "float", minimum: 0, maximum: 1000, nullable: false, ...own };
}

const MODEL = /** @type {ModelDescription} */ (
  /** @type {unknown} */ ({
    classes: ["A", "B", "C", "D"],
    members: 1,
    limits: { passes: 10000 },
    features: [
      feature("amount"),
      feature("ratio", { nullable: true }),
      feature("__proto__", { kind: "integer" }),
      feature("seed/of ~ all"),
    ],
  })
);

/** Entries by field, all right but for those that are given. */
function entries(own = {}) {
  const right = { "feature-0": "5", "feature-2": "3", "feature-3": "1", "option-passes": "100" };
  return new Map(Object.entries({ ...right, ...own }));
}

/** @param {object} own */
function faults(own) {
  return entryFaults(MODEL, entries(own));
}

test("right entries have no fault; what may be empty is left out", () => {
  assert.deepEqual(faults({}), []);
});

const WRONG = [
  [{ "feature-0": " " }, "feature-0", "Required"],
  [{ "feature-0": "1,5" }, "feature-0", "Must be a number, such as 1,234.5"],
  [{ "feature-0": "-1" }, "feature-0", "Must be 0 or more"],
  [{ "feature-0": "1001" }, "feature-0", "Must be 1,000 or less"],
  [{ "feature-2": "0.5" }, "feature-2", "Must be a whole number"],
  [{ "option-passes": "10001" }, "option-passes", "Must be 10,000 or less"],
  [{ "option-seed": "-1" }, "option-seed", "Must be 0 or more"],
];

for (const [own, field, sentence] of WRONG) {
  test(`${JSON.stringify(own)}: ${sentence}`, () => {
    assert.deepEqual(faults(/** @type {object} */ (own)), [[field, sentence]]);
  });
}

test("passes times grades have a bound too", () => {
  const many = { ...MODEL, limits: { passes: 1_000_000 } };
  const [[, sentence]] = entryFaults(many, entries({ "option-passes": "25001" }));
  assert.equal(sentence, "Must be 25,000 or less");
});

test("missing entries are told from wrong ones", () => {
  const [missing, wrong] = [entries({ "feature-0": "" }), entries({ "feature-0": "x" })];
  assert.equal(isOnlyMissing(entryFaults(MODEL, missing), missing), true);
  assert.equal(isOnlyMissing(entryFaults(MODEL, wrong), wrong), false);
});

test("a row has every feature whatever it is called, and null where nothing stands", () => {
  const { row, query } = question(MODEL, entries({ "option-seed": "7" }));
  assert.equal(JSON.stringify(row), '{"amount":5,"ratio":null,"__proto__":3,"seed/of ~ all":1}');
  assert.equal(query, "draws=true&passes=100&seed=7");
});

test("what the service refuses finds its field; what has none is left out", () => {
  const told = ["#/__proto__", "#/seed~1of ~0 all", "#/seed~1o…", "?/seed", "?/coverage"];
  const errors = told.map((pointer) => ({
    pointer,
    field: "",
    code: "not_valid",
    minimum: null,
    maximum: null,
  }));
  assert.deepEqual(
    toldFaults(MODEL, errors).map(([field]) => field),
    ["feature-2", "feature-3", "feature-3", "option-seed"],
  );
});
