/** The Grade tab: the prediction form and its answer. */

/** @import { Documentation, ModelDescription, MonteCarloPredictionWithDraws, Value } from "../types/wire.js" */
/** @import { Charts } from "./charts.js" */
/** @import { Fault, Values } from "./entries.js" */

import { cautions } from "./answer.js";
import { viewOf } from "./answerview.js";
import { card, el } from "./elements.js";
import { entryFaults, isOnlyMissing, option, place, question, toldFaults } from "./entries.js";
import { explained } from "./faults.js";
import { form, showFaults, showValue } from "./form.js";
import { asked, LatestRequest, problemOf } from "./http.js";
import { ofModel } from "./models.js";
import { entry, typical } from "./values.js";
import { number, t } from "./words.js";

const UNPROCESSABLE = 422;

/**
 * @param {HTMLElement} panel
 * @param {ModelDescription} model
 * @param {Charts} charts
 */
export function tryView(panel, model, charts) {
  return new Try(panel, model, charts);
}

class Try {
  /** @type {Values} */
  #values;
  /** @type {MonteCarloPredictionWithDraws | null} */
  #answer = null;
  /** @type {boolean | null} whether the last two answers are equal; null where their questions are not */
  #isSame = null;
  /** @type {{key: string, figures: string} | null} the last question and answer */
  #last = null;
  #isBusy = false;
  #examples = new LatestRequest();

  /**
   * @param {HTMLElement} panel
   * @param {ModelDescription} model
   * @param {Charts} charts
   */
  constructor(panel, model, charts) {
    this.model = model;
    this.charts = charts;
    this.#values = new Map([[option("passes"), String(model.passes)]]);
    this.said = el("p.hidden", { role: "status" });
    this.alert = el("div", { role: "alert" });
    this.entry = el("div.card.entry");
    this.result = el("div.result");
    this.chart = el("div.chart.tall");
    this.button = el("button.primary");
    this.form = el("form");
    panel.append(el("div.pair", {}, this.entry, el("div", {}, this.alert, this.result)), this.said);
    this.redraw();
  }

  show() {
    this.#drawChart();
  }

  hide() {
    this.#examples.abort();
  }

  redraw() {
    const example = el(
      "button",
      { type: "button", onclick: () => this.#fillIn() },
      t("try.example"),
    );
    this.button = el("button.primary", { type: "submit" }, t("try.ask"));
    this.form = form(this.model, this.#values, () => this.#ask(), [this.button, example]);
    this.entry.replaceChildren(
      el("h2", {}, t("try.title")),
      el("p.small", {}, t("try.intro")),
      this.form,
    );
    this.alert.replaceChildren();
    this.#busy(this.#isBusy);
    this.#showAnswer();
  }

  /** The documented example, or what was usual in training where none is documented. */
  async #fillIn() {
    const signal = this.#examples.begin();
    const row = await documented(signal).catch(() => null);
    if (signal.aborted) return;
    this.model.features.forEach((feature, at) => {
      const value = row === null ? typical(feature) : row[feature.name];
      const plain = feature.kind === "float" || feature.kind === "integer";
      this.#values.set(place(at), plain ? String(value ?? "") : entry(feature, value));
    });
    this.redraw();
    this.button.focus();
  }

  async #ask() {
    if (this.#isBusy) return;
    const faults = entryFaults(this.model, this.#values);
    if (faults.length) {
      this.#tellFaults(faults);
      return;
    }
    const { row, query } = question(this.model, this.#values);
    this.#busy(true);
    try {
      this.#take(await asked(ofModel(`predict/mc?${query}`), { method: "POST", body: row }), row);
    } catch (error) {
      this.#refused(error);
    } finally {
      this.#busy(false);
    }
  }

  /** @param {boolean} isBusy */
  #busy(isBusy) {
    this.#isBusy = isBusy;
    this.button.setAttribute("aria-disabled", String(isBusy));
    this.button.textContent = t(isBusy ? "try.asking" : "try.ask");
    this.result.setAttribute("aria-busy", String(isBusy));
  }

  /**
   * @param {MonteCarloPredictionWithDraws} answer
   * @param {Record<string, Value>} row
   */
  #take(answer, row) {
    const key = JSON.stringify([row, answer.passes, answer.seed]);
    const figures = JSON.stringify({ ...answer, id: null });
    this.#isSame = key === this.#last?.key ? figures === this.#last.figures : null;
    this.#last = { key, figures };
    this.#answer = answer;
    showFaults(this.form, []);
    this.alert.replaceChildren();
    this.#showAnswer();
    const same = this.#isSame ? ` ${t("try.same")}.` : "";
    this.#bringIntoView();
    this.said.textContent = viewOf(answer).said(answer, this.model) + same;
  }

  /** Where the answer stands below the form, as on a phone. */
  #bringIntoView() {
    if (this.result.getBoundingClientRect().top > innerHeight / 2)
      this.result.scrollIntoView({ block: "start" });
  }

