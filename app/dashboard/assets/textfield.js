/** Text fields of a reviewer: a name that is remembered, notes and reasons. */

import { el } from "./elements.js";
import { settings } from "./settings.js";
import { t } from "./words.js";

const [LONGEST_NAME, LONGEST_TEXT] = [200, 4000];

/** @typedef {HTMLInputElement | HTMLTextAreaElement} Input */
/** @typedef {{whole: HTMLElement, input: Input, value: () => string}} TextField `value` is trimmed */

/**
 * The reviewer's name, as it was last given on this page.
 * @param {string} id
 * @returns {TextField}
 */
export function nameField(id) {
  const input = el("input", {
    id,
    type: "text",
    maxlength: LONGEST_NAME,
    autocomplete: "name",
    "aria-required": "true",
    value: settings.get("reviewer"),
  });
  return field(input, t("review.reviewer"));
}

/**
 * A text of several lines.
 * @param {string} id
 * @param {string} label
 * @param {{hint?: string, isRequired?: boolean}} options
 * @returns {TextField}
 */
export function textField(id, label, { hint, isRequired = false } = {}) {
  const input = el("textarea", {
    id,
    maxlength: LONGEST_TEXT,
    "aria-required": isRequired ? "true" : null,
    "aria-describedby": hint && `${id}-hint`,
  });
  return field(input, label, hint && el("p.hint", { id: `${id}-hint` }, hint));
}

/**
 * @param {Input} input
 * @param {string} label
 * @param {HTMLElement | string} [below]
 * @returns {TextField}
 */
function field(input, label, below) {
  const whole = el("div.stack", {}, el("label", { for: input.id }, label), input, below || null);
  return { whole, input, value: () => input.value.trim() };
}
