/** Values of features: what an entry stands for, and how a value is said. */

/** @import { AnyFeature, Category, ListedFeature, TensorFeature, Value } from "../types/wire.js" */

import { canonical, grouped } from "./numeral.js";
import { evenTensor, tensor, tensorText } from "./tensor.js";
import { HANGUL, number, percent, spoken, t } from "./words.js";

/**
 * Whether a feature has a list of values.
 * @param {AnyFeature} feature
 * @returns {feature is ListedFeature}
 */
export function isListed(feature) {
  return feature.kind === "boolean" || feature.kind === "category";
}

/**
 * Whether a feature is a tensor.
 * @param {AnyFeature} feature
 * @returns {feature is TensorFeature}
 */
export function isTensor(feature) {
  return feature.kind === "tensor";
}

/**
 * Whether a feature may be missing; a tensor may not.
 * @param {AnyFeature} feature
 */
export function mayLack(feature) {
  return !isTensor(feature) && feature.nullable;
}

/**
 * The values of a list as people say them, each with the entry that stands for it.
 * @param {ListedFeature} feature
 * @returns {[entry: string, text: string][]}
 */
export function choices(feature) {
  if (feature.kind === "boolean")
    return [
      ["true", t("yes")],
      ["false", t("no")],
    ];
  return feature.categories.map((category) => [named(category), named(category)]);
}

/**
 * A category's name as people say it: in Korean the alias that is Korean.
 * @param {Category} category
 */
function named({ name, aliases }) {
  return (spoken() === "ko" && aliases.find((alias) => HANGUL.test(alias))) || name;
}

/**
 * The value that an entry stands for: null where nothing stands, undefined where it stands for none.
 * @param {AnyFeature} feature
 * @param {string | undefined} text
 * @returns {Value | undefined}
 */
export function entered(feature, text) {
  if (text === undefined || text.trim() === "") return null;
  if (feature.kind === "boolean") return text === "true";
  if (feature.kind === "category") return category(feature, text.trim());
  if (isTensor(feature)) return tensor(feature, text);
  const plain = canonical(text);
  return plain === null ? undefined : Number(plain);
}

/**
 * @param {import("../types/wire.js").CategoryFeature} feature
 * @param {string} text
 */
function category({ categories, takes_unknown: takesUnknown }, text) {
  const same = (/** @type {string} */ other) => other.normalize() === text.normalize();
  const found = categories.find(({ name, aliases }) => [name, ...aliases].some(same));
  return found?.name ?? (takesUnknown ? text : undefined);
}

/**
 * The entry that stands for a value.
 * @param {AnyFeature} feature
 * @param {Value | undefined} value
 */
export function entry(feature, value) {
  if (value === null || value === undefined) return "";
  if (Array.isArray(value)) return JSON.stringify(value);
  if (!isListed(feature)) return grouped(String(value));
  return feature.kind === "category" && value !== "" ? said(feature, value) : String(value);
}

/**
 * A value in words.
 * @param {AnyFeature} feature
 * @param {Value | undefined} value
 */
export function said(feature, value) {
  if (value === null || value === undefined) return "–";
  if (Array.isArray(value)) return isTensor(feature) ? tensorText(feature, value) : "–";
  if (typeof value === "number") return number(value, 12);
  if (typeof value === "boolean") return t(value ? "yes" : "no");
  if (value === "") return t("value.unknown");
  const known =
    feature.kind === "category" && feature.categories.find(({ name }) => name === value);
  return known ? named(known) : value;
}

/**
 * The place of a value in a feature's list; −1 where it is not in it.
 * @param {ListedFeature} feature
 * @param {Value | undefined} value
 */
export function placeOf(feature, value) {
  if (feature.kind === "boolean") return typeof value === "boolean" ? Number(value) : -1;
  return feature.categories.findIndex(({ name }) => name === value);
}

/**
 * What usually stands there: the median, or the most common value.
 * @param {AnyFeature} feature
 * @returns {Value}
 */
export function typical(feature) {
  if (isTensor(feature)) return evenTensor(feature);
  if (!isListed(feature)) return feature.seen.quantiles["0.5"];
  const at = feature.seen.counts.indexOf(Math.max(...feature.seen.counts));
  return feature.kind === "boolean" ? at === 1 : feature.categories[at].name;
}

/**
 * Of the rows of training that have a value, the share that has this one.
 * @param {ListedFeature} feature
 * @param {number} at place in the list
 */
export function shareOf({ seen: { counts, unknown } }, at) {
  return (counts[at] ?? 0) / (counts.reduce((sum, count) => sum + count, 0) + unknown);
}

/**
 * What stands for a missing value.
 * @param {AnyFeature} feature
 */
export function imputedText(feature) {
  if (isTensor(feature)) return "–";
  const { imputed } = feature;
  if (imputed === null || !isListed(feature)) return number(imputed);
  if (feature.kind === "boolean") return t(imputed === 1 ? "yes" : "no");
  const { categories, takes_unknown: takesUnknown } = feature;
  if (imputed < categories.length) return named(categories[imputed]);
  return t(takesUnknown && imputed === categories.length ? "value.unknown" : "value.own");
}

/**
 * The most common value of a list, and its share.
 * @param {ListedFeature} feature
 */
export function mostCommon(feature) {
  const value = typical(feature);
  const share = percent(shareOf(feature, placeOf(feature, value)), 0);
  return t("value.common", { value: said(feature, value), share });
}
