/** Common parts of charts over time: bars, axes, tables, and links to the cases of a bar. */

/** @import { Child } from "../types/elements.js" */
/** @import { Layout, Picture } from "../types/plotly.js" */
/** @import { StepFigures, UncertaintyFigures } from "../types/wire.js" */

import { plain } from "./charts.js";
import { colour, pattern } from "./colours.js";
import { el } from "./elements.js";
import { moment, number, t } from "./words.js";

const MINUTE = 60000;

/** @typedef {[title: string, cell: (step: StepFigures) => Child]} Column */

/**
 * A chart over time: its picture, the same as a table, and what a bar of each trace leads to.
 * @typedef {Picture & Table & {lead?: (trace: number) => Record<string, string>}} Series
 * @typedef {{heads: string[], rows: Child[][]}} Table
 */

/**
 * How bars look that are told apart by more than their colour.
 * @param {string} of
 * @param {number} at
 */
export function look(of, at) {
  return { color: of, pattern: pattern(at), line: { width: 0 } };
}

/**
 * @param {StepFigures[]} steps
 * @param {string} step
 * @param {string} title
 * @param {(number | null)[]} y
 * @param {object} marker
 * @param {string} format
 */
export function stacked(steps, step, title, y, marker, format) {
  const name = plain(title);
  const x = steps.map(({ start }) => local(start));
  return {
    type: "bar",
    x,
    y,
    name,
    width: wide(step),
    marker,
    hovertemplate: `%{x|%m-%d %H:%M}<br>${name}: ${format}<extra></extra>`,
  };
}

export function stack() {
  return {
    barmode: "stack",
    showlegend: true,
    legend: {
      orientation: "h",
      x: 0,
      y: 1.02,
      yanchor: "bottom",
      traceorder: "normal",
      itemclick: false,
      itemdoubleclick: false,
    },
  };
}

/**
 * An axis of counts, whose marks are whole numbers also where there are few.
 * @param {number[]} counts
 */
export function whole(counts) {
  const most = Math.max(...counts);
  const few = { dtick: 1, range: [0, Math.max(most, 2) + 0.3] };
  return { rangemode: "tozero", nticks: 5, tickformat: ",d", ...(most < 5 ? few : {}) };
}

/**
 * A layout whose horizontal axis is the window, also where nothing happened.
 * @param {StepFigures[]} steps
 * @param {Layout} layout
 * @returns {Layout}
 */
export function overTime(steps, layout, isEmpty = false) {
  const starts = steps.map(({ start }) => new Date(start).getTime());
  const half = steps.length > 1 ? (starts[1] - starts[0]) / 2 : MINUTE / 2;
  const range = [local(starts[0] - half), local(starts[starts.length - 1] + half)];
  const note = {
    text: t("series.empty"),
    xref: "paper",
    yref: "paper",
    x: 0.5,
    y: 0.5,
    showarrow: false,
    font: { color: colour("quiet"), size: 13 },
  };
  return {
    ...layout,
    margin: { l: 40, r: 8, t: 30, b: 28 },
    annotations: isEmpty ? [note] : [],
    yaxis: isEmpty ? { ...layout.yaxis, range: [0, 1] } : layout.yaxis,
    xaxis: {
      type: "date",
      range,
      nticks: 6,
      tickformatstops: [
        { dtickrange: [null, 43200000], value: "%H:%M" },
        { dtickrange: [43200000, null], value: "%m-%d" },
      ],
    },
  };
}

/**
 * The same as a table, the steps in which something was answered, latest first; each leads to its cases.
 * @param {UncertaintyFigures} data
 * @param {Column[]} columns
 * @returns {Table}
 */
export function listed(data, columns) {
  const busy = data.steps
    .map((one, at) => ({ one, at }))
    .filter(({ one }) => one.rows > 0)
    .reverse();
  return {
    heads: [t("time"), t("rows"), ...columns.map(([title]) => title)],
    rows: busy.map(({ one, at }) => [
      el("a", { href: `#review/?${casesOf(data, at)}` }, moment(one.start)),
      number(one.rows),
      ...columns.map(([, cell]) => cell(one)),
    ]),
  };
}

/**
 * What lists the cases of a step, and of what a bar counts: a query of the review queue.
 * @param {UncertaintyFigures} data
 * @param {number} at
 * @param {Record<string, string>} what
 */
export function casesOf({ steps, end }, at, what = {}) {
  const until = steps[at + 1]?.start ?? end;
  return new URLSearchParams({
    state: "all",
    since: new Date(steps[at].start).toISOString(),
    until: new Date(until).toISOString(),
    ...what,
  }).toString();
}

/** @type {Record<string, number>} */
const MILLISECONDS = { "1m": MINUTE, "10m": 10 * MINUTE, "1h": 60 * MINUTE, "1d": 1440 * MINUTE };

/** @param {string} step */
export function wide(step) {
  return 0.84 * MILLISECONDS[step];
}

/**
 * A moment on this machine's clock, as Plotly takes it.
 * @param {string | number | Date} time
 */
export function local(time) {
  const date = new Date(time);
  return new Date(date.getTime() - date.getTimezoneOffset() * MINUTE).toISOString().slice(0, 19);
}
