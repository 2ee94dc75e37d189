/** Charts of known outcomes: reliability of the probabilities, and error rate by share automated. */

/** @import { Charts } from "./charts.js" */
/** @import { Picture } from "../types/plotly.js" */
/** @import { Estimate, Outcomes as Figures, ReliabilityBin, RiskPoint, UncertaintyFigures } from "../types/wire.js" */

import { colour } from "./colours.js";
import { el } from "./elements.js";
import { fixed, number, percent, share, t } from "./words.js";

const SMALLEST = 7;
const LARGEST = 26;

export class Outcomes {
  /** @param {Charts} charts */
  constructor(charts) {
    this.charts = charts;
    this.reliability = el("div.chart", { role: "img", id: "chart-reliability" });
    this.risk = el("div.chart", { role: "img", id: "chart-risk" });
    this.text = el("p.small");
    /** @type {(name: string, host: HTMLElement) => HTMLElement} */
    const picture = (name, host) =>
      el("div", {}, el("h4", {}, t(`${name}.title`)), el("p.small", {}, t(`${name}.note`)), host);
    this.pictures = el(
      "div.twin",
      {},
      picture("reliability", this.reliability),
      picture("risk", this.risk),
    );
    this.empty = el(
      "div.nothing",
      {},
      el("h4", {}, t("outcomes.empty.title")),
      el("p.small", {}, t("outcomes.empty")),
    );
    this.whole = el(
      "section.card.outcomes",
      {},
      el("h3", {}, t("outcomes.title")),
      this.text,
      this.empty,
      this.pictures,
    );
  }

  /** @param {UncertaintyFigures} data */
  show({ outcomes, estimate }) {
    const isKnown = outcomes.known > 0;
    this.whole.dataset.known = String(outcomes.known);
    this.empty.hidden = isKnown;
    this.pictures.hidden = !isKnown;
    this.text.textContent = isKnown ? known(outcomes) : guessed(estimate);
    if (!isKnown) return;
    this.charts.draw(this.reliability, reliability(outcomes.reliability));
    this.charts.draw(this.risk, risk(outcomes.risk_coverage));
  }
}

/** @param {Figures} outcomes */
function known({ known: count, accuracy, ece, coverage, band }) {
  const first = t("outcomes.known", {
    known: number(count),
    accuracy: percent(accuracy),
    ece: fixed(ece),
  });
  const sets =
    coverage?.seen == null
      ? ""
      : t("outcomes.coverage", {
          seen: percent(coverage.seen),
          rows: number(coverage.rows),
          promised: share(coverage.promised),
        });
  const cases =
    band?.wrong == null
      ? ""
      : t("outcomes.band", {
          wrong: percent(band.wrong),
          rows: number(band.rows),
          promised: share(band.promised),
        });
  return [first, sets, cases].filter(Boolean).join(" ");
}

/** @param {Estimate | null} estimate */
function guessed(estimate) {
  return estimate?.accuracy == null
    ? ""
    : t("outcomes.estimate", { accuracy: percent(estimate.accuracy) });
}

/**
 * @param {ReliabilityBin[]} points
 * @returns {Picture}
 */
function reliability(points) {
  const most = Math.max(...points.map(({ rows }) => rows), 1);
  const line = {
    type: "scatter",
    mode: "lines",
    x: [0, 1],
    y: [0, 1],
    line: { color: colour("edge"), dash: "dot", width: 1.5 },
    hoverinfo: "skip",
  };
  const dots = {
    type: "scatter",
    mode: "markers",
    x: points.map(({ confidence }) => confidence),
    y: points.map(({ accuracy }) => accuracy),
    marker: {
      color: colour("accent"),
      size: points.map(({ rows }) => SMALLEST + (LARGEST - SMALLEST) * Math.sqrt(rows / most)),
      opacity: 0.8,
      line: { width: 0 },
    },
    text: points.map(({ rows }) => t("counted", { rows: number(rows) })),
    cliponaxis: false,
    hovertemplate: `${t("reliability.confidence")} %{x:.1%}<br>${t("reliability.accuracy")} %{y:.1%}<br>%{text}<extra></extra>`,
  };
  const texts = points.map((point) =>
    t("reliability.point", {
      confidence: percent(point.confidence, 0),
      accuracy: percent(point.accuracy, 0),
    }),
  );
  /** @param {string} name */
  const axis = (name) => ({
    range: [0, 1.03],
    tickformat: ".0%",
    dtick: 0.25,
    title: { text: t(`reliability.${name}`), standoff: 6 },
  });
  const layout = {
    margin: { l: 52, r: 14, t: 10, b: 42 },
    xaxis: { ...axis("confidence"), showgrid: true },
    yaxis: axis("accuracy"),
  };
  const summary = t("reliability.summary", { points: texts.join("; ") });
  return { traces: [line, dots], layout, summary };
}

/**
 * @param {RiskPoint[]} points
 * @returns {Picture}
 */
function risk(points) {
  const trace = {
    type: "scatter",
    mode: "lines",
    x: points.map(({ coverage }) => coverage),
    y: points.map(({ risk }) => risk),
    line: { color: colour("accent"), width: 2.5 },
    fill: "tozeroy",
    fillcolor: colour("accent-soft"),
    cliponaxis: false,
    hovertemplate: `${t("risk.coverage")} %{x:.0%}<br>${t("risk.risk")} %{y:.2%}<extra></extra>`,
  };
  const texts = points.map((point) =>
    t("risk.point", { coverage: percent(point.coverage, 0), risk: percent(point.risk) }),
  );
  const most = Math.max(...points.map(({ risk }) => risk), 0.01);
  /** @param {"coverage" | "risk"} name */
  const title = (name) => ({ text: t(`risk.${name}`), standoff: 6 });
  const layout = {
    margin: { l: 52, r: 14, t: 10, b: 42 },
    xaxis: { range: [0, 1.01], tickformat: ".0%", dtick: 0.25, title: title("coverage") },
    yaxis: { range: [0, 1.15 * most], tickformat: ".1%", nticks: 5, title: title("risk") },
  };
  return { traces: [trace], layout, summary: t("risk.summary", { points: texts.join("; ") }) };
}
