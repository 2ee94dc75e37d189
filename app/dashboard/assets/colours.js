/** Colours of the charts: the theme in force, and a scale for ordered classes. */

import { settings } from "./settings.js";

/** @typedef {[lightness: number, chroma: number, hue: number]} Lch */

/**
 * From the first class to the last: lightness, chroma and hue (OKLCH), every one 3:1 on its ground.
 * Hues and their order are the same in both themes, so that a class is known again in the other.
 */
/** @type {Record<"light" | "dark", [Lch, Lch]>} */
const SCALES = {
  light: [
    [0.65, 0.115, 205],
    [0.34, 0.13, 335],
  ],
  dark: [
    [0.79, 0.115, 205],
    [0.55, 0.14, 335],
  ],
};
/** What tells classes apart without colour; more classes than these begin again. */
const SHAPES = ["", "/", ".", "x", "-", "\\", "+", "|"];

/** "auto", "light" or "dark". */
export function chosenTheme() {
  return settings.get("theme") ?? "auto";
}

export function showTheme() {
  document.documentElement.dataset.theme = inForce();
}

/** @returns {"light" | "dark"} */
function inForce() {
  const chosen = chosenTheme();
  if (chosen === "light" || chosen === "dark") return chosen;
  return device().matches ? "dark" : "light";
}

function device() {
  return matchMedia("(prefers-color-scheme: dark)");
}

/** @param {() => void} changed */
export function onThemeOfDevice(changed) {
  device().addEventListener("change", changed);
}

/**
 * A colour of the style sheet by its name.
 * @param {string} name
 */
export function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

/**
 * The colours of `count` ordered classes.
 * @param {number} count
 */
export function ordered(count) {
  const [from, to] = SCALES[inForce()];
  return Array.from({ length: count }, (_, at) => {
    const along = count < 2 ? 0 : at / (count - 1);
    /** @param {number} axis */
    const between = (axis) => from[axis] + along * (to[axis] - from[axis]);
    return hex(between(0), between(1), between(2));
  });
}

/**
 * The pattern of the class, series or reason at a place, as Plotly draws it over its colour.
 * @param {number} at
 */
export function pattern(at) {
  return {
    shape: SHAPES[at % SHAPES.length],
    fillmode: "overlay",
    fgcolor: colour("surface"),
    fgopacity: 0.75,
    size: 6,
    solidity: 0.22,
  };
}

/**
 * Black or white, whichever reads better on a colour.
 * @param {string} background
 */
export function ink(background) {
  const [red, green, blue] = [1, 3, 5].map((at) =>
    linear(parseInt(background.slice(at, at + 2), 16) / 255),
  );
  const luminance = 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  return luminance > 0.179 ? "#10131a" : "#ffffff";
}

/** @param {number} value */
function linear(value) {
  return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
}

/**
 * OKLCH to sRGB, by Ottosson's matrices.
 * @param {number} lightness
 * @param {number} chroma
 * @param {number} hue
 */
function hex(lightness, chroma, hue) {
  const angle = (hue * Math.PI) / 180;
  const [a, b] = [chroma * Math.cos(angle), chroma * Math.sin(angle)];
  const long = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3;
  const middle = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3;
  const short = (lightness - 0.0894841775 * a - 1.291485548 * b) ** 3;
  const rgb = [
    4.0767416621 * long - 3.3077115913 * middle + 0.2309699292 * short,
    -1.2684380046 * long + 2.6097574011 * middle - 0.3413193965 * short,
    -0.0041960863 * long - 0.7034186147 * middle + 1.707614701 * short,
  ];
  return `#${rgb.map(channel).join("")}`;
}

/** @param {number} value */
function channel(value) {
  const bounded = Math.min(Math.max(value, 0), 1);
  const encoded = bounded <= 0.0031308 ? 12.92 * bounded : 1.055 * bounded ** (1 / 2.4) - 0.055;
  return Math.round(255 * encoded)
    .toString(16)
    .padStart(2, "0");
}
