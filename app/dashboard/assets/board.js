/** Monitoring: the statistics of a time window as alarms, tiles and charts. */

/** @import { Chart } from "../types/plotly.js" */
/** @import { ModelDescription, UncertaintyFigures } from "../types/wire.js" */
/** @import { PageModel } from "./answerview.js" */
/** @import { Charts } from "./charts.js" */
/** @import { Series, Table } from "./overtime.js" */

import { showAlarms } from "./alarms.js";
import { driftTable, showDrift } from "./drift.js";
import { card, el, table } from "./elements.js";
import { NumberOutcomes } from "./numberoutcomes.js";
import { Outcomes } from "./outcomes.js";
import { casesOf } from "./overtime.js";
import { seriesOf } from "./series.js";
import { showTiles } from "./tiles.js";
import { t } from "./words.js";

export class Board {
  /**
   * @param {Charts} charts
   * @param {PageModel} model
   */
  constructor(charts, model) {
    this.model = model;
    this.alarms = el("div.alarms", { "aria-live": "polite" });
    this.tiles = el("div.tiles");
    this.drift = driftTable();
    this.outcomes = model.target === undefined ? new Outcomes(charts) : new NumberOutcomes(model);
    this.cards = seriesOf(model).map((series) => new ChartCard(series, charts));
    const mosaic = this.cards.map(({ whole }) => whole);
    const drift = card(t("drift.title"), el("p.small", {}, t("drift.intro")), this.drift);
    this.whole = el(
      "div.result",
      { hidden: true },
      this.alarms,
      this.tiles,
      el("div.mosaic", {}, mosaic),
      drift,
      this.outcomes.whole,
    );
  }

  /** @param {UncertaintyFigures} data */
  show(data) {
    this.whole.hidden = false;
    this.whole.dataset.rows = String(data.total.rows);
    showAlarms(this.alarms, data.alarms, this.model);
    showTiles(this.tiles, data, this.model);
    showDrift(this.drift, data.drift, this.model);
    this.outcomes.show(/** @type {any} */ (data));
    for (const one of this.cards) one.show(data, this.model);
  }
}

/** One chart over time, and its figures in a table that is filled once it is unfolded. */
class ChartCard {
  /** @type {Table | null} */
  #table = null;

  /**
   * @param {ReturnType<typeof seriesOf>[number]} series
   * @param {Charts} charts
   */
  constructor({ name, note, picture }, charts) {
    this.title = t(`series.${name}`);
    this.picture = picture;
    this.charts = charts;
    this.host = /** @type {Chart} */ (el("div.chart", { role: "img", id: `chart-${name}` }));
    this.inside = el("div");
    this.folded = el(
      "details.figures",
      { ontoggle: () => this.#fill() },
      el("summary", {}, t("figures")),
      this.inside,
    );
    this.whole = card(this.title, note && el("p.small", {}, t(note)), this.host, this.folded);
  }

  /**
   * @param {UncertaintyFigures} data
   * @param {ModelDescription} model
   */
  async show(data, model) {
    const series = this.picture(data, model);
    this.host.dataset.rows = String(data.total.rows);
    this.host.dataset.points = String(data.steps.filter((step) => step.rows > 0).length);
    this.#table = series;
    // A link in the table that somebody is at stays there.
    if (!this.inside.contains(document.activeElement)) this.#fill();
    await this.charts.draw(this.host, series);
    leadFrom(this.host, data, series.lead);
  }

  #fill() {
    if (!this.folded.open || this.#table === null) return;
    this.inside.replaceChildren(table(this.title, this.#table.heads, this.#table.rows));
  }
}

/**
 * A click on a bar leads to its cases: those of its step, and of what the bar counts.
 * @param {Chart} host
 * @param {UncertaintyFigures} data
 * @param {Series["lead"]} lead
 */
function leadFrom(host, data, lead) {
  if (!lead || !host.on) return;
  host.removeAllListeners?.("plotly_click");
  host.on("plotly_click", ({ points: [{ curveNumber, pointNumber }] }) => {
    location.hash = `review/?${casesOf(data, pointNumber, lead(curveNumber))}`;
  });
}
