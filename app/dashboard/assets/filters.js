/** The filter form of the list of recorded predictions. */

/** @import { ModelDescription } from "../types/wire.js" */
/** @import { Query } from "./listing.js" */

import { el } from "./elements.js";
import { settings } from "./settings.js";
import { REASONS, reason, t } from "./words.js";

/** Versions of a model that are offered, the newest first. */
const MOST_VERSIONS = 20;
const MINUTE = 60000;

/** @typedef {(name: string, value: string) => void} Filter takes a choice; "" is any */

/**
 * @param {Query} query
 * @param {ModelDescription} model
 * @param {Filter} filter
 */
export function filterFields({ state, filters }, model, filter) {
  const versions = Array.from({ length: Math.min(model.version, MOST_VERSIONS) }, (_, at) =>
    String(model.version - at),
  );
  /** @type {(name: string, values: string[], shown?: (value: string) => string) => HTMLElement} */
  const choice = (name, values, shown = String) =>
    labelled(
      name,
      select(
        name,
        values.map((value) => [value, shown(value)]),
        filters,
        filter,
      ),
    );
  return el(
    "div.filters",
    {},
    choice("reason", [...REASONS, "no_evidence"], (name) => reason(name, "short")),
    model.classes.length > 0 && choice("grade", model.classes),
    choice("version", versions),
    labelled("since", time("since", filters, filter)),
    labelled("until", time("until", filters, filter)),
    state === "waiting" && mine(filters, filter),
  );
}

/**
 * @param {string} name
 * @param {HTMLElement} field
 */
function labelled(name, field) {
  return el("label.stack", {}, el("span", {}, t(`queue.by.${name}`)), field);
}

/**
 * @param {string} name
 * @param {[value: string, text: string][]} options
 * @param {Query["filters"]} filters
 * @param {Filter} filter
 */
function select(name, options, filters, filter) {
  /** @type {HTMLSelectElement} */
  const field = el(
    "select",
    { id: `filter-${name}`, onchange: () => filter(name, field.value) },
    el("option", { value: "" }, t("queue.any")),
    options.map(([value, text]) =>
      el("option", { value, selected: filters[name] === value }, text),
    ),
  );
  return field;
}

/**
 * @param {string} name
 * @param {Query["filters"]} filters
 * @param {Filter} filter
 */
function time(name, filters, filter) {
  /** @type {HTMLInputElement} */
  const field = el("input", {
    type: "datetime-local",
    id: `filter-${name}`,
    value: local(filters[name]),
    onchange: () => filter(name, field.value && new Date(field.value).toISOString()),
  });
  return field;
}

/**
 * Cases that are assigned to who reviews here, once that is known.
 * @param {Query["filters"]} filters
 * @param {Filter} filter
 */
function mine(filters, filter) {
  const me = settings.get("reviewer");
  if (!me) return null;
  /** @type {HTMLInputElement} */
  const box = el("input", {
    type: "checkbox",
    id: "filter-mine",
    checked: filters.assignee === me,
    onchange: () => filter("assignee", box.checked ? me : ""),
  });
  return el("label.check", {}, box, t("queue.mine"));
}

/**
 * A moment as a field of a form has it, by this machine's clock.
 * @param {string | undefined} time
 */
function local(time) {
  if (!time) return "";
  const date = new Date(time);
  return new Date(date.getTime() - date.getTimezoneOffset() * MINUTE).toISOString().slice(0, 16);
}
