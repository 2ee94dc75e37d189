/** Tensors, such as series and images: read from files, checked, and drawn. */

/** @import { TensorFeature } from "../types/wire.js" */

import { el } from "./elements.js";
import { grouped } from "./numeral.js";
import { number, t } from "./words.js";

/** A picture is at most this wide and high, in CSS pixels. */
const LARGEST = 160;
const WHITE = 255;
/** Numbers in files that are not JSON are separated by these. */
const SEPARATORS = /[\s,;]+/;

/**
 * How many numbers a tensor has.
 * @param {number[]} shape
 */
function width(shape) {
  return shape.reduce((product, length) => product * length, 1);
}

/**
 * The lengths of the axes in words.
 * @param {number[]} shape
 */
export function lengths(shape) {
  return shape.map((length) => number(length)).join(" × ");
}

/**
 * The numbers of nested lists, in their order.
 * @param {unknown} value
 * @returns {number[]}
 */
function numbers(value) {
  return /** @type {number[]} */ ([value].flat(Number.POSITIVE_INFINITY));
}

/**
 * The root of the sum of squares.
 * @param {unknown} value
 */
export function norm(value) {
  return Math.hypot(...numbers(value));
}

/**
 * The tensor that a text stands for, as nested lists; undefined where it is none of the feature's.
 * @param {TensorFeature} feature
 * @param {string} text JSON, or numbers with commas, spaces or lines between them
 * @returns {unknown[] | undefined}
 */
export function tensor({ shape }, text) {
  const found = numbers(listed(text));
  if (found.length !== width(shape) || !found.every((one) => Number.isFinite(one)))
    return undefined;
  return nested(found, shape);
}

/** @param {string} text */
function listed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return text.split(SEPARATORS).filter(Boolean).map(Number);
  }
}

/**
 * @param {number[]} flat
 * @param {number[]} shape
 * @returns {unknown[]}
 */
function nested(flat, [length, ...rest]) {
  if (rest.length === 0) return flat;
  const step = width(rest);
  return Array.from({ length }, (_, at) => nested(flat.slice(at * step, (at + 1) * step), rest));
}

/**
 * A tensor of equal numbers with the median norm of training.
 * @param {TensorFeature} feature
 */
export function evenTensor({ shape, minimum, maximum, seen }) {
  const even = seen.quantiles["0.5"] / Math.sqrt(width(shape));
  const flat = Array(width(shape)).fill(Math.min(Math.max(even, minimum), maximum));
  return nested(flat, shape);
}

/**
 * What is wrong with an entry; null where nothing is.
 * @param {TensorFeature} feature
 * @param {string} text
 */
export function tensorFault(feature, text) {
  const found = tensor(feature, text);
  if (found === undefined) return t("entry.tensor", { shape: lengths(feature.shape) });
  const [least, most] = [feature.minimum, feature.maximum];
  const flat = numbers(found);
  if (flat.some((one) => one < least)) return t("entry.least", { limit: grouped(String(least)) });
  if (flat.some((one) => one > most)) return t("entry.most", { limit: grouped(String(most)) });
  return null;
}

/**
 * What an entry is, in words.
 * @param {TensorFeature} feature
 * @param {unknown} value
 */
export function tensorText(feature, value) {
  return t("value.tensor", { shape: lengths(feature.shape), norm: number(norm(value), 4) });
}

/**
 * A tensor of two axes, or of two and one channel, as a picture; nothing for others.
 * @param {TensorFeature} feature
 * @param {unknown} value
 */
export function tensorPicture({ shape }, value) {
  const [height, across, channels = 1] = shape;
  if (across === undefined || shape.length > 3 || channels !== 1) return null;
  const flat = numbers(value);
  // A case may be of another version, whose tensors have another shape.
  if (flat.length !== width(shape)) return null;
  const [least, most] = [Math.min(...flat), Math.max(...flat)];
  const scale = Math.max(1, Math.floor(LARGEST / Math.max(height, across)));
  const canvas = /** @type {HTMLCanvasElement} */ (
    el("canvas.tensor", { width: across, height, role: "img", "aria-label": t("tensor.picture") })
  );
  canvas.style.width = `${across * scale}px`;
  const drawn = canvas.getContext("2d");
  if (drawn === null) return null;
  const pixels = drawn.createImageData(across, height);
  flat.forEach((one, at) => {
    const light = most > least ? (WHITE * (one - least)) / (most - least) : 0;
    pixels.data.set([light, light, light, WHITE], 4 * at);
  });
  drawn.putImageData(pixels, 0, 0);
  return canvas;
}

/**
 * A field that takes a tensor from a file.
 * @param {string} id
 * @param {TensorFeature} feature
 * @param {import("../types/elements.js").Attributes} attributes
 * @param {string} text the entry that stands there at first
 * @param {(entry: string, input: HTMLElement) => void} taken
 * @param {Set<Promise<void>>} readings gets every file that is being read, as long as it is
 * @returns {Node[]}
 */
export function tensorField(id, feature, attributes, text, taken, readings) {
  const shown = el("div.tensor", { role: "status" });
  /** @param {string} entry */
  const show = (entry) => {
    const found = entry.trim() === "" ? undefined : tensor(feature, entry);
    shown.replaceChildren(
      ...(found === undefined
        ? []
        : [tensorPicture(feature, found) ?? "", el("p.small", {}, tensorText(feature, found))]),
    );
  };
  /** @type {HTMLInputElement} */
  const input = el("input", {
    ...attributes,
    id,
    type: "file",
    accept: ".json,.csv,.txt",
    onchange: () => {
      const reading = read().finally(() => readings.delete(reading));
      readings.add(reading);
    },
  });
  const read = async () => {
    const entry = (await input.files?.[0]?.text().catch(() => "")) ?? "";
    taken(entry, input);
    show(entry);
  };
  show(text);
  return [input, shown];
}
