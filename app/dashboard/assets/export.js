/** Writes tables as CSV files for a spreadsheet. */

const MARK = "\ufeff";
/** What text begins with that a spreadsheet may run. */
const FORMULA = /^\s*[=+\-@\uff1d\uff0b\uff0d\uff20]|^[\t\r\n]/;
const NUMBER = /^[+-]?\d+(\.\d+)?$/;

/** @typedef {string | number | null | undefined} Cell null leaves it empty */

/**
 * @param {string} name
 * @param {string[]} heads
 * @param {Cell[][]} rows
 */
export function download(name, heads, rows) {
  const text = csv([heads, ...rows]);
  const address = URL.createObjectURL(new Blob([text], { type: "text/csv;charset=utf-8" }));
  const link = document.createElement("a");
  link.href = address;
  link.download = name;
  link.click();
  URL.revokeObjectURL(address);
}

/**
 * Rows as a spreadsheet opens them, with nothing in them that it would run.
 * @param {Cell[][]} rows
 */
export function csv(rows) {
  return MARK + rows.map((row) => `${row.map(cell).join(",")}\r\n`).join("");
}

/** @param {Cell} value */
function cell(value) {
  const text = String(value ?? "");
  const harmless = FORMULA.test(text) && !NUMBER.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(harmless) ? `"${harmless.replaceAll('"', '""')}"` : harmless;
}
