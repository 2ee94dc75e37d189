/** The chart of one answer: mean and spread of every class, and each pass as a dot. */

/** @import { Picture } from "../types/plotly.js" */
/** @import { MonteCarloPredictionWithDraws } from "../types/wire.js" */

import { plain } from "./charts.js";
import { colour, ordered } from "./colours.js";
import { percent, t } from "./words.js";

const MOST_DOTS = 400;
const BAR = { width: 0.34, offset: -0.4 };
const DOTS = { centre: 0.2, spread: 0.17 };
/** An irrational step spreads points evenly, and the same way every time. */
const GOLDEN = 0.6180339887498949;

/**
 * How many passes are drawn as dots.
 * @param {MonteCarloPredictionWithDraws} answer
 */
export function drawn(answer) {
  return Math.min(answer.passes, MOST_DOTS);
}

/**
 * The picture of an answer with its draws.
 * @param {MonteCarloPredictionWithDraws} answer
 * @param {string[]} classes
 * @returns {Picture}
 */
export function passesPicture(answer, classes) {
  const colours = ordered(classes.length);
  const chosen = answer.prediction_set?.grades ?? classes;
  const texts = classes.map(
    (name) => `${name} ${percent(answer.mean[name])} ± ${percent(answer.std[name])}`,
  );
  const layout = {
    margin: { l: 44, r: 4, t: 8, b: 34 },
    xaxis: {
      range: [-0.6, classes.length - 0.4],
      tickvals: classes.map((_, at) => at),
      ticktext: classes.map((name) =>
        chosen.includes(name) ? `<b>${plain(name)}</b>` : plain(name),
      ),
      tickfont: { size: 14, color: colour("text") },
    },
    yaxis: { range: [0, 1.02], tickformat: ".0%", dtick: 0.25 },
  };
  const traces = [means(answer, classes, colours, chosen), dots(answer, classes, colours)];
  return { traces, layout, summary: t("bars.summary", { grades: texts.join("; ") }) };
}

/**
 * @param {MonteCarloPredictionWithDraws} answer
 * @param {string[]} classes
 * @param {string[]} colours
 * @param {string[]} chosen
 */
function means(answer, classes, colours, chosen) {
  const mean = classes.map((name) => answer.mean[name]);
  const std = classes.map((name) => answer.std[name]);
  return {
    type: "bar",
    x: classes.map((_, at) => at),
    y: mean,
    width: BAR.width,
    offset: BAR.offset,
    marker: {
      color: colours.map((of, at) => (chosen.includes(classes[at]) ? of : hollow(of))),
      line: { color: colours, width: 1.5 },
      cornerradius: 3,
    },
    error_y: {
      type: "data",
      symmetric: false,
      color: colour("text"),
      thickness: 1.5,
      width: 5,
      array: std.map((value, at) => Math.min(value, 1 - mean[at])),
      arrayminus: std.map((value, at) => Math.min(value, mean[at])),
    },
    customdata: classes.map((name, at) => [plain(name), percent(mean[at]), percent(std[at])]),
    hovertemplate: `%{customdata[0]}<br>${t("bars.mean")} %{customdata[1]}<br>${t("bars.std")} %{customdata[2]}<extra></extra>`,
  };
}

/**
 * The same colour as a breath of it: the bar of a grade that is not in the set.
 * @param {string} of
 */
function hollow(of) {
  return `${of}30`;
}

/**
 * @param {MonteCarloPredictionWithDraws} answer
 * @param {string[]} classes
 * @param {string[]} colours
 */
function dots(answer, classes, colours) {
  const points = classes.flatMap((name, at) =>
    answer.draws[name].slice(0, MOST_DOTS).map((value, pass) => ({
      x: at + DOTS.centre + DOTS.spread * (2 * ((pass * GOLDEN) % 1) - 1),
      y: value,
      colour: colours[at],
      said: `${plain(name)} · ${t("bars.pass", { pass: pass + 1 })}<br>${percent(value)}`,
    })),
  );
  return {
    type: "scatter",
    mode: "markers",
    x: points.map(({ x }) => x),
    y: points.map(({ y }) => y),
    text: points.map(({ said }) => said),
    hovertemplate: "%{text}<extra></extra>",
    cliponaxis: false,
    marker: {
      color: points.map(({ colour }) => colour),
      size: answer.passes > 150 ? 4 : 5,
      opacity: 0.55,
      line: { width: 0 },
    },
  };
}