  /** @param {unknown} error */
  #refused(error) {
    const { status, errors } = problemOf(error);
    const faults = status === UNPROCESSABLE ? toldFaults(this.model, errors) : [];
    if (faults.length) this.#tellFaults(faults);
    else this.alert.replaceChildren(el("p.notice", {}, explained(error)));
  }

  /**
   * Where entries are wrong: how many they are, and at each what is wrong with it.
   * @param {Fault[]} faults
   */
  #tellFaults(faults) {
    const key = isOnlyMissing(faults, this.#values) ? "try.missing" : "try.faults";
    this.alert.replaceChildren(el("p.notice", {}, t(key, { count: faults.length })));
    showFaults(this.form, faults);
  }

  #showAnswer() {
    this.charts.forget(this.result);
    if (this.#answer === null) {
      this.result.replaceChildren(
        el("div.card.empty", {}, el("h3", {}, t("try.empty.title")), el("p", {}, t("try.empty"))),
      );
      return;
    }
    const answer = this.#answer;
    const warned = cautions(answer.warnings, this.model);
    const { model } = this;
    const view = viewOf(answer);
    this.chart = el("div.chart.tall", { role: "img" });
    this.result.replaceChildren(
      view.verdict(answer, model),
      warned.length ? card(t("warnings.title"), el("ul.cautions", {}, warned)) : "",
      card(t(view.title), this.chart, view.below(answer, model)),
      card(t("uncertainty.title"), view.sources(answer, model)),
      this.#provenance(answer),
    );
    this.#drawChart();
  }

  #drawChart() {
    if (this.#answer === null) return;
    this.charts.draw(this.chart, viewOf(this.#answer).picture(this.#answer, this.model));
  }

  /** @param {number} seed */
  #again(seed) {
    this.#values.set(option("seed"), String(seed));
    showValue(this.form, option("seed"), this.#values);
    this.#ask();
  }

  #sameness() {
    if (this.#isSame === null) return "";
    const look = this.#isSame ? "badge good" : "badge bad";
    return el("span", { class: look, id: "sameness" }, t(this.#isSame ? "try.same" : "try.other"));
  }

  /**
   * Which seed and record the answer has, and the way to have it again.
   * @param {MonteCarloPredictionWithDraws} answer
   */
  #provenance(answer) {
    const again = () => this.#again(answer.seed);
    return el(
      "section.card.provenance",
      {},
      el(
        "div",
        {},
        el(
          "p",
          { id: "seed-used" },
          t("try.seedused", { seed: answer.seed, passes: number(answer.passes) }),
        ),
        el(
          "p.small",
          {},
          `${t("try.record")} `,
          el("code", {}, answer.id),
          " · ",
          el("a", { href: `#review/${answer.id}` }, t("try.open")),
        ),
      ),
      el(
        "div.buttons",
        {},
        this.#sameness(),
        el("button", { type: "button", id: "repeat", onclick: again }, t("try.repeat")),
      ),
    );
  }
}

/**
 * The example of the service's own documentation.
 * @param {AbortSignal} signal
 * @returns {Promise<Record<string, Value>>}
 */
async function documented(signal) {
  /** @type {Documentation} */
  const { paths } = await asked(ofModel("openapi.json"), { signal });
  const { content } = paths["/predict/mc"].post.requestBody;
  return content["application/json"].examples.one.value;
}
