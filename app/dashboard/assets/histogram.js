/** Draws the training histogram of a feature, and the position of a value in it. */

/** @import { AnyFeature, Feature, ListedFeature, Seen, TensorFeature, Value } from "../types/wire.js" */

import { svg } from "./elements.js";
import { WHOLE } from "./entries.js";
import { norm } from "./tensor.js";
import { isListed, mostCommon, placeOf, shareOf } from "./values.js";
import { number, percent, t } from "./words.js";

const [WIDTH, HEIGHT] = [120, 28];
const EDGE = 3;
/** From this share on, a bin says more of a value than how many are below it. */
const MANY = 0.15;

/**
 * What training saw of a feature, and the place of a value in it.
 * @param {AnyFeature} feature
 * @param {Value} value to be marked
 */
export function histogram(feature, value = null) {
  if (isListed(feature)) return shares(feature, placeOf(feature, value));
  const watched = Array.isArray(value) ? norm(value) : value;
  return densities(feature, typeof watched === "number" ? watched : null);
}

/**
 * A bar for each value of a list, as high as its share.
 * @param {ListedFeature} feature
 * @param {number} here place of the value to be marked; −1 for none
 */
function shares(feature, here) {
  const { counts } = feature.seen;
  const tallest = Math.max(...counts);
  const wide = (WIDTH - 2 * EDGE) / counts.length;
  const rects = counts.map((count, at) => {
    const tall = Math.max((HEIGHT * count) / tallest, 1);
    const [x, y] = [EDGE + at * wide, HEIGHT - tall];
    const look = at === here ? "rect.here" : "rect";
    return svg(look, { x, y, width: Math.max(wide - 0.6, 0.4), height: tall });
  });
  const told = t("model.listed", { count: number(counts.length), common: mostCommon(feature) });
  return svg(
    "svg.histogram",
    { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": told },
    rects,
  );
}

/**
 * A histogram by density over the middle 98% of values.
 * @param {Feature | TensorFeature} feature
 * @param {number|null} value to be marked; outside values stand at the edge
 */
function densities(feature, value) {
  const [low, high] = shown(feature.seen);
  /** @param {number} at */
  const place = (at) =>
    EDGE + ((WIDTH - 2 * EDGE) * (Math.min(Math.max(at, low), high) - low)) / (high - low);
  const parts = bins(feature.seen, place);
  const tallest = Math.max(...parts.map(({ density }) => density));
  const rects = parts.map(({ x, width, density }) => {
    const tall = Math.max((HEIGHT * density) / tallest, 1);
    return svg("rect", { x, y: HEIGHT - tall, width: Math.max(width - 0.6, 1), height: tall });
  });
  const here =
    value === null
      ? []
      : [svg("line.here", { x1: place(value), x2: place(value), y1: 0, y2: HEIGHT })];
  return svg(
    "svg.histogram",
    { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": summary(feature.seen) },
    rects,
    here,
  );
}

/** @param {Seen} seen */
function summary({ minimum, maximum, quantiles }) {
  const [low, high] = [quantiles["0.25"], quantiles["0.75"]].map((at) => number(at));
  return t("model.histogram", { minimum: number(minimum), maximum: number(maximum), low, high });
}

/**
 * From where to where is drawn: without the longest tails, unless nothing is between them.
 * @param {Seen} seen
 * @returns {[number, number]}
 */
function shown({ minimum, maximum, quantiles, histogram_edges: edges }) {
  const [low, high] = [quantiles["0.01"] ?? minimum, quantiles["0.99"] ?? maximum];
  if (high > low) return [low, high];
  if (maximum > minimum) return [minimum, maximum];
  return [minimum - 3 * (edges[1] - edges[0]), minimum + 4 * (edges[1] - edges[0])];
}

/**
 * @param {Seen} seen
 * @param {(value: number) => number} place
 */
function bins({ histogram_edges: edges, histogram_counts: counts }, place) {
  return counts
    .map((count, at) => ({
      x: place(edges[at]),
      width: place(edges[at + 1]) - place(edges[at]),
      density: count / (edges[at + 1] - edges[at]),
    }))
    .filter(({ width }) => width > 0.2);
}

/**
 * Whether training saw nothing like a value.
 * @param {AnyFeature} feature
 * @param {Value} value
 */
export function isOdd(feature, value) {
  if (value === null) return true;
  if (isListed(feature)) return !feature.seen.counts[placeOf(feature, value)];
  const watched = Array.isArray(value) ? norm(value) : Number(value);
  return watched < feature.seen.minimum || watched > feature.seen.maximum;
}

/**
 * Where a value stands among those of training, in words.
 * @param {AnyFeature} feature
 * @param {Value} value
 */
export function standing(feature, value) {
  if (value === null) return t("review.absent");
  if (isListed(feature)) {
    if (isOdd(feature, value)) return t("review.unknown");
    return t("review.same", { share: percent(shareOf(feature, placeOf(feature, value)), 0) });
  }
  return among(feature, Array.isArray(value) ? norm(value) : Number(value));
}

/**
 * @param {Feature | TensorFeature} feature
 * @param {number} value
 */
function among(feature, value) {
  const { seen } = feature;
  if (value < seen.minimum || value > seen.maximum) return t("review.outside");
  const { together, isSame } = company(feature, value);
  if (together >= MANY)
    return t(isSame ? "review.same" : "review.close", { share: percent(together, 0) });
  return t("review.percentile", { share: percent(below(seen, value), 0) });
}

/**
 * The share of training's values that stand in the same bin, and whether they are all the same.
 * @param {Feature | TensorFeature} feature
 * @param {number} value
 */
function company(
  { kind, seen: { minimum, maximum, histogram_edges: edges, histogram_counts: counts } },
  value,
) {
  const total = counts.reduce((sum, count) => sum + count, 0);
  const at = counts.findIndex((_, bin) => value >= edges[bin] && value < edges[bin + 1]);
  const isOne = WHOLE.has(kind) && edges[at + 1] - edges[at] <= 1 && at + 1 < counts.length;
  return { together: (counts[at] ?? 0) / total, isSame: isOne || minimum === maximum };
}

/**
 * The share of training's values that are smaller, as far as the histogram tells.
 * @param {Seen} seen
 * @param {number} value
 */
function below({ histogram_edges: edges, histogram_counts: counts }, value) {
  const total = counts.reduce((sum, count) => sum + count, 0);
  const part = counts.reduce((sum, count, at) => {
    const inside = (value - edges[at]) / (edges[at + 1] - edges[at]);
    return sum + count * Math.min(Math.max(inside, 0), 1);
  }, 0);
  return part / total;
}
