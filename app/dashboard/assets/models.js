/** The models of the service: which one the page is about, and where the service has what is its own. */

/** @import { ListedModel } from "../types/wire.js" */

import { el } from "./elements.js";
import { t } from "./words.js";

/** @type {{name: string | null, known: ListedModel[]}} without a name where there is only one */
const chosen = { name: null, known: [] };

/** Which model the page is about; null where the service has only one. */
export function chosenModel() {
  return chosen.name;
}

/** Whether another version computes what the model answers. */
export function hasShadow() {
  const { name, known } = chosen;
  const model = known.find((one) => name === null || one.name === name);
  return model !== undefined && model.shadow !== null;
}

/**
 * Where the service has something of the model: without its name where there is only one.
 * @param {string} path
 */
export function ofModel(path) {
  return chosen.name === null ? path : `models/${encodeURIComponent(chosen.name)}/${path}`;
}

/**
 * Choose the model that the address names or, where it names none that is served, the first.
 * @param {ListedModel[]} models
 * @param {string} query of the page's address
 */
export function choose(models, query) {
  chosen.known = models;
  const served = models.filter(isServed);
  const wanted = new URLSearchParams(query).get("model");
  const found = served.find((one) => one.name === wanted) ?? served[0] ?? models[0];
  chosen.name = models.length > 1 ? found.name : null;
}

/**
 * The choice between several models.
 * @returns {HTMLElement | string} nothing where there is only one
 */
export function modelChoice() {
  if (chosen.name === null) return "";
  /** @type {HTMLSelectElement} */
  const field = el(
    "select",
    {
      id: "models",
      "aria-label": t("models"),
      onchange: () => location.assign(addressOf(field.value, location.hash.split("/")[0])),
    },
    chosen.known.map((one) =>
      el(
        "option",
        { value: one.name, selected: one.name === chosen.name, disabled: !isServed(one) },
        t(isServed(one) ? "served" : "models.unserved", { name: one.name, version: one.version }),
      ),
    ),
  );
  return field;
}

/**
 * Go to the page of the model that has answered a case, if that is another one that is served.
 * @param {string} name
 * @returns {boolean} whether the page is left
 */
export function follow(name) {
  const other = chosen.known.find((one) => one.name === name && isServed(one));
  if (chosen.name === null || name === chosen.name || !other) return false;
  location.replace(addressOf(name, location.hash));
  return true;
}

/**
 * @param {string} name
 * @param {string} hash
 */
function addressOf(name, hash) {
  return `?${new URLSearchParams({ model: name })}${hash}`;
}

/** @param {ListedModel} model */
function isServed({ version }) {
  return version !== null;
}
