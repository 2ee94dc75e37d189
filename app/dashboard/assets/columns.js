/** The columns of the table of recorded predictions, on the page and in its export. */

/** @import { Child } from "../types/elements.js" */
/** @import { ModelDescription } from "../types/wire.js" */
/** @import { PageModel } from "./answerview.js" */
/** @import { Case, Order, State } from "./listing.js" */

import { tile } from "./answer.js";
import { el } from "./elements.js";
import { entered, inUnit } from "./numberanswer.js";
import { brief, fixed, list, percent, reason, t } from "./words.js";

/**
 * @typedef {object} Column
 * @property {(one: Case, model: PageModel) => Child} cell
 * @property {(one: Case) => string | number | null | undefined} plain its value in an export
 * @property {Order[]} [orders] that its heading goes through
 * @property {boolean} [isNumber]
 */

/** @type {Record<string, Column>} */
export const COLUMNS = {
  reference: {
    cell: (one) => one.reference ?? el("code", {}, one.id.slice(-12)),
    plain: (one) => one.reference,
    orders: ["reference"],
  },
  grade: { cell: (one, model) => graded(one.grade, model), plain: (one) => one.grade },
  value: {
    cell: (one, model) => shownValue(one.value, one.grade, model),
    plain: (one) => one.value ?? one.grade,
    isNumber: true,
  },
  deviation: {
    cell: (one, model) => (one.std == null ? "–" : inUnit(one.std, model.target, 1)),
    plain: (one) => one.std,
    orders: ["doubtful"],
    isNumber: true,
  },
  reasons: {
    cell: (one) => list(one.reasons.map((name) => reason(name, "short"))),
    plain: (one) => one.reasons.join(" "),
  },
  uncertainty: {
    cell: (one) => fixed(one.predictive_entropy, 2),
    plain: (one) => one.predictive_entropy,
    orders: ["doubtful"],
    isNumber: true,
  },
  likelihood: {
    cell: (one) => percent(one.likelihood),
    plain: (one) => one.likelihood,
    isNumber: true,
  },
  action: {
    cell: (one) => t(`queue.action.${one.action ?? "none"}`),
    plain: (one) => one.action,
  },
  time: {
    cell: (one) => brief(one.time),
    plain: (one) => one.time,
    orders: ["oldest", "newest"],
  },
  decided: {
    cell: (one) => (one.decided ? brief(one.decided) : "–"),
    plain: (one) => one.decided,
    orders: ["newest", "oldest"],
  },
  verdict: { cell: (one, model) => decidedAs(one.verdict, model), plain: (one) => one.verdict },
  reviewer: { cell: (one) => one.reviewer ?? "–", plain: (one) => one.reviewer },
  assignee: { cell: (one) => one.assignee ?? "–", plain: (one) => one.assignee },
};

/** @type {Record<State, string[]>} */
const CLASSES = {
  waiting: ["reference", "grade", "reasons", "uncertainty", "time", "assignee"],
  decided: ["reference", "grade", "verdict", "decided", "reviewer", "reasons"],
  all: ["reference", "grade", "likelihood", "action", "time"],
};
/** @type {Record<State, string[]>} */
const NUMBER = {
  waiting: ["reference", "value", "deviation", "reasons", "time", "assignee"],
  decided: ["reference", "value", "verdict", "decided", "reviewer", "reasons"],
  all: ["reference", "value", "deviation", "action", "time"],
};

/**
 * The columns of a list, by what the model predicts.
 * @param {State} state
 * @param {PageModel} model
 */
export function shownColumns(state, { target }) {
  return (target === undefined ? CLASSES : NUMBER)[state];
}

/**
 * A number, or the grade of a model that was served before.
 * @param {number | undefined} value
 * @param {string | undefined} grade
 * @param {PageModel} model
 */
function shownValue(value, grade, { target }) {
  return value === undefined ? (grade ?? "–") : inUnit(value, target);
}

/**
 * @param {string | number | null | undefined} verdict
 * @param {PageModel} model
 */
function decidedAs(verdict, model) {
  return typeof verdict === "number" ? entered(verdict, model.target) : graded(verdict, model);
}

/**
 * @param {string | null | undefined} grade
 * @param {ModelDescription} model
 */
function graded(grade, { classes }) {
  return grade ? tile(grade, classes, "chip") : "–";
}

/**
 * How a column is sorted by an order, as `aria-sort` says it; null where it is not.
 * @param {string} name
 * @param {Order} order
 */
export function sorted(name, order) {
  if (!COLUMNS[name].orders?.includes(order)) return null;
  return order === "newest" || order === "doubtful" ? "descending" : "ascending";
}

/**
 * Cases as rows of a file, below their heads.
 * @param {State} state
 * @param {Case[]} cases
 * @param {PageModel} model
 */
export function exported(state, cases, model) {
  const names = shownColumns(state, model);
  const rows = cases.map((one) => [one.id, ...names.map((name) => COLUMNS[name].plain(one))]);
  return { heads: ["id", ...names], rows };
}
