/** Markdown as elements: headings, paragraphs, tables, lists and code; never as HTML. */

import { el } from "./elements.js";

const FENCE = "```";

/**
 * @param {string} text
 * @param {number} depth how many levels its headings are moved down
 * @returns {HTMLElement[]}
 */
export function rendered(text, depth) {
  const lines = text.split("\n");
  const blocks = [];
  while (lines.length) {
    const line = lines[0];
    if (line.trim() === "") lines.shift();
    else if (line.startsWith(FENCE)) blocks.push(code(lines));
    else if (/^#{1,6} /.test(line)) blocks.push(heading(lines.shift(), depth));
    else if (line.startsWith("|")) blocks.push(grid(lines));
    else if (isItem(line)) blocks.push(items(lines));
    else blocks.push(paragraph(lines));
  }
  return blocks;
}

function isItem(line) {
  return /^([-*]|\d+\.) /.test(line);
}

/** Take lines for as long as they belong together. */
function taken(lines, belongs) {
  const found = [];
  while (lines.length && belongs(lines[0])) found.push(lines.shift());
  return found;
}

function heading(line, depth) {
  const [, marks, text] = line.match(/^(#+) (.*)$/);
  return el(`h${Math.min(marks.length + depth, 6)}`, {}, spans(text));
}

function code(lines) {
  lines.shift();
  const inside = taken(lines, (line) => !line.startsWith(FENCE));
  lines.shift();
  return el("pre", { tabindex: "0" }, el("code", {}, inside.join("\n")));
}

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

function cells(line) {
  return line
    .trim()
    .replace(/^\||\|$/g, "")
    .split("|")
    .map((cell) => cell.trim());
}

function items(lines) {
  const isNumbered = /^\d/.test(lines[0]);
  const found = taken(lines, isItem).map((line) => el("li", {}, spans(line.replace(/^\S+ /, ""))));
  return el(isNumbered ? "ol" : "ul", {}, found);
}

function paragraph(lines) {
  const first = lines.shift();
  const others = taken(
    lines,
    (line) => line.trim() !== "" && !/^(#{1,6} |\||```)/.test(line) && !isItem(line),
  );
  return el("p", {}, spans([first, ...others].join(" ")));
}

/** `code`, **strong** and plain text. */
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
