/** Elements of the page, made in one expression; data only ever becomes text or an attribute. */

const SVG = "http://www.w3.org/2000/svg";

/**
 * An HTML element.
 * @param {string} name "p", or "p.quiet.small" with classes
 * @param {Object<string, any>} attributes `on…` are listeners; false, null and undefined are left out
 * @param {...any} children nodes, texts, or lists of them; null and false are left out
 */
export function el(name, attributes = {}, ...children) {
  const [tag, ...classes] = name.split(".");
  return filled(document.createElement(tag), classes, attributes, children);
}

/** The same for SVG. */
export function svg(name, attributes = {}, ...children) {
  const [tag, ...classes] = name.split(".");
  return filled(document.createElementNS(SVG, tag), classes, attributes, children);
}

function filled(element, classes, attributes, children) {
  if (classes.length) element.setAttribute("class", classes.join(" "));
  for (const [key, value] of Object.entries(attributes)) {
    if (value === false || value === null || value === undefined) continue;
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (key === "style")
      Object.entries(value).forEach(([one, to]) => element.style.setProperty(one, to));
    else element.setAttribute(key, value === true ? "" : String(value));
  }
  element.append(
    ...children
      .flat(Infinity)
      .filter((child) => child !== null && child !== undefined && child !== false),
  );
  return element;
}

/** A card with a heading. */
export function card(title, ...children) {
  return el("section.card", {}, title && el("h3", {}, title), ...children);
}

/**
 * A table; the first column heads its rows.
 * @param {string} caption for those who cannot see what stands around it
 * @param {string[]} heads
 * @param {any[][]} rows
 * @param {{classes?: string, words?: number[]}} options which columns hold no numbers
 */
export function table(caption, heads, rows, { classes, words = [] } = {}) {
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

/** Numbers behind a picture, folded. */
export function figures(summary, ...children) {
  return el("details.figures", {}, el("summary", {}, summary), ...children);
}
