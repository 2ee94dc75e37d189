/** Charts of answers over time: decisions, grades, uncertainty, reasons for referral. */

/** @import { Series } from "./overtime.js" */
/** @import { NumberUncertaintyFigures } from "../types/number.js" */
/** @import { Figures, ModelDescription, UncertaintyFigures } from "../types/wire.js" */
/** @import { PageModel } from "./answerview.js" */

import { colour, ordered } from "./colours.js";
import { listed, local, look, overTime, stack, stacked, whole, wide } from "./overtime.js";
import { latencies, statuses } from "./traffic.js";
import { fixed, number, percent, REASONS, reason, t } from "./words.js";

/** @type {[string, string]} */
const OUTER = ["0.05", "0.95"];
/** @type {[string, string]} */
const INNER = ["0.25", "0.75"];

/**
 * How rows were decided: how many, in which colour, and what lists them.
 * @type {Record<string, {count: (one: Figures) => number, tint: string, lead: Record<string, string>}>}
 */
const PARTS = {
  automated: {
    count: (one) => one.automated,
    tint: "accent",
    lead: { action: "automate" },
  },
  referred: {
    count: (one) => one.referred,
    tint: "epistemic-colour",
    lead: { action: "refer" },
  },
  undecided: {
    count: (one) => one.rows - one.automated - one.referred,
    tint: "reason-6",
    lead: {},
  },
};

/**
 * Every chart: its name, a note, and what `picture(data, model)` makes of the figures: how it is drawn,
 * its table, and what a bar of each trace leads to.
 * @type {{name: string, note?: string, picture: (data: any, model: PageModel) => Series}[]}
 */
const CLASSES = [
  { name: "decisions", picture: decisions },
  { name: "grades", picture: grades },
  {
    name: "entropy",
    note: "series.band.note",
    picture: (data) => band(data, "predictive_entropy", "aleatoric-colour"),
  },
  {
    name: "information",
    note: "series.information.note",
    picture: (data) => band(data, "mutual_information", "epistemic-colour"),
  },
  { name: "reasons", picture: reasons },
  { name: "latency", note: "series.latency.note", picture: latencies },
  { name: "statuses", note: "series.statuses.note", picture: statuses },
];

/** @type {typeof CLASSES} the same of a number */
const NUMBER = [
  { name: "decisions", picture: decisions },
  { name: "values", note: "series.values.note", picture: values },
  {
    name: "std",
    note: "series.std.note",
    picture: (data) => band(data, "std", "epistemic-colour", brief),
  },
  {
    name: "width",
    note: "series.width.note",
    picture: (data) => band(data, "width", "aleatoric-colour", brief),
  },
  { name: "reasons", picture: reasons },
  { name: "latency", note: "series.latency.note", picture: latencies },
  { name: "statuses", note: "series.statuses.note", picture: statuses },
];

/**
 * The charts of what a model predicts.
 * @param {PageModel} model
 */
export function seriesOf({ target }) {
  return target === undefined ? CLASSES : NUMBER;
}

/** @param {number | null} value */
function brief(value) {
  return number(value, 4);
}

/**
 * @param {UncertaintyFigures} data
 * @returns {Series}
 */
function decisions(data) {
  const { steps, total, step } = data;
  const shown = Object.keys(PARTS).filter(
    (name) => name !== "undecided" || PARTS[name].count(total) > 0,
  );
  const traces = shown.map((name, at) =>
    stacked(
      steps,
      step,
      t(name),
      steps.map(PARTS[name].count),
      look(colour(PARTS[name].tint), at),
      "%{y:,}",
    ),
  );
  const summary = t("series.decisions.summary", {
    automated: number(total.automated),
    referred: number(total.referred),
  });
  return {
    traces,
    layout: overTime(steps, { ...stack(), yaxis: whole(steps.map(({ rows }) => rows)) }),
    summary,
    lead: (trace) => PARTS[shown[trace]].lead,
    ...listed(
      data,
      shown.map((name) => [t(name), (one) => number(PARTS[name].count(one))]),
    ),
  };
}

/**
 * @param {UncertaintyFigures} data
 * @param {ModelDescription} model
 * @returns {Series}
 */
function grades(data, { classes }) {
  const { steps, total, step } = data;
  const colours = ordered(classes.length);
  const traces = classes.map((name, at) =>
    stacked(
      steps,
      step,
      name,
      steps.map((one) => ratio(one, one.grades[name] ?? 0)),
      look(colours[at], at),
      "%{y:.1%}",
    ),
  );
  const texts = classes.map((name) => `${name} ${percent(ratio(total, total.grades[name] ?? 0))}`);
  return {
    traces,
    layout: overTime(steps, {
      ...stack(),
      yaxis: { range: [0, 1], tickformat: ".0%", dtick: 0.25 },
    }),
    summary: t("series.grades.summary", { grades: texts.join(", ") }),
    lead: (trace) => ({ grade: classes[trace] }),
    ...listed(
      data,
      classes.map((name) => [name, (one) => number(one.grades[name] ?? 0)]),
    ),
  };
}

/**
 * @param {UncertaintyFigures} data
 * @returns {Series}
 */
