/** Numbers as people type and read them. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { canonical, grouped } from "../../../../app/dashboard/assets/numeral.js";
import { settings } from "../../../../app/dashboard/assets/settings.js";

settings.set("language", "en");

const READ = {
  "1,234,567.5": "1234567.5",
  "1 234 567.5": "1234567.5",
  "１２,３４５．５": "12345.5",
  " .5 ": ".5",
  "−5": "-5",
  "2e5": "2e5",
};

for (const [typed, digits] of Object.entries(READ)) {
  test(`${typed} is ${digits}`, () => assert.equal(canonical(typed), digits));
}

for (const typed of ["1,5", "12,34,567", "1,2345", "many", "", "1.2.3", "0x10", "Infinity"]) {
  test(`"${typed}" is no number`, () => assert.equal(canonical(typed), null));
}

test("digits are grouped, and never changed", () => {
  assert.equal(grouped("999999999999.9999"), "999,999,999,999.9999");
  assert.equal(grouped("-1234"), "-1,234");
  assert.equal(grouped("many"), "many");
});
