/** Creates DOM elements in one expression; data only ever becomes text or an attribute. */

const SVG = "http://www.w3.org/2000/svg";

/** @import { Attributes, Child, Made } from "../types/elements.js" */

/**
 * An HTML element.
 * @template {string} Name
 * @param {Name} name "p", or "p.quiet.small" with classes
 * @param {Attributes} attributes `on…` are listeners; false, null and undefined are left out
 * @param {...Child} children nodes, texts, or lists of them; null and false are left out
 * @returns {Made<Name>}
 */
export function el(name, attributes = {}, ...children) {
  const [tag, ...classes] = name.split(".");
  const made = filled(document.createElement(tag), classes, attributes, children);
  return /** @type {Made<Name>} */ (made);
}

/**
 * The same for SVG.
 * @param {string} name
 * @param {Attributes} attributes
 * @param {...Child} children
 */
export function svg(name, attributes = {}, ...children) {
  const [tag, ...classes] = name.split(".");
  return filled(document.createElementNS(SVG, tag), classes, attributes, children);
}

/**
 * @template {HTMLElement | SVGElement} E
 * @param {E} element
 * @param {string[]} classes
 * @param {Attributes} attributes
 * @param {Child[]} children
 * @returns {E}
 */
function filled(element, classes, attributes, children) {
  if (classes.length) element.setAttribute("class", classes.join(" "));
  for (const [key, value] of Object.entries(attributes)) {
    if (value === false || value === null || value === undefined) continue;
    if (typeof value === "function") element.addEventListener(key.slice("on".length), value);
    else if (typeof value === "object") styled(element, value);
    else element.setAttribute(key, value === true ? "" : String(value));
  }
  element.append(...children.flatMap(nodes));
  return element;
}

/**
 * @param {ElementCSSInlineStyle} element
 * @param {Record<string, string | number>} properties
 */
function styled({ style }, properties) {
  for (const [name, value] of Object.entries(properties)) style.setProperty(name, String(value));
}

/**
 * @param {Child} child
 * @returns {(Node | string)[]}
 */
function nodes(child) {
  if (child === null || child === undefined || child === false) return [];
  if (child instanceof Node) return [child];
  return typeof child === "object" ? child.flatMap(nodes) : [String(child)];
}

/**
 * A card with a heading.
 * @param {Child} title
 * @param {...Child} children
 */
export function card(title, ...children) {
  return el("section.card", {}, title && el("h3", {}, title), ...children);
}

/**
 * A table; the first column heads its rows.
 * @param {string} caption for those who cannot see what stands around it
 * @param {string[]} heads
 * @param {Child[][]} rows
 * @param {{classes?: string, words?: number[]}} options which columns hold no numbers
 */
export function table(caption, heads, rows, { classes, words = [] } = {}) {
  /** @param {number} at */
  const kind = (at) => (at === 0 || words.includes(at) ? null : "number");
  const head = el(
    "tr",
    {},
    heads.map((text, at) => el("th", { scope: "col", class: kind(at) }, text)),
  );
  const body = rows.map(([first, ...others]) =>
    el(
      "tr",
      {},
      el("th", { scope: "row" }, first),
      others.map((cell, at) => el("td", { class: kind(at + 1) }, cell)),
    ),
  );
  const whole = el(
    "table",
    { class: classes },
    el("caption.hidden", {}, caption),
    el("thead", {}, head),
    el("tbody", {}, body),
  );
  return el("div.scroll", { tabindex: "0", role: "group", "aria-label": caption }, whole);
}

/**
 * Numbers behind a picture, folded.
 * @param {string} summary
 * @param {...Child} children
 */
export function figures(summary, ...children) {
  return el("details.figures", {}, el("summary", {}, summary), ...children);
}
