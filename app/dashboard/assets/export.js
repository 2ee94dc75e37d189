/** Tables as files for a spreadsheet. */

const MARK = "\ufeff";
/** What text begins with that a spreadsheet may run. */
const FORMULA = /^\s*[=+\-@\uff1d\uff0b\uff0d\uff20]|^[\t\r\n]/;
const NUMBER = /^[+-]?\d+(\.\d+)?$/;

/** @param {string} name @param {string[]} heads @param {(string | number | null | undefined)[][]} rows null leaves a cell empty */
export function download(name, heads, rows) {
  const lines = [heads, ...rows].map((row) => `${row.map(cell).join(",")}\r\n`);
  const address = URL.createObjectURL(
    new Blob([MARK, ...lines], { type: "text/csv;charset=utf-8" }),
  );
  const link = document.createElement("a");
  link.href = address;
  link.download = name;
  link.click();
  URL.revokeObjectURL(address);
}

/** @param {string | number | null | undefined} value */
function cell(value) {
  const text = String(value ?? "");
  const harmless = FORMULA.test(text) && !NUMBER.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(harmless) ? `"${harmless.replaceAll('"', '""')}"` : harmless;
}
