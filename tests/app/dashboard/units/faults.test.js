/** Refusals as sentences, by their codes and in the page's language. */

import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { explained, withheld, wrong } from "../../../../app/dashboard/assets/faults.js";
import { Problem } from "../../../../app/dashboard/assets/http.js";
import { settings } from "../../../../app/dashboard/assets/settings.js";
import { t } from "../../../../app/dashboard/assets/words.js";

beforeEach(() => settings.set("language", "en"));

test("a known code has its sentence, with its bound", () => {
  const problem = new Problem(413, { code: "body_too_large", limit: 1048576 });
  assert.match(explained(problem), /1,048,576 bytes/);
  settings.set("language", "ko");
  assert.match(explained(problem), /1,048,576바이트/);
});

test("a code of another version, and a proxy without codes, have a sentence too", () => {
  assert.equal(explained(new Problem(400, { code: "of_tomorrow" })), t("fault.general"));
  assert.equal(explained(new Problem(502, {})), t("fault.general"));
  assert.equal(explained(new Problem(503, {})), t("fault.busy"));
});

test("no answer at all is told so", () => {
  assert.equal(explained(new Problem(0, {})), t("fault.service"));
});

test("records without an address are switched off", () => {
  assert.equal(withheld(new Problem(404, { code: "no_such_address" })), t("fault.off"));
  const other = new Problem(403, { code: "records_hidden" });
  assert.equal(withheld(other), explained(other));
});

test("what is wrong with a field has its bounds, exactly", () => {
  const error = { field: "a", pointer: "#/a", code: "too_large", minimum: null };
  assert.match(wrong({ ...error, maximum: 9007199254740991 }), /9,007,199,254,740,991/);
  assert.equal(wrong({ ...error, code: "of_tomorrow", maximum: null }), t("fault.field.general"));
});

test("a fault of the page itself is not told as a refusal", () => {
  const fault = new TypeError("undefined is not a function");
  assert.throws(() => explained(fault), fault);
});
