/** Renders Markdown as elements (headings, paragraphs, tables, lists, code), never as HTML. */

import { el } from "./elements.js";

const FENCE = "```";

/**
 * @param {string} text
 * @param {number} depth how many levels its headings are moved down
 * @returns {HTMLElement[]}
 */
export function rendered(text, depth) {
  const lines = text.split("\n");
  /** @type {HTMLElement[]} */
  const blocks = [];
  while (lines.length) {
    if (lines[0].trim() === "") lines.shift();
    else blocks.push(block(lines, depth));
  }
  return blocks;
}

/**
 * Take the lines of the first block.
 * @param {string[]} lines
 * @param {number} depth
 */
function block(lines, depth) {
  const [line] = lines;
  if (line.startsWith(FENCE)) return code(lines);
  if (/^#{1,6} /.test(line)) return heading(lines, depth);
  if (line.startsWith("|")) return grid(lines);
  return isItem(line) ? items(lines) : paragraph(lines);
}

/** @param {string} line */
function isItem(line) {
  return /^([-*]|\d+\.) /.test(line);
}

/**
 * Take lines for as long as they belong together.
 * @param {string[]} lines
 * @param {(line: string) => boolean} belongs
 */
function taken(lines, belongs) {
  const end = lines.findIndex((line) => !belongs(line));
  return lines.splice(0, end < 0 ? lines.length : end);
}

/**
 * @param {string[]} lines
 * @param {number} depth
 */
function heading(lines, depth) {
  const [line] = lines.splice(0, 1);
  const marks = line.indexOf(" ");
  return el(`h${Math.min(marks + depth, 6)}`, {}, spans(line.slice(marks + 1)));
}

/** @param {string[]} lines */
function code(lines) {
  lines.shift();
  const inside = taken(lines, (line) => !line.startsWith(FENCE));
  lines.shift();
  return el("pre", { tabindex: "0" }, el("code", {}, inside.join("\n")));
}

/** @param {string[]} lines */
function grid(lines) {
  const [head, , ...rows] = taken(lines, (line) => line.startsWith("|")).map(cells);
  const whole = el(
    "table",
    {},
    el(
      "thead",
      {},
      el(
        "tr",
        {},
        head.map((cell) => el("th", { scope: "col" }, spans(cell))),
      ),
    ),
    el(
      "tbody",
      {},
      rows.map((row) =>
        el(
          "tr",
          {},
          row.map((cell) => el("td", {}, spans(cell))),
        ),
      ),
    ),
  );
  return el("div.scroll", { tabindex: "0", role: "group", "aria-label": head.join(", ") }, whole);
}

/** @param {string} line */
function cells(line) {
  return line
    .trim()
    .replace(/^\||\|$/g, "")
    .split("|")
    .map((cell) => cell.trim());
}

/** @param {string[]} lines */
function items(lines) {
  const isNumbered = /^\d/.test(lines[0]);
  const found = taken(lines, isItem).map((line) => el("li", {}, spans(line.replace(/^\S+ /, ""))));
  return el(isNumbered ? "ol" : "ul", {}, found);
}

/** @param {string[]} lines */
function paragraph(lines) {
  const first = lines.splice(0, 1);
  const others = taken(
    lines,
    (line) => line.trim() !== "" && !/^(#{1,6} |\||```)/.test(line) && !isItem(line),
  );
  return el("p", {}, spans([...first, ...others].join(" ")));
}

/**
 * `code`, **strong** and plain text.
 * @param {string} text
 */
function spans(text) {
  return text
    .split(/(`[^`]+`|\*\*[^*]+\*\*)/)
    .filter(Boolean)
    .map((part) => {
      if (part.startsWith("`") && part.length > 2) return el("code", {}, part.slice(1, -1));
      if (part.startsWith("**") && part.length > 4) return el("strong", {}, part.slice(2, -2));
      return part;
    });
}
