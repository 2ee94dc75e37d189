/** Words, numbers and names in the page's language. */

import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { settings } from "../../../../app/dashboard/assets/settings.js";
import {
  label,
  labelled,
  list,
  percent,
  reason,
  share,
  speakOf,
  spoken,
  t,
  unit,
} from "../../../../app/dashboard/assets/words.js";

/** @param {object} own what differs */
function feature(own) {
  const seen = { minimum: 0, maximum: 1, quantiles: {}, histogram_edges: [], histogram_counts: [] };
  return {
    name: "loan_amount",
    title: "Amount of the loan",
    aliases: ["amount", "대출_금액"],
    kind: /** @type {const} */ ("float"),
    unit: "currency",
    nullable: false,
    imputed: null,
    missing_refers: true,
    minimum: 0,
    maximum: 1,
    seen,
    ...own,
  };
}

/** @param {string} name */
function graded(name) {
  speakOf({ name, version: 1, digest: "" });
}

beforeEach(() => {
  settings.set("language", "en");
  graded("stones");
});

test("the language that is chosen is spoken from the next word on", () => {
  assert.equal(t("yes"), "yes");
  settings.set("language", "ko");
  assert.equal(t("yes"), "예");
});

test("a language that the page does not have is not spoken", () => {
  settings.set("language", "toString");
  assert.ok(["en", "ko"].includes(spoken()));
});

test("it speaks of loans where the bundle's name does, else of cases", () => {
  assert.equal(t("tab.try"), "Grade a case");
  graded("Loan-Grade");
  assert.equal(t("tab.try"), "Grade a loan");
});

test("nouns agree with their numbers", () => {
  assert.equal(t("counted", { rows: "1" }), "1 case");
  assert.equal(t("counted", { rows: "1,000" }), "1,000 cases");
  assert.equal(t("tile.rows.note", { passes: 1 }), "1 pass");
});

test("a value is put in as it is, whatever it looks like", () => {
  assert.equal(t("answer.grade", { grade: "$& {noun}" }), "Grade $& {noun}");
  assert.equal(t("answer.grade", { grade: null }), "Grade ");
});

test("lenders' words are for bundles of loans alone", () => {
  assert.equal(label(feature({})), "Amount of the loan");
  graded("loan-grade");
  assert.equal(label(feature({})), "Loan amount");
});

test("in Korean a feature has its Korean alias", () => {
  settings.set("language", "ko");
  assert.equal(label(feature({})), "대출 금액");
});

test("a feature without a title is called by its name, with a unit where it has one", () => {
  assert.deepEqual(labelled(feature({ name: "side_0", title: "", unit: "mm" })), [
    "side 0",
    " (mm)",
  ]);
  assert.deepEqual(labelled(feature({ title: "Ratio (DTI)", unit: "percent" })), [
    "Ratio (DTI",
    ", %)",
  ]);
  assert.equal(unit(feature({ unit: "" })), "");
});

test("a rule that the page does not know is told by its name", () => {
  assert.equal(reason("too_young", "short"), "too young");
  assert.equal(reason("missing", "short"), "value missing");
});

test("shares have the digits they need", () => {
  assert.deepEqual(
    [share(0.99), share(0.955), share(0.005), share(null)],
    ["99%", "95.5%", "0.5%", "–"],
  );
  assert.equal(percent(0.94444), "94.4%");
  assert.equal(list(["a", "b", "c"]), "a, b, and c");
});
