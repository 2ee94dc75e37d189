/** The table of recorded predictions: a row opens its prediction, a column heading sorts. */

/** @import { ModelDescription } from "../types/wire.js" */
/** @import { Case, Order, Query } from "./listing.js" */

import { COLUMNS, shownColumns, sorted } from "./columns.js";
import { el } from "./elements.js";
import { t } from "./words.js";

const SIGNS = { ascending: " ↑", descending: " ↓" };

/** @typedef {(order: Order) => void} Sort */

/**
 * @param {Query} query that the cases answer
 * @param {Case[]} cases
 * @param {ModelDescription} model
 * @param {Sort} sort
 */
export function caseTable(query, cases, model, sort) {
  const names = shownColumns(query.state, model);
  const heads = names.map((name) => heading(name, query, sort));
  const rows = cases.map((one) => row(one, names, model));
  const title = t("review.title");
  const table = el(
    "table.cases",
    {},
    el("caption.hidden", {}, title),
    el("thead", {}, el("tr", {}, heads)),
    el("tbody", {}, rows),
  );
  return el("div.scroll", { tabindex: "0", role: "group", "aria-label": title }, table);
}

/**
 * @param {Case} one
 * @param {string[]} names
 * @param {ModelDescription} model
 */
function row(one, [first, ...others], model) {
  const href = `#review/${one.id}`;
  const link = el("a.item", { href, "data-id": one.id }, COLUMNS[first].cell(one, model));
  const open = () => {
    location.hash = href;
  };
  return el(
    "tr",
    { "data-id": one.id, onclick: open },
    el("th", { scope: "row", class: `col-${first}` }, link),
    others.map((name) => el("td", { class: look(name) }, COLUMNS[name].cell(one, model))),
  );
}

/**
 * @param {string} name
 * @param {Query} query
 * @param {Sort} sort
 */
function heading(name, { state, order }, sort) {
  const orders = state === "all" ? [] : (COLUMNS[name].orders ?? []);
  const sense = state === "all" ? null : sorted(name, order);
  const text = t(`queue.col.${name}`);
  const next = orders[(orders.indexOf(order) + 1) % orders.length];
  const sign = el("span", { "aria-hidden": "true" }, sense && SIGNS[sense]);
  const attributes = { type: "button", "data-order": next, onclick: () => sort(next) };
  return el(
    "th",
    { scope: "col", class: look(name), "aria-sort": sense },
    next ? el("button.sort", attributes, text, sign) : text,
  );
}

/** @param {string} name */
function look(name) {
  return `${COLUMNS[name].isNumber ? "number " : ""}col-${name}`;
}
