/** Parses and formats numbers with the thousands separators of the page's language. */

import { spoken } from "./words.js";

const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;
const DIGITS = /^(-?)(\d+)(?:\.(\d+))?$/;
const SPACES = /[\s\u00a0\u202f]/g;

/** The language's separators: between thousands, and before the fraction. */
function separators() {
  const parts = new Intl.NumberFormat(spoken()).formatToParts(1234567.8);
  /** @param {"group" | "decimal"} type */
  const of = (type) => parts.find((part) => part.type === type)?.value ?? "";
  return { group: of("group"), decimal: of("decimal") };
}

/**
 * What was typed, without separators and with a point, of the same digits; null where it is no
 * number. Thousands are separated rightly or not at all: nobody can tell what `1,5` means.
 * @param {string} text
 */
export function canonical(text) {
  const { group, decimal } = separators();
  const typed = text.normalize("NFKC").trim().replace("\u2212", "-").replace(SPACES, " ");
  const [whole, ...rest] = typed.split(decimal);
  const joined = joinedThousands(whole, [group.replace(SPACES, " "), " "]);
  const found = joined === null ? "" : [joined, ...rest].join(".");
  return NUMBER.test(found) ? found : null;
}

/**
 * @param {string} whole
 * @param {string[]} groups
 */
function joinedThousands(whole, groups) {
  const group = groups.find((one) => whole.includes(one));
  if (group === undefined) return whole;
  const [first, ...others] = whole.split(group);
  const isRight = /^[+-]?\d{1,3}$/.test(first) && others.every((three) => /^\d{3}$/.test(three));
  return isRight ? [first, ...others].join("") : null;
}

/**
 * A canonical number with separators; anything else stays as it is.
 * @param {string} text
 */
export function grouped(text) {
  const found = DIGITS.exec(text);
  if (found === null) return text;
  const { group, decimal } = separators();
  const [, sign, whole, fraction] = found;
  const thousands = whole.replace(/\B(?=(\d{3})+$)/g, group);
  return `${sign}${thousands}${fraction === undefined ? "" : decimal + fraction}`;
}
