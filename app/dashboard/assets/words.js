/** The page's language: its words, numbers and times. */

import english from "./english.js";
import korean from "./korean.js";
import { remember, remembered } from "./memory.js";

const LANGUAGES = { en: english, ko: korean };
const HANGUL = /[\u3131-\u318e\uac00-\ud7a3]/;

let language = first();
/** What is graded: "loan" or "case". */
let subject = "case";

function first() {
  const kept = remembered("language");
  if (kept in LANGUAGES) return kept;
  return (navigator.language ?? "").startsWith("ko") ? "ko" : "en";
}

export function spoken() {
  return language;
}

export function speak(wanted) {
  language = wanted;
  remember("language", wanted);
}

/** Speak of loans where the bundle's name says "loan", and of cases everywhere else. */
export function speakOf(model) {
  subject = model.name.toLowerCase().includes("loan") ? "loan" : "case";
}

/** Whether the language has these words. */
export function has(key) {
  return key in LANGUAGES[language];
}

/**
 * The words for a key, with values put where they are named in braces. `{noun}` and `{nouns}` are
 * what is graded, `{Nouns}` begins a sentence; `{rows:noun}` and `{rows:pass|passes}` add the noun
 * that agrees with the number.
 */
export function t(key, values = {}) {
  const text = LANGUAGES[language][key] ?? english[key] ?? key;
  const [noun, nouns] = LANGUAGES[language][`noun.${subject}`].split("|");
  const known = { noun, nouns, Nouns: nouns.charAt(0).toUpperCase() + nouns.slice(1), ...values };
  return text.replace(/\{(\w+)(?::([^|}]+)(?:\|([^}]+))?)?\}/g, (whole, name, one, many) => {
    if (!(name in known)) return whole;
    const value = known[name] ?? "";
    if (one === undefined) return value;
    const [single, several] = many === undefined ? [noun, nouns] : [one, many];
    return `${value} ${String(value) === "1" ? single : several}`;
  });
}

/**
 * A feature's name as people say it: its title, or in Korean the alias that is Korean. Bundles of
 * loans call some features otherwise than lenders do; the page has its own titles for those.
 */
export function label(feature) {
  if (subject === "loan" && has(`title.${feature.name}`)) return t(`title.${feature.name}`);
  const alias = language === "ko" && feature.aliases.find((name) => HANGUL.test(name));
  return alias ? alias.replaceAll("_", " ") : feature.title || feature.name.replaceAll("_", " ");
}

/** A feature's unit; empty where there is nothing to say. */
export function unit(feature) {
  const [key, own] = [`unit.${feature.unit}`, `unit.${feature.unit}.${feature.name}`];
  if (subject === "loan" && has(own)) return t(own);
  return has(key) ? t(key) : (feature.unit ?? "");
}

/** A feature's name and unit: [name, what is to stand behind it], as in "Ratio (DTI" and ", %)". */
export function labelled(feature) {
  const [name, measure] = [label(feature), unit(feature)];
  if (measure === "") return [name, ""];
  if (name.endsWith(")")) return [name.slice(0, -1), `, ${measure})`];
  return [name, t("unit", { label: "", unit: measure })];
}

/** A reason of a decision, the policy's or a rule of the bundle's: `form` is "short" for a legend, "long" for a sentence. */
export function reason(name, form) {
  const [key, own] = [`reason.${name}.${form}`, `rule.${name}.${form}`];
  if (subject === "loan" && has(own)) return t(own);
  return has(key) ? t(key) : t(`reason.rule.${form}`, { rule: name.replaceAll("_", " ") });
}

/** A number, with as many digits as tell something. */
export function number(value, digits = 6) {
  if (value === null || value === undefined) return "–";
  return new Intl.NumberFormat(language, { maximumSignificantDigits: digits }).format(value);
}

/** A number with fixed digits behind the point, so that columns stand in line. */
export function fixed(value, digits = 3) {
  if (value === null || value === undefined) return "–";
  return new Intl.NumberFormat(language, {
    minimumFractionDigits: digits,
    maximumFractionDigits: digits,
  }).format(value);
}

export function percent(value, digits = 1) {
  if (value === null || value === undefined) return "–";
  return `${fixed(100 * value, digits)}%`;
}

/** A share with no more digits than it needs: 3%, 0.5%. */
export function share(value) {
  return value === null || value === undefined ? "–" : `${number(100 * value, 3)}%`;
}

/** Several words as one list. */
export function list(words) {
  return new Intl.ListFormat(language, { type: "conjunction" }).format(words);
}

export function clock(time) {
  return new Intl.DateTimeFormat(language, { timeStyle: "medium" }).format(new Date(time));
}

/** A moment in a column of a list. */
export function brief(time) {
  return new Intl.DateTimeFormat(language, { dateStyle: "short", timeStyle: "short" }).format(
    new Date(time),
  );
}

export function moment(time) {
  return new Intl.DateTimeFormat(language, { dateStyle: "medium", timeStyle: "short" }).format(
    new Date(time),
  );
}
