/** Charts of the service's traffic over time: latency, and requests by result. */

/** @import { Column, Series, Table } from "./overtime.js" */
/** @import { ExchangeFigures, StepFigures, UncertaintyFigures } from "../types/wire.js" */

import { colour } from "./colours.js";
import { local, look, overTime, stack, stacked, whole } from "./overtime.js";
import { fixed, moment, number, t } from "./words.js";

const LEVELS = ["0.5", "0.95", "0.99"];
const DASHES = ["solid", "dash", "dot"];
/**
 * How a request may end: how many did, and in which colour.
 * @type {Record<string, {count: (one: ExchangeFigures) => number, tint: string}>}
 */
const ENDS = {
  answered: {
    count: (one) => one.requests - one.invalid - one.refused - one.errors,
    tint: "accent",
  },
  invalid: { count: (one) => one.invalid, tint: "reason-6" },
  refused: { count: (one) => one.refused, tint: "epistemic-colour" },
  errors: { count: (one) => one.errors, tint: "bad" },
};

/**
 * Quantiles of the time that answers with a grade took, milliseconds.
 * @param {UncertaintyFigures} data
 * @returns {Series}
 */
export function latencies({ steps }) {
  const x = steps.map(({ start }) => local(start));
  /** @type {(one: StepFigures, level: string) => number | null} */
  const of = ({ service }, level) => {
    const seconds = service.latency[level] ?? null;
    return seconds === null ? null : 1000 * seconds;
  };
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
    traces,
    layout: overTime(steps, layout, isEmpty),
    summary: t("series.latency.summary"),
    ...rows(
      steps,
      LEVELS.map((level) => [t(`series.latency.${level}`), (one) => fixed(of(one, level), 1)]),
    ),
  };
}

/**
 * Requests for a grade, by how they ended.
 * @param {UncertaintyFigures} data
 * @returns {Series}
 */
export function statuses({ steps, step }) {
  const names = Object.keys(ENDS);
  /** @type {(one: StepFigures, name: string) => number} */
  const count = ({ service }, name) => ENDS[name].count(service.grading);
  const traces = names.map((name, at) =>
    stacked(
      steps,
      step,
      t(`series.statuses.${name}`),
      steps.map((one) => count(one, name)),
      look(colour(ENDS[name].tint), at),
      "%{y:,}",
    ),
  );
  const totals = Object.fromEntries(
    names.map((name) => [name, number(steps.reduce((sum, one) => sum + count(one, name), 0))]),
  );
  const layout = { ...stack(), yaxis: whole(steps.map((one) => one.service.grading.requests)) };
  const isEmpty = steps.every((one) => one.service.grading.requests === 0);
  return {
    traces,
    layout: overTime(steps, layout, isEmpty),
    summary: t("series.statuses.summary", totals),
    ...rows(
      steps,
      names.map((name) => [t(`series.statuses.${name}`), (one) => number(count(one, name))]),
    ),
  };
}

/**
 * The steps in which something was asked, latest first.
 * @param {StepFigures[]} steps
 * @param {Column[]} columns
 * @returns {Table}
 */
function rows(steps, columns) {
  const busy = steps.filter((one) => one.service.grading.requests > 0).reverse();
  return {
    heads: [t("time"), ...columns.map(([title]) => title)],
    rows: busy.map((one) => [moment(one.start), ...columns.map(([, cell]) => cell(one))]),
  };
}
