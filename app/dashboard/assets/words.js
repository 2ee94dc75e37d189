/** Translation: the texts of the chosen language, and its formats of numbers and times. */

/** @import { AnyFeature, Model } from "../types/wire.js" */

import english from "./english.js";
import korean from "./korean.js";
import { settings } from "./settings.js";

/** @type {Record<string, Record<string, string>>} */
const LANGUAGES = { en: english, ko: korean };
/** Where a value is put: `{name}`, `{name:noun}` or `{name:one|many}`. */
const PLACE = /\{(\w+)(?::([^|}]+)(?:\|([^}]+))?)?\}/g;
export const HANGUL = /[\u3131-\u318e\uac00-\ud7a3]/;

/** The language that was chosen or, before any was, the browser's. */
export function spoken() {
  const chosen = settings.get("language");
  if (chosen !== null && Object.hasOwn(LANGUAGES, chosen)) return chosen;
  return globalThis.navigator?.language?.startsWith("ko") ? "ko" : "en";
}

/** "loan" or "case": what is graded. */
function subject() {
  return settings.get("subject") ?? "case";
}

function words() {
  return LANGUAGES[spoken()];
}

/**
 * Speak of loans where the bundle's name says "loan", and of cases everywhere else; of numbers where
 * the bundle predicts one, and of grades everywhere else.
 * @param {Model & {target?: object}} model
 */
export function speakOf(model) {
  settings.set("subject", model.name.toLowerCase().includes("loan") ? "loan" : "case");
  settings.set("target", model.target === undefined ? "classes" : "number");
}

/**
 * The key of what is said of a number, where that is another text than of grades.
 * @param {string} key
 */
function ofTarget(key) {
  const own = `${key}.number`;
  return settings.get("target") === "number" && Object.hasOwn(LANGUAGES.en, own) ? own : key;
}

/**
 * Whether the language has these words.
 * @param {string} key
 */
export function has(key) {
  return Object.hasOwn(words(), key);
}

/**
 * The words for a key, or for the same key with `.number` where a number is predicted, with values put where they are named in braces. `{noun}` and `{nouns}` are
 * what is graded, `{Nouns}` begins a sentence; `{rows:noun}` and `{rows:pass|passes}` add the noun
 * that agrees with the number.
 * @param {string} key
 * @param {Record<string, string | number | null | undefined>} values
 */
export function t(key, values = {}) {
  const meant = ofTarget(key);
  const text = words()[meant] ?? LANGUAGES.en[meant] ?? key;
  const [noun, nouns] = words()[`noun.${subject()}`].split("|");
  /** @type {Record<string, string | number | null | undefined>} */
  const known = { noun, nouns, Nouns: nouns.charAt(0).toUpperCase() + nouns.slice(1), ...values };
  return text.replace(PLACE, (whole, name, one, many) => {
    if (!Object.hasOwn(known, name)) return whole;
    const value = String(known[name] ?? "");
    if (one === undefined) return value;
    const [single, several] = many === undefined ? [noun, nouns] : [one, many];
    return `${value} ${value === "1" ? single : several}`;
  });
}

/**
 * A feature's name as people say it: its title, or in Korean the alias that is Korean. Bundles of
 * loans call some features otherwise than lenders do; the page has its own titles for those.
 * @param {AnyFeature} feature
 */
export function label(feature) {
  if (subject() === "loan" && has(`title.${feature.name}`)) return t(`title.${feature.name}`);
  const alias = spoken() === "ko" && feature.aliases.find((name) => HANGUL.test(name));
  return alias ? alias.replaceAll("_", " ") : feature.title || feature.name.replaceAll("_", " ");
}

/**
 * A feature's unit; empty where there is nothing to say.
 * @param {AnyFeature} feature
 */
export function unit(feature) {
  if (!("unit" in feature)) return "";
  const [key, own] = [`unit.${feature.unit}`, `unit.${feature.unit}.${feature.name}`];
  if (subject() === "loan" && has(own)) return t(own);
  return has(key) ? t(key) : (feature.unit ?? "");
}

/**
 * A feature's name and unit: [name, what is to stand behind it], as in "Ratio (DTI" and ", %)".
 * @param {AnyFeature} feature
 */
export function labelled(feature) {
  const [name, measure] = [label(feature), unit(feature)];
  if (measure === "") return [name, ""];
  if (name.endsWith(")")) return [name.slice(0, -1), `, ${measure})`];
  return [name, t("unit", { label: "", unit: measure })];
}

/** Reasons of any bundle's policy, in the order of their colours; a bundle's rules have more. */
export const REASONS = [
  "ambiguous",
  "epistemic",
  "out_of_range",
  "missing",
  "few_passes",
  "unlikely",
  "unknown_category",
  "wide",
];

/**
 * A reason of a decision, the policy's or a rule of the bundle's: `form` is "short" for a legend, "long" for a sentence.
 * @param {string} name
 * @param {"short" | "long"} form
 */
export function reason(name, form) {
  const [key, own] = [`reason.${name}.${form}`, `rule.${name}.${form}`];
  if (subject() === "loan" && has(own)) return t(own);
  return has(key) ? t(key) : t(`reason.rule.${form}`, { rule: name.replaceAll("_", " ") });
}

/**
 * A number, with as many digits as tell something.
 * @param {number | null | undefined} value
 */
export function number(value, digits = 6) {
  if (value === null || value === undefined) return "–";
  return new Intl.NumberFormat(spoken(), { maximumSignificantDigits: digits }).format(value);
}

/**
 * A number with fixed digits behind the point, so that columns stand in line.
 * @param {number | null | undefined} value
 */
export function fixed(value, digits = 3) {
  if (value === null || value === undefined) return "–";
  return new Intl.NumberFormat(spoken(), {
    minimumFractionDigits: digits,
    maximumFractionDigits: digits,
  }).format(value);
}

/** @param {number | null | undefined} value */
export function percent(value, digits = 1) {
  if (value === null || value === undefined) return "–";
  return `${fixed(100 * value, digits)}%`;
}

/**
 * A share with no more digits than it needs: 3%, 0.5%.
 * @param {number | null | undefined} value
 */
export function share(value) {
  return value === null || value === undefined ? "–" : `${number(100 * value, 3)}%`;
}

/**
 * Several words as one list.
 * @param {string[]} words
 */
export function list(words) {
  return new Intl.ListFormat(spoken(), { type: "conjunction" }).format(words);
}

/** @param {string | Date} time */
export function clock(time) {
  return new Intl.DateTimeFormat(spoken(), { timeStyle: "medium" }).format(new Date(time));
}

/**
 * A moment in a column of a list.
 * @param {string} time
 */
export function brief(time) {
  return new Intl.DateTimeFormat(spoken(), { dateStyle: "short", timeStyle: "short" }).format(
    new Date(time),
  );
}

/** @param {string} time */
export function moment(time) {
  return new Intl.DateTimeFormat(spoken(), { dateStyle: "medium", timeStyle: "short" }).format(
    new Date(time),
  );
}
