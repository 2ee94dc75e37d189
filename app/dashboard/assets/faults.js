/** Error messages: problem codes of the service as sentences in the page's language. */

/** @import { FieldProblem } from "../types/wire.js" */

import { problemOf } from "./http.js";
import { has, number, t } from "./words.js";

const BUSY = [429, 503, 504];
/** Of a bound, which is shown as it is; JavaScript keeps no more. */
const DIGITS = 16;

/**
 * A sentence about a refusal.
 * @param {unknown} error
 */
export function explained(error) {
  const problem = problemOf(error);
  if (problem.status === 0) return t("fault.service");
  const key = `fault.${problem.code}`;
  if (has(key))
    return t(key, { limit: number(problem.limit, DIGITS), fields: named(problem.errors) });
  // A proxy on the way may refuse as well, and knows no codes.
  return t(BUSY.includes(problem.status) ? "fault.busy" : "fault.general");
}

/**
 * A sentence about why records are not shown: where there are none, they have no address.
 * @param {unknown} error
 */
export function withheld(error) {
  return problemOf(error).code === "no_such_address" ? t("fault.off") : explained(error);
}

/**
 * What is wrong with a field, to stand under it.
 * @param {FieldProblem} error
 */
export function wrong({ code, minimum, maximum }) {
  const key = `fault.field.${code}`;
  const bounds = { minimum: number(minimum, DIGITS), maximum: number(maximum, DIGITS) };
  return t(has(key) ? key : "fault.field.general", bounds);
}

/**
 * Fields by the names that the service knows, and what is wrong with each.
 * @param {FieldProblem[]} errors
 */
function named(errors) {
  return errors.map((error) => `${error.field}: ${wrong(error)}.`).join(" ");
}
