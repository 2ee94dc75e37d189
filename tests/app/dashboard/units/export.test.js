/** Lists of cases as files for a spreadsheet, with nothing in them that it would run. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { exported, sorted } from "../../../../app/dashboard/assets/columns.js";
import { csv } from "../../../../app/dashboard/assets/export.js";

/** @param {(string | number | null)[]} cells */
function line(...cells) {
  return csv([cells]).slice(1, -2);
}

test("a file begins with its mark, and lines end as spreadsheets have them", () => {
  assert.equal(csv([["a"], ["b"]]), "\ufeffa\r\nb\r\n");
});

test("what a spreadsheet would run is text, and numbers stay numbers", () => {
  assert.equal(
    line("=sum(A1)", " +1+1", "@x", "＝1", "-0.5", 3),
    "'=sum(A1),' +1+1,'@x,'＝1,-0.5,3",
  );
});

test("quotes, commas and ends of lines stay in their cell; null is empty", () => {
  assert.equal(line('a "b"', "c,d", "e\nf", null), '"a ""b""","c,d","e\nf",');
});

test("a list is exported by its columns, with the identifier first", () => {
  const one = { id: "x1", time: "2026-11-28T09:00:00Z", reference: null, grade: "B", reasons: [] };
  const model = /** @type {any} */ ({ classes: ["A", "B"] });
  const { heads, rows } = exported("all", [{ ...one, likelihood: 0.5, action: "refer" }], model);
  assert.deepEqual(heads, ["id", "reference", "grade", "likelihood", "action", "time"]);
  assert.deepEqual(rows, [["x1", null, "B", 0.5, "refer", "2026-11-28T09:00:00Z"]]);
});

test("a list of numbers has their columns", () => {
  const one = { id: "x1", time: "2026-11-28T09:00:00Z", reference: "r", reasons: ["wide"] };
  const model = /** @type {any} */ ({ classes: [], target: { std: 2 } });
  const asked = { ...one, value: 1.25, std: 0.5, assignee: null };
  const { heads, rows } = exported("waiting", [asked], model);
  assert.deepEqual(heads, ["id", "reference", "value", "deviation", "reasons", "time", "assignee"]);
  assert.deepEqual(rows, [["x1", "r", 1.25, 0.5, "wide", one.time, null]]);
});

test("the column that an order sorts by says which way", () => {
  assert.equal(sorted("time", "oldest"), "ascending");
  assert.equal(sorted("time", "newest"), "descending");
  assert.equal(sorted("uncertainty", "doubtful"), "descending");
  assert.equal(sorted("grade", "newest"), null);
});
