/** The chart of one number: how its passes are distributed, their mean, and the interval. */

/** @import { MonteCarloPredictionWithDraws } from "../types/number.js" */
/** @import { Picture } from "../types/plotly.js" */
/** @import { PageModel } from "./answerview.js" */

import { colour } from "./colours.js";
import { feature, intervalText, inUnit } from "./numberanswer.js";
import { number, percent, t, unit } from "./words.js";

const MOST_BINS = 24;
/** Height of the line that is the interval, and how far the axis goes below 0 for it. */
const [LINE, BELOW] = [-0.06, -0.14];
const MARGIN = 0.06;

/**
 * @param {MonteCarloPredictionWithDraws} answer
 * @param {PageModel} model
 * @returns {Picture}
 */
export function numberPicture(answer, { target }) {
  const draws = answer.draws.value;
  const { x, width, shares } = binned(draws);
  const most = Math.max(...shares);
  const bars = {
    type: "bar",
    x,
    y: shares,
    width,
    marker: { color: colour("accent"), opacity: 0.75, line: { width: 0 } },
    customdata: x.map((at, bin) => [
      `${number(at - width / 2, 5)} – ${number(at + width / 2, 5)}`,
      percent(shares[bin]),
    ]),
    hovertemplate: "%{customdata[0]}<br>%{customdata[1]}<extra></extra>",
  };
  const mean = {
    type: "scatter",
    mode: "lines",
    x: [answer.mean, answer.mean],
    y: [0, most * 1.08],
    line: { color: colour("text"), width: 2 },
    hovertemplate: `${t("bars.mean")} ${inUnit(answer.mean, target)}<extra></extra>`,
  };
  const [low, high] = ends(answer);
  const space = MARGIN * (high - low || Math.abs(answer.mean) || 1);
  const layout = {
    margin: { l: 44, r: 8, t: 8, b: 42 },
    bargap: 0.02,
    xaxis: {
      range: [low - space, high + space],
      title: { text: target === undefined ? "" : unit(feature(target)), standoff: 6 },
    },
    yaxis: {
      range: [BELOW * most, 1.12 * most],
      tickformat: ".0%",
      nticks: 5,
      rangemode: "normal",
    },
  };
  const texts = {
    mean: inUnit(answer.mean, target),
    std: inUnit(answer.std, target, 1),
    interval: answer.interval ? intervalText(answer, target) : t("interval.none"),
  };
  const traces = [bars, mean, ...interval(answer, most, low - space, high + space)];
  return { traces, layout, summary: t("draws.summary", texts) };
}

/**
 * The interval as a line with ends below the bars; without a bound it goes on to the edge.
 * @param {MonteCarloPredictionWithDraws} answer
 * @param {number} most
 * @param {number} low
 * @param {number} high
 */
function interval({ interval: found }, most, low, high) {
  if (!found) return [];
  const [lower, upper] = [found.lower ?? low, found.upper ?? high];
  return [
    {
      type: "scatter",
      mode: "lines+markers",
      x: [lower, upper],
      y: [LINE * most, LINE * most],
      line: { color: colour("aleatoric-colour"), width: 5 },
      marker: {
        symbol: "line-ns",
        size: 14,
        color: colour("aleatoric-colour"),
        line: { color: colour("aleatoric-colour"), width: 3 },
      },
      hovertemplate: "%{x:,.6~g}<extra></extra>",
    },
  ];
}

/**
 * From where to where the picture goes: all passes, and the interval.
 * @param {MonteCarloPredictionWithDraws} answer
 * @returns {[number, number]}
 */
function ends({ draws, interval: found }) {
  const every = [...draws.value, found?.lower, found?.upper].filter((at) => typeof at === "number");
  return [Math.min(...every), Math.max(...every)];
}

/**
 * The passes in bins of equal width, each with its share of them.
 * @param {number[]} draws
 */
function binned(draws) {
  const [low, high] = [Math.min(...draws), Math.max(...draws)];
  const count = Math.max(1, Math.min(MOST_BINS, Math.ceil(Math.sqrt(draws.length))));
  const width = (high - low) / count || Math.abs(low) * 1e-6 || 1e-6;
  const counts = new Array(count).fill(0);
  for (const draw of draws) counts[Math.min(Math.floor((draw - low) / width), count - 1)] += 1;
  return {
    x: counts.map((_, at) => low + (at + 0.5) * width),
    width,
    shares: counts.map((one) => one / draws.length),
  };
}
