/** Charts over time: decisions, grades, uncertainty, and why rows are referred. */

import { draw, plain } from "./charts.js";
import { colour, ordered, pattern } from "./colours.js";
import { fixed, moment, number, percent, reason, t } from "./words.js";

/** Reasons of the policy have colours of their own; those of a bundle's rules share the last one. */
const KNOWN = ["ambiguous", "epistemic", "out_of_range", "missing", "few_passes", "unlikely"];
const OUTER = ["0.05", "0.95"];
const INNER = ["0.25", "0.75"];

/** Every chart: its name, a note, and what `picture(data, model)` makes of the figures. */
export const SERIES = [
  { name: "decisions", picture: decisions },
  { name: "grades", picture: grades },
  { name: "entropy", note: "series.band.note", picture: (data) => band(data, "predictive_entropy", "aleatoric-colour") },
  { name: "information", note: "series.information.note", picture: (data) => band(data, "mutual_information", "epistemic-colour") },
  { name: "reasons", picture: reasons },
];

function decisions({ steps, total, step }) {
  const parts = [["automated", colour("accent")], ["referred", colour("epistemic-colour")], ["undecided", colour("reason-6")]];
  const count = (one, name) => (name === "undecided" ? one.rows - one.automated - one.referred : one[name]);
  const shown = parts.filter(([name]) => name !== "undecided" || count(total, name) > 0);
  const traces = shown.map(([name, of], at) => stacked(steps, step, t(name), steps.map((one) => count(one, name)), look(of, at), "%{y:,}"));
  const summary = t("series.decisions.summary", { automated: number(total.automated), referred: number(total.referred) });
  return {
    draw: (host) => draw(host, traces, overTime(steps, { ...stack(), yaxis: whole(steps.map(({ rows }) => rows)) }), summary),
    ...listed(steps, shown.map(([name]) => [t(name), (one) => number(count(one, name))])),
  };
}

function grades({ steps, total, step }, { classes }) {
  const colours = ordered(classes.length);
  const traces = classes.map((name, at) =>
    stacked(steps, step, name, steps.map((one) => ratio(one, one.grades[name] ?? 0)), look(colours[at], at), "%{y:.1%}"));
  const texts = classes.map((name) => `${name} ${percent(ratio(total, total.grades[name] ?? 0))}`);
  return {
    draw: (host) => draw(host, traces, overTime(steps, { ...stack(), yaxis: { range: [0, 1], tickformat: ".0%", dtick: 0.25 } }),
      t("series.grades.summary", { grades: texts.join(", ") })),
    ...listed(steps, classes.map((name) => [name, (one) => number(one.grades[name] ?? 0)])),
  };
}

function reasons({ steps, total, step }) {
  const names = Object.keys(total.reasons).filter((name) => total.reasons[name] > 0).sort((a, b) => total.reasons[b] - total.reasons[a]);
  const titles = names.map((name) => `${reason(name, "short")} (${number(total.reasons[name])})`);
  const count = (one, name) => one.reasons[name] ?? 0;
  const traces = names.map((name, at) =>
    stacked(steps, step, titles[at], steps.map((one) => count(one, name)), look(tint(name), at), "%{y:,}"));
  const heights = steps.map((one) => names.reduce((sum, name) => sum + count(one, name), 0));
  const layout = overTime(steps, { ...stack(), yaxis: whole(heights) }, names.length === 0);
  return {
    draw: (host) => draw(host, traces, layout, t("series.reasons.summary", { reasons: titles.join(", ") || t("series.empty") })),
    ...listed(steps, names.map((name) => [reason(name, "short"), (one) => number(count(one, name))])),
  };
}

function tint(name) {
  const at = KNOWN.indexOf(name);
  return colour(`reason-${(at < 0 ? KNOWN.length : at) + 1}`);
}

