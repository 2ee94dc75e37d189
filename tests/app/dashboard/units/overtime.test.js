/** Charts over time: their axes, and the way from a bar to its cases. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { casesOf, whole } from "../../../../app/dashboard/assets/overtime.js";

/** @typedef {import("../../../../app/dashboard/types/wire.js").UncertaintyFigures} UncertaintyFigures */

const DATA = /** @type {UncertaintyFigures} */ (
  /** @type {unknown} */ ({
    steps: [{ start: "2026-11-28T09:00:00+00:00" }, { start: "2026-11-28T09:01:00+00:00" }],
    end: "2026-11-28T09:02:00+00:00",
  })
);

test("a step's cases are those until the next step, the last one's until the end", () => {
  const first = new URLSearchParams(casesOf(DATA, 0, { action: "refer" }));
  assert.equal(first.get("since"), "2026-11-28T09:00:00.000Z");
  assert.equal(first.get("until"), "2026-11-28T09:01:00.000Z");
  assert.equal(first.get("action"), "refer");
  const last = new URLSearchParams(casesOf(DATA, 1));
  assert.equal(last.get("until"), "2026-11-28T09:02:00.000Z");
});

test("marks of few counts are whole numbers", () => {
  assert.equal(whole([0, 4]).dtick, 1);
  assert.deepEqual(whole([0, 1]).range, [0, 2.3]);
  assert.equal(whole([0, 5]).dtick, undefined);
});
