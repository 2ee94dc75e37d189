/** The view that watches: what was answered of late, as it changes. */

import { showAlarms } from "./alarms.js";
import { forget } from "./charts.js";
import { driftTable, showDrift } from "./drift.js";
import { card, el, table } from "./elements.js";
import { withheld } from "./faults.js";
import { Outcomes } from "./outcomes.js";
import { casesOf } from "./overtime.js";
import { SERIES } from "./series.js";
import { Stream } from "./stream.js";
import { showTiles } from "./tiles.js";
import { Well } from "./well.js";
import { clock, t } from "./words.js";

/** Every window with the step that shows it well. */
const STEPS = { "1h": "1m", "6h": "10m", "1d": "10m", "7d": "1h", "30d": "1d" };

/** @param {HTMLElement} panel @param {object} model */
export function watchView(panel, model) {
  return new Watch(panel, model);
}

class Watch {
  #stream = null;
  #data = null;
  #at = null;
  #state = "waiting";
  #window = "1h";
  /** A time range of one's own, in place of a window. */
  #range = null;
  #isShown = false;

  constructor(panel, model) {
    this.panel = panel;
    this.model = model;
    this.well = new Well();
    this.redraw();
  }

  show() {
    if (this.#isShown) return;
    this.#isShown = true;
    this.well.start();
    this.#follow();
  }

  hide() {
    this.#isShown = false;
    this.well.stop();
    this.#stream?.stop();
  }

  redraw() {
    forget(this.panel);
    this.live = el("p.live", {});
    this.alarms = el("div.alarms", { "aria-live": "polite" });
    this.tiles = el("div.tiles");
    this.drift = driftTable();
    this.outcomes = new Outcomes();
    this.charts = SERIES.map((series) => chart(series));
    this.body = el(
      "div.result",
      {},
      this.alarms,
      this.tiles,
      el(
        "div.mosaic",
        {},
        this.charts.map(({ whole }) => whole),
      ),
      card(t("drift.title"), el("p.small", {}, t("drift.intro")), this.drift),
      this.outcomes.whole,
    );
    this.refusal = el("div", { role: "alert" });
    this.panel.replaceChildren(
      el(
        "div.heading",
        {},
        el("h2", {}, t("watch.title")),
        el("div.heading", {}, this.live, this.#windows()),
      ),
      this.#rangeForm(),
      this.well.whole,
      this.refusal,
      this.body,
    );
    this.well.show();
    this.body.hidden = this.#data === null;
    if (this.#data !== null) this.#fill();
  }

  #windows() {
    return el(
      "fieldset.segments",
      {},
      el("legend.hidden", {}, t("watch.window")),
      Object.keys(STEPS).map((name) =>
        el(
          "label",
          {},
          el("input", {
            type: "radio",
            name: "window",
            value: name,
            checked: this.#range === null && name === this.#window,
            onchange: () => {
              this.#window = name;
              this.#range = null;
              this.#follow();
            },
          }),
          el("span", {}, t(`window.${name}`)),
        ),
      ),
    );
  }

  /** From when to when, where no window does. */
  #rangeForm() {
    const field = (name, value) =>
      el("input", { type: "datetime-local", id: `range-${name}`, value: value ?? "" });
    const [since, until] = [field("since", this.#range?.since), field("until", this.#range?.until)];
    const fault = el("p.fault", { role: "alert" });
    const choose = (event) => {
      event.preventDefault();
      if (!since.value || !until.value || until.value <= since.value) {
        fault.textContent = t("fault.field.not_a_range");
        return;
      }
      fault.textContent = "";
      this.#range = { since: since.value, until: until.value };
      this.panel
        .querySelectorAll('input[name="window"]')
        .forEach((input) => (input.checked = false));
      this.#follow();
    };
    return el(
      "details.more",
      { open: this.#range !== null },
      el("summary", {}, t("watch.range")),
      el(
        "form.range",
        { novalidate: true, onsubmit: choose },
        el("label", {}, t("queue.by.since"), since),
        el("label", {}, t("queue.by.until"), until),
        el("button", { type: "submit" }, t("watch.show")),
        fault,
      ),
    );
  }

  #follow() {
    this.#stream?.stop();
    this.#stream = new Stream(
      this.#asked(),
      {
        figures: (data) => this.#take(data),
        state: (name) => this.#tell(name),
        refused: (problem) => {
          this.refusal.replaceChildren(el("p.notice", {}, withheld(problem)));
          this.live.replaceChildren();
          this.well.fail(problem.status >= 500 || problem.status === 0);
        },
      },
      this.#range !== null,
    );
    this.#stream.start();
  }

  #asked() {
    if (this.#range === null) return `window=${this.#window}&step=${STEPS[this.#window]}`;
    const moment = (text) => new Date(text).toISOString();
    return new URLSearchParams({
      since: moment(this.#range.since),
      until: moment(this.#range.until),
    }).toString();
  }

  #take(data) {
    this.#data = data;
    this.#at = new Date();
    this.refusal.replaceChildren();
    this.body.hidden = false;
    this.well.failed = false;
    this.#fill();
  }

  #tell(state) {
    this.#state = state;
    const time = this.#data === null ? "" : t("live.at", { time: clock(this.#at) });
    this.live.replaceChildren(
      el("span", { class: `pulse ${state}`, "aria-hidden": "true" }),
      el("strong", {}, t(`live.${state}`)),
      " ",
      time,
    );
  }

  #fill() {
    const data = this.#data;
    this.body.dataset.rows = data.total.rows;
    this.#tell(this.#state);
    this.well.take(data);
    showAlarms(this.alarms, data.alarms, this.model);
    showTiles(this.tiles, data, this.model);
    showDrift(this.drift, data.drift, this.model);
    this.outcomes.show(data);
    this.charts.forEach((one) => one.show(data, this.model));
  }
}

/** A card with one chart over time, and its figures in a table. */
function chart({ name, note, picture }) {
  const host = el("div.chart", { role: "img", id: `chart-${name}` });
  const inside = el("div");
  let fill = () => {};
  const folded = el(
    "details.figures",
    { ontoggle: () => fill() },
    el("summary", {}, t("figures")),
    inside,
  );
  const whole = card(t(`series.${name}`), note && el("p.small", {}, t(note)), host, folded);
  const show = (data, model) => {
    const { draw, heads, rows, lead } = picture(data, model);
    host.dataset.rows = data.total.rows;
    host.dataset.points = data.steps.filter((step) => step.rows > 0).length;
    draw(host).then(() => leadFrom(host, data, lead));
    fill = () => {
      if (folded.open) inside.replaceChildren(table(t(`series.${name}`), heads, rows));
    };
    if (!inside.contains(document.activeElement)) fill();
  };
  return { whole, show };
}

/** A click on a bar leads to its cases: those of its step, and of what the bar counts. */
function leadFrom(host, data, lead) {
  if (!lead || !host.on) return;
  host.removeAllListeners?.("plotly_click");
  host.on("plotly_click", ({ points: [{ curveNumber, pointNumber }] }) => {
    location.hash = `review/?${casesOf(data, pointNumber, lead(curveNumber))}`;
  });
}