/** Quantiles as standing bars: nothing is drawn between two steps where nothing was answered. */
function band({ steps, total, step }, name, tint) {
  const x = steps.map(({ start }) => local(start));
  const at = (one, level) => one[name]?.[level] ?? null;
  const bar = ([low, high], opacity, title) => ({
    type: "bar", x, base: steps.map((one) => at(one, low)), width: wide(step),
    y: steps.map((one) => (one.rows ? at(one, high) - at(one, low) : null)), name: title,
    marker: { color: colour(tint), opacity }, hoverinfo: "skip",
  });
  const middle = {
    type: "scatter", mode: "markers", x, y: steps.map((one) => at(one, "0.5")), name: t("median"),
    marker: { symbol: "line-ew", size: 8, line: { color: colour("text"), width: 2 } },
    customdata: steps.map((one) => [...OUTER, ...INNER].map((level) => fixed(at(one, level)))),
    hovertemplate: `%{x|%H:%M}<br>${t("median")} %{y:.3f}<br>${t("band50")} %{customdata[2]}–%{customdata[3]}<br>${t("band90")} %{customdata[0]}–%{customdata[1]}<extra></extra>`,
  };
  const levels = [...OUTER, ...INNER, "0.5"].sort();
  const texts = { median: fixed(at(total, "0.5")), low: fixed(at(total, "0.05")), high: fixed(at(total, "0.95")) };
  const layout = { barmode: "overlay", showlegend: true, yaxis: { rangemode: "tozero", nticks: 5 } };
  return {
    draw: (host) => draw(host, [bar(OUTER, 0.3, t("band90")), bar(INNER, 0.75, t("band50")), middle], overTime(steps, layout, total.rows === 0), t("series.band.summary", texts)),
    ...listed(steps, levels.map((level) => [percent(Number(level), 0), (one) => fixed(at(one, level), 4)])),
  };
}

/** How bars look that are told apart by more than their colour. */
function look(of, at) {
  return { color: of, pattern: pattern(at), line: { width: 0 } };
}

function stacked(steps, step, title, y, marker, format) {
  const name = plain(title);
  const x = steps.map(({ start }) => local(start));
  return { type: "bar", x, y, name, width: wide(step), marker, hovertemplate: `%{x|%m-%d %H:%M}<br>${name}: ${format}<extra></extra>` };
}

function stack() {
  return { barmode: "stack", showlegend: true, legend: { orientation: "h", x: 0, y: 1.02, yanchor: "bottom", traceorder: "normal", itemclick: false, itemdoubleclick: false } };
}

/** An axis of counts, whose marks are whole numbers also where there are few. */
function whole(counts) {
  const most = Math.max(...counts);
  const few = { dtick: 1, range: [0, Math.max(most, 2) + 0.3] };
  return { rangemode: "tozero", nticks: 5, tickformat: ",d", ...(most < 5 ? few : {}) };
}

/** A layout whose horizontal axis is the window, also where nothing happened. */
function overTime(steps, layout, isEmpty = false) {
  const half = (new Date(steps[1].start) - new Date(steps[0].start)) / 2;
  const range = [local(new Date(steps[0].start) - half), local(new Date(steps.at(-1).start).getTime() + half)];
  const note = { text: t("series.empty"), xref: "paper", yref: "paper", x: 0.5, y: 0.5, showarrow: false, font: { color: colour("quiet"), size: 13 } };
  return {
    ...layout, margin: { l: 40, r: 8, t: 30, b: 28 }, annotations: isEmpty ? [note] : [],
    yaxis: isEmpty ? { ...layout.yaxis, range: [0, 1] } : layout.yaxis,
    xaxis: {
      type: "date", range, nticks: 6,
      tickformatstops: [{ dtickrange: [null, 43200000], value: "%H:%M" }, { dtickrange: [43200000, null], value: "%m-%d" }],
    },
  };
}

/** The same as a table, the steps in which something was answered, latest first. */
function listed(steps, columns) {
  const busy = steps.filter(({ rows }) => rows > 0).reverse();
  return {
    heads: [t("time"), t("rows"), ...columns.map(([title]) => title)],
    rows: busy.map((one) => [moment(one.start), number(one.rows), ...columns.map(([, cell]) => cell(one))]),
  };
}

const MILLISECONDS = { "1m": 60000, "10m": 600000, "1h": 3600000, "1d": 86400000 };

function wide(step) {
  return 0.84 * MILLISECONDS[step];
}

function ratio({ rows }, count) {
  return rows ? count / rows : null;
}

/** A moment on this machine's clock, as Plotly takes it. */
function local(time) {
  const date = new Date(time);
  return new Date(date.getTime() - date.getTimezoneOffset() * 60000).toISOString().slice(0, 19);
}
