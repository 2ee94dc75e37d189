/** The page's language: its words, numbers and times. */

import english from "./english.js";
import korean from "./korean.js";
import { remember, remembered } from "./memory.js";

const LANGUAGES = { en: english, ko: korean };
const HANGUL = /[\u3131-\u318e\uac00-\ud7a3]/;

let language = first();

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

/** Whether the language has these words. */
export function has(key) {
  return key in LANGUAGES[language];
}

/**
 * The words for a key, with values put where they are named in braces; `{rows:row|rows}` adds the
 * noun that agrees with the number.
 */
export function t(key, values = {}) {
  const text = LANGUAGES[language][key] ?? english[key] ?? key;
  return text.replace(/\{(\w+)(?::([^|}]+)\|([^}]+))?\}/g, (whole, name, one, many) => {
    if (!(name in values)) return whole;
    const value = values[name] ?? "";
    return one === undefined ? value : `${value} ${String(value) === "1" ? one : many}`;
  });
}

/** A feature's name as people say it: its title, or in Korean the alias that is Korean. */
export function label(feature) {
  const alias = language === "ko" && feature.aliases.find((name) => HANGUL.test(name));
  return alias ? alias.replaceAll("_", " ") : feature.title || feature.name.replaceAll("_", " ");
}

/** A feature's unit; empty where there is nothing to say. */
export function unit(feature) {
  return has(`unit.${feature.unit}`) ? t(`unit.${feature.unit}`) : feature.unit ?? "";
}

/** A reason of a decision: `form` is "short" for a legend, "long" for a sentence. */
export function reason(name, form) {
  const key = `reason.${name}.${form}`;
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
  return new Intl.NumberFormat(language, { minimumFractionDigits: digits, maximumFractionDigits: digits }).format(value);
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

export function moment(time) {
  return new Intl.DateTimeFormat(language, { dateStyle: "medium", timeStyle: "short" }).format(new Date(time));
}
