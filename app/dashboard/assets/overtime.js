/** What charts over time share: their bars, their axes, their tables, and the way to their cases. */

import { plain } from "./charts.js";
import { colour, pattern } from "./colours.js";
import { el } from "./elements.js";
import { moment, number, t } from "./words.js";

/** How bars look that are told apart by more than their colour. */
export function look(of, at) {
  return { color: of, pattern: pattern(at), line: { width: 0 } };
}

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

/** An axis of counts, whose marks are whole numbers also where there are few. */
export function whole(counts) {
  const most = Math.max(...counts);
  const few = { dtick: 1, range: [0, Math.max(most, 2) + 0.3] };
  return { rangemode: "tozero", nticks: 5, tickformat: ",d", ...(most < 5 ? few : {}) };
}

/** A layout whose horizontal axis is the window, also where nothing happened. */
export function overTime(steps, layout, isEmpty = false) {
  const half = steps.length > 1 ? (new Date(steps[1].start) - new Date(steps[0].start)) / 2 : 60000;
  const range = [
    local(new Date(steps[0].start) - half),
    local(new Date(steps.at(-1).start).getTime() + half),
  ];
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

/** The same as a table, the steps in which something was answered, latest first; each leads to its cases. */
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

/** What lists the cases of a step, and of what a bar counts: a query of the review queue. */
export function casesOf({ steps, end }, at, what = {}) {
  const until = steps[at + 1]?.start ?? end;
  return new URLSearchParams({
    state: "all",
    since: new Date(steps[at].start).toISOString(),
    until: new Date(until).toISOString(),
    ...what,
  }).toString();
}

const MILLISECONDS = { "1m": 60000, "10m": 600000, "1h": 3600000, "1d": 86400000 };

export function wide(step) {
  return 0.84 * MILLISECONDS[step];
}

/** A moment on this machine's clock, as Plotly takes it. */
export function local(time) {
  const date = new Date(time);
  return new Date(date.getTime() - date.getTimezoneOffset() * 60000).toISOString().slice(0, 19);
}