function reasons(data) {
  const { steps, total, step } = data;
  const names = Object.keys(total.reasons)
    .filter((name) => total.reasons[name] > 0)
    .sort((a, b) => total.reasons[b] - total.reasons[a]);
  const titles = names.map((name) => `${reason(name, "short")} (${number(total.reasons[name])})`);
  /** @type {(one: Figures, name: string) => number} */
  const count = (one, name) => one.reasons[name] ?? 0;
  const traces = names.map((name, at) =>
    stacked(
      steps,
      step,
      titles[at],
      steps.map((one) => count(one, name)),
      look(tint(name), at),
      "%{y:,}",
    ),
  );
  const heights = steps.map((one) => names.reduce((sum, name) => sum + count(one, name), 0));
  const layout = overTime(steps, { ...stack(), yaxis: whole(heights) }, names.length === 0);
  return {
    traces,
    layout,
    summary: t("series.reasons.summary", { reasons: titles.join(", ") || t("series.empty") }),
    lead: (trace) => ({ reason: names[trace] }),
    ...listed(
      data,
      names.map((name) => [reason(name, "short"), (one) => number(count(one, name))]),
    ),
  };
}

/**
 * The colour of a reason; those of a bundle's rules share the last one.
 * @param {string} name
 */
function tint(name) {
  const at = REASONS.indexOf(name);
  return colour(`reason-${(at < 0 ? REASONS.length : at) + 1}`);
}

/**
 * Quantiles as standing bars: nothing is drawn between two steps where nothing was answered.
 * @param {UncertaintyFigures} data
 * @param {"predictive_entropy" | "mutual_information" | "std" | "width"} name
 * @param {string} tint
 * @param {(value: number | null) => string} said
 * @returns {Series}
 */
function band(data, name, tint, said = fixed) {
  const { steps, total, step } = data;
  const x = steps.map(({ start }) => local(start));
  /** @type {(one: any, level: string) => number | null} */
  const at = (one, level) => one[name]?.[level] ?? null;
  /** @type {(levels: [string, string], opacity: number, title: string) => object} */
  const bar = ([low, high], opacity, title) => ({
    type: "bar",
    x,
    base: steps.map((/** @type {any} */ one) => at(one, low)),
    width: wide(step),
    y: steps.map((one) => (one.rows ? Number(at(one, high)) - Number(at(one, low)) : null)),
    name: title,
    marker: { color: colour(tint), opacity },
    hoverinfo: "skip",
  });
  const middle = {
    type: "scatter",
    mode: "markers",
    x,
    y: steps.map((one) => at(one, "0.5")),
    name: t("median"),
    marker: { symbol: "line-ew", size: 8, line: { color: colour("text"), width: 2 } },
    customdata: steps.map((one) =>
      [...OUTER, ...INNER, "0.5"].map((level) => said(at(one, level))),
    ),
    hovertemplate: `%{x|%H:%M}<br>${t("median")} %{customdata[4]}<br>${t("band50")} %{customdata[2]}–%{customdata[3]}<br>${t("band90")} %{customdata[0]}–%{customdata[1]}<extra></extra>`,
  };
  const levels = [...OUTER, ...INNER, "0.5"].sort();
  const texts = {
    median: said(at(total, "0.5")),
    low: said(at(total, "0.05")),
    high: said(at(total, "0.95")),
  };
  const layout = {
    barmode: "overlay",
    showlegend: true,
    yaxis: { rangemode: "tozero", nticks: 5 },
  };
  return {
    traces: [bar(OUTER, 0.3, t("band90")), bar(INNER, 0.75, t("band50")), middle],
    layout: overTime(steps, layout, total.rows === 0),
    summary: t("series.band.summary", texts),
    lead: () => ({}),
    ...listed(
      data,
      levels.map((level) => [
        percent(Number(level), 0),
        (one) => (said === fixed ? fixed(at(one, level), 4) : said(at(one, level))),
      ]),
    ),
  };
}

/**
 * @param {Figures} figures
 * @param {number} count
 */
function ratio({ rows }, count) {
  return rows ? count / rows : null;
}

/**
 * The predicted numbers of the whole time, beside those of training: shares by bin of training.
 * @param {NumberUncertaintyFigures} data
 * @param {PageModel} model
 * @returns {Series}
 */
function values(data, { target }) {
  const { edges, rows } = data.total.values;
  const count = data.total.rows;
  const bins = rows.slice(1, -1);
  const training = target?.seen.histogram_counts ?? [];
  const known = training.reduce((sum, one) => sum + one, 0) || 1;
  const names = bins.map((_, at) => `${number(edges[at], 5)} – ${number(edges[at + 1], 5)}`);
  const shares = bins.map((one) => (count ? one / count : null));
  const before = training.map((one) => one / known);
  const seen = {
    type: "scatter",
    mode: "lines",
    line: { shape: "hvh", color: colour("edge"), width: 2 },
    x: names.map((_, at) => at),
    y: before,
    name: t("values.training"),
    hovertemplate: "%{y:.1%}<extra></extra>",
  };
  const answered = {
    type: "bar",
    x: names.map((_, at) => at),
    y: shares,
    name: t("values.predicted"),
    marker: { color: colour("accent"), opacity: 0.8, line: { width: 0 } },
    customdata: names,
    hovertemplate: "%{customdata}<br>%{y:.1%}<extra></extra>",
  };
  const marks = [0, Math.floor(bins.length / 2), bins.length];
  const layout = {
    margin: { l: 40, r: 8, t: 30, b: 28 },
    showlegend: true,
    xaxis: {
      range: [-0.6, bins.length - 0.4],
      tickvals: marks.map((at) => at - 0.5),
      ticktext: marks.map((at) => number(edges[at], 4)),
      ticklabeloverflow: "allow",
    },
    yaxis: { rangemode: "tozero", tickformat: ".0%", nticks: 5 },
  };
  const texts = {
    below: number(rows[0]),
    above: number(rows[rows.length - 1]),
    rows: number(count),
  };
  return {
    traces: [answered, seen],
    layout,
    summary: t("series.values.summary", texts),
    heads: [t("value"), t("values.predicted"), t("values.training")],
    rows: names.map((name, at) => [name, percent(shares[at]), percent(before[at])]),
  };
}
