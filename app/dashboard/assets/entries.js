/** Reads and validates what is typed into the prediction form, field by field. */

/** @import { AnyFeature, FieldProblem, ModelDescription } from "../types/wire.js" */
/** @import { PageModel } from "./answerview.js" */

import { wrong } from "./faults.js";
import { canonical, grouped } from "./numeral.js";
import { tensorFault } from "./tensor.js";
import { entered, isListed, isTensor, mayLack } from "./values.js";
import { t } from "./words.js";

const MOST_DRAWS = 100000;
const MAX_SEED = Number.MAX_SAFE_INTEGER;
const OPTIONS = ["passes", "seed"];
/** How many numbers each head of a network gives a pass. */
const OUTPUTS = { point: 1, normal: 2, quantiles: 3 };
/** Kinds of features whose values are whole numbers. */
export const WHOLE = new Set(["integer"]);

/** @typedef {Map<string, string>} Values what stands in the form, by field; numbers without separators */
/** @typedef {[field: string, sentence: string]} Fault */
/**
 * What a field takes: a number, or a value of a feature with a list of them.
 * @typedef {object} Term
 * @property {AnyFeature} [feature] the feature that the field is of; none for an option
 * @property {boolean} isWhole
 * @property {number} least
 * @property {number} most
 * @property {boolean} isRequired
 * @property {number} [step] of which a whole number is a multiple; 1 unless given
 * @property {boolean} [isName] a name that is written in digits, such as a seed: without separators
 */

/**
 * How many passes may be asked for together with all their draws.
 * @param {PageModel} model
 */
export function mostPasses(model) {
  const outputs = model.target === undefined ? model.classes.length : OUTPUTS[model.target.head];
  const most = Math.min(model.limits.passes, Math.floor(MOST_DRAWS / outputs));
  return most - (most % model.members);
}

/**
 * The field of a feature, named by its place: a bundle may call its features as it likes, also
 * like an option, another field's hint or a property of forms.
 * @param {number} at
 */
export function place(at) {
  return `feature-${at}`;
}

/**
 * The field of an option, "passes" or "seed".
 * @param {string} name
 */
export function option(name) {
  return `option-${name}`;
}

/**
 * What every field takes, by its name: the features, then the options.
 * @param {ModelDescription} model
 * @returns {Map<string, Term>}
 */
export function terms(model) {
  const step = model.members;
  const passes = { isWhole: true, least: step, most: mostPasses(model), step, isRequired: true };
  const seed = { isWhole: true, least: 0, most: MAX_SEED, isRequired: false, isName: true };
  /** @type {Map<string, Term>} */
  const known = new Map(model.features.map((feature, at) => [place(at), term(feature)]));
  return known.set(option("passes"), passes).set(option("seed"), seed);
}

/**
 * @param {AnyFeature} feature
 * @returns {Term}
 */
function term(feature) {
  const isRequired = !mayLack(feature);
  if (isListed(feature)) return { feature, isWhole: false, least: 0, most: 0, isRequired };
  const { kind, minimum, maximum } = feature;
  if (isTensor(feature))
    return { feature, isWhole: false, least: minimum, most: maximum, isRequired };
  return { feature, isWhole: WHOLE.has(kind), least: minimum, most: maximum, isRequired };
}

/**
 * What is wrong with the entries, before anything is sent: [field, sentence] of each.
 * @param {ModelDescription} model
 * @param {Values} values
 * @returns {Fault[]}
 */
export function entryFaults(model, values) {
  return [...terms(model)].flatMap(([id, term]) => {
    const fault = entryFault(values.get(id), term);
    return fault === null ? [] : [pair(id, fault)];
  });
}

/**
 * @param {string} field
 * @param {string} sentence
 * @returns {Fault}
 */
function pair(field, sentence) {
  return [field, sentence];
}

/**
 * @param {string | undefined} text
 * @param {Term} term
 */
function entryFault(text, { feature, isWhole, least, most, isRequired, step = 1 }) {
  if (!given(text)) return isRequired ? t("entry.required") : null;
  if (feature !== undefined && isListed(feature))
    return entered(feature, text) === undefined ? t("entry.choice") : null;
  if (feature !== undefined && isTensor(feature)) return tensorFault(feature, text);
  const value = Number(canonical(text) ?? NaN);
  if (Number.isNaN(value)) return t("entry.number", { example: grouped("1234.5") });
  if (value < least) return t("entry.least", { limit: grouped(String(least)) });
  if (value > most) return t("entry.most", { limit: grouped(String(most)) });
  if (isWhole && !Number.isInteger(value)) return t("entry.whole");
  return isWhole && value % step ? t("entry.step", { step: grouped(String(step)) }) : null;
}

/**
 * Whether nothing is wrong with the entries but that some are missing.
 * @param {Fault[]} faults
 * @param {Values} values
 */
export function isOnlyMissing(faults, values) {
  return faults.every(([id]) => !given(values.get(id)));
}

/**
 * What the form says: the row, and how it is asked about. Empty fields are null or left out.
 * @param {ModelDescription} model
 * @param {Values} values
 */
export function question(model, values) {
  // Without a prototype any name is a member, also `__proto__`.
  const row = Object.create(null);
  model.features.forEach((feature, at) => {
    const text = values.get(place(at));
    if (given(text) || mayLack(feature)) row[feature.name] = entered(feature, text);
  });
  const query = new URLSearchParams({ draws: "true" });
  for (const name of OPTIONS) {
    const text = values.get(option(name));
    if (given(text)) query.set(name, String(Number(canonical(text))));
  }
  return { row, query: query.toString() };
}

/**
 * @param {string | undefined} text
 * @returns {text is string}
 */
function given(text) {
  return text !== undefined && text.trim() !== "";
}

/**
 * Faults that the service told, each with its field; those of no field are left out.
 * @param {ModelDescription} model
 * @param {FieldProblem[]} errors
 * @returns {Fault[]}
 */
export function toldFaults(model, errors) {
  const fields = terms(model);
  return errors
    .map((error) => pair(fieldOf(error.pointer, model), wrong(error)))
    .filter(([id]) => fields.has(id));
}

/**
 * The field that a fault's pointer means: `#` is the row and `?` are the options.
 * @param {string} pointer
 * @param {ModelDescription} model
 */
function fieldOf(pointer, model) {
  const name = pointer.slice(2).replaceAll("~1", "/").replaceAll("~0", "~");
  return pointer.startsWith("?")
    ? option(name)
    : place(model.features.findIndex((feature) => isCalled(feature.name, name)));
}

/**
 * Whether a fault names a feature, or a place in a tensor; long names are cut short in it.
 * @param {string} name
 * @param {string} said
 */
function isCalled(name, said) {
  const isInside = said.startsWith(`${name}/`);
  return name === said || isInside || (said.endsWith("…") && name.startsWith(said.slice(0, -1)));
}
