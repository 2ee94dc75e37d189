/** The Monitoring tab: recent statistics, updated as they change. */

/** @import { ModelDescription, UncertaintyFigures } from "../types/wire.js" */
/** @import { PageModel } from "./answerview.js" */
/** @import { Charts } from "./charts.js" */

import { Board } from "./board.js";
import { el } from "./elements.js";
import { withheld } from "./faults.js";
import { problemOf } from "./http.js";
import { ShadowCard } from "./shadow.js";
import { Stream } from "./stream.js";
import { Well } from "./well.js";
import { clock, t } from "./words.js";

/** Every window with the step that shows it well. */
/** @type {Record<string, string>} */
const STEPS = { "1h": "1m", "6h": "10m", "1d": "10m", "7d": "1h", "30d": "1d" };

/**
 * @param {HTMLElement} panel
 * @param {ModelDescription} model
 * @param {Charts} charts
 */
export function watchView(panel, model, charts) {
  return new Watch(panel, model, charts);
}

class Watch {
  /** @type {Stream | null} */
  #stream = null;
  /** @type {{data: UncertaintyFigures, at: Date} | null} the last figures, and when they came */
  #shown = null;
  #state = "waiting";
  #window = "1h";
  /** @type {{since: string, until: string} | null} a time range of one's own, in place of a window */
  #range = null;
  /** @type {unknown} why there are no newer figures; null where nothing was refused */
  #refusal = null;
  #isShown = false;

  /**
   * @param {HTMLElement} panel
   * @param {ModelDescription} model
   * @param {Charts} charts
   */
  constructor(panel, model, charts) {
    this.panel = panel;
    this.model = model;
    this.charts = charts;
    this.well = new Well();
    this.live = el("p.live");
    this.refusal = el("div", { role: "alert" });
    this.board = new Board(charts, model);
    this.shadow = new ShadowCard(/** @type {PageModel} */ (model).target !== undefined);
    this.redraw();
  }

  show() {
    if (this.#isShown) return;
    this.#isShown = true;
    this.well.start();
    this.shadow.start();
    this.#follow();
  }

  hide() {
    this.#isShown = false;
    this.well.stop();
    this.shadow.stop();
    this.#stream?.stop();
  }

  redraw() {
    this.charts.forget(this.panel);
    this.board = new Board(this.charts, this.model);
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
      this.shadow.whole,
      this.board.whole,
    );
    this.well.show();
    if (this.#isShown) this.shadow.start();
    this.#fill();
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
    /** @type {(name: string, value?: string) => HTMLInputElement} */
    const field = (name, value) =>
      el("input", { type: "datetime-local", id: `range-${name}`, value: value ?? "" });
    const [since, until] = [field("since", this.#range?.since), field("until", this.#range?.until)];
    const fault = el("p.fault", { role: "alert" });
    const choose = (/** @type {Event} */ event) => {
      event.preventDefault();
      if (!since.value || !until.value || until.value <= since.value) {
        fault.textContent = t("fault.field.not_a_range");
        return;
      }
      fault.textContent = "";
      this.#range = { since: since.value, until: until.value };
      for (const input of inputs(this.panel, "window")) input.checked = false;
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
        refused: (error) => this.#refuse(error),
      },
      this.#range !== null,
    );
    this.#stream.start();
  }

  #asked() {
    if (this.#range === null) return `window=${this.#window}&step=${STEPS[this.#window]}`;
    /** @param {string} text */
    const moment = (text) => new Date(text).toISOString();
    const { since, until } = this.#range;
    return new URLSearchParams({ since: moment(since), until: moment(until) }).toString();
  }

  /** @param {UncertaintyFigures} data */
  #take(data) {
    this.#shown = { data, at: new Date() };
    this.#refusal = null;
    this.well.fail(false);
    this.#fill();
  }

  /** @param {unknown} error */
  #refuse(error) {
    const { status } = problemOf(error);
    this.#refusal = error;
    this.well.fail(status >= 500 || status === 0);
    this.#say();
  }

  /** @param {string} state */
  #tell(state) {
    this.#state = state;
    const time = this.#shown === null ? "" : t("live.at", { time: clock(this.#shown.at) });
    this.live.replaceChildren(
      el("span", { class: `pulse ${state}`, "aria-hidden": "true" }),
      el("strong", {}, t(`live.${state}`)),
      " ",
      time,
    );
  }

  /** Whether figures come, or why they do not. */
  #say() {
    if (this.#refusal === null) {
      this.refusal.replaceChildren();
      this.#tell(this.#state);
    } else {
      this.refusal.replaceChildren(el("p.notice", {}, withheld(this.#refusal)));
      this.live.replaceChildren();
    }
  }

  #fill() {
    this.#say();
    if (this.#shown === null) return;
    this.well.take(this.#shown.data);
    this.board.show(this.#shown.data);
  }
}

/**
 * @param {HTMLElement} root
 * @param {string} name
 * @returns {NodeListOf<HTMLInputElement>}
 */
function inputs(root, name) {
  return root.querySelectorAll(`input[name="${name}"]`);
}
