/** Charts of the service itself over time: how long answers take, and how requests end. */

import { draw } from "./charts.js";
import { colour } from "./colours.js";
import { local, look, overTime, stack, stacked, whole } from "./overtime.js";
import { fixed, moment, number, t } from "./words.js";

const LEVELS = ["0.5", "0.95", "0.99"];
const DASHES = ["solid", "dash", "dot"];
const ENDS = ["answered", "invalid", "refused", "errors"];
const TINTS = {
  answered: "accent",
  invalid: "reason-6",
  refused: "epistemic-colour",
  errors: "bad",
};

/** Quantiles of the time that answers with a grade took, milliseconds. */
export function latencies({ steps }) {
  const x = steps.map(({ start }) => local(start));
  const of = (one, level) =>
    one.service.latency[level] === null ? null : 1000 * one.service.latency[level];
  const names = ["accent", "epistemic-colour", "bad"];
  const traces = LEVELS.map((level, at) => ({
    type: "scatter",
    mode: "lines+markers",
    x,
    y: steps.map((one) => of(one, level)),
    name: t(`series.latency.${level}`),
    line: { color: colour(names[at]), width: 2, dash: DASHES[at] },
    marker: { size: 5 },
    connectgaps: false,
    hovertemplate: `%{x|%m-%d %H:%M}<br>${t(`series.latency.${level}`)}: %{y:.3s} ms<extra></extra>`,
  }));
  const isEmpty = steps.every((one) => of(one, "0.5") === null);
  const layout = { showlegend: true, yaxis: { rangemode: "tozero", nticks: 5 } };
  return {
    draw: (host) =>
      draw(host, traces, overTime(steps, layout, isEmpty), t("series.latency.summary")),
    ...rows(
      steps,
      LEVELS.map((level) => [t(`series.latency.${level}`), (one) => fixed(of(one, level), 1)]),
    ),
  };
}

/** Requests for a grade, by how they ended. */
export function statuses({ steps, step }) {
  const count = ({ service: { grading } }, name) =>
    name === "answered"
      ? grading.requests - grading.invalid - grading.refused - grading.errors
      : grading[name];
  const traces = ENDS.map((name, at) =>
    stacked(
      steps,
      step,
      t(`series.statuses.${name}`),
      steps.map((one) => count(one, name)),
      look(colour(TINTS[name]), at),
      "%{y:,}",
    ),
  );
  const totals = Object.fromEntries(
    ENDS.map((name) => [name, number(steps.reduce((sum, one) => sum + count(one, name), 0))]),
  );
  const layout = { ...stack(), yaxis: whole(steps.map((one) => one.service.grading.requests)) };
  const isEmpty = steps.every((one) => one.service.grading.requests === 0);
  return {
    draw: (host) =>
      draw(host, traces, overTime(steps, layout, isEmpty), t("series.statuses.summary", totals)),
    ...rows(
      steps,
      ENDS.map((name) => [t(`series.statuses.${name}`), (one) => number(count(one, name))]),
    ),
  };
}

/** The steps in which something was asked, latest first. */
function rows(steps, columns) {
  const busy = steps.filter((one) => one.service.grading.requests > 0).reverse();
  return {
    heads: [t("time"), ...columns.map(([title]) => title)],
    rows: busy.map((one) => [moment(one.start), ...columns.map(([, cell]) => cell(one))]),
  };
}
