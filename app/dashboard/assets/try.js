/** The view that asks: a form of the signature, and the answer beside it. */

import { answerFigures, cautions, decided, decomposition, possible, verdict } from "./answer.js";
import { forget } from "./charts.js";
import { card, el } from "./elements.js";
import { explained } from "./faults.js";
import {
  entryFaults,
  form,
  isOnlyMissing,
  option,
  place,
  question,
  showFaults,
  toldFaults,
} from "./form.js";
import { asked } from "./http.js";
import { drawn, passesChart } from "./passes.js";
import { number, percent, t } from "./words.js";

const UNPROCESSABLE = 422;

/** @param {HTMLElement} panel @param {object} model */
export function tryView(panel, model) {
  return new Try(panel, model);
}

class Try {
  #values;
  #answer = null;
  /** Whether the last answer equals the one before it, of the same question; null where that was another. */
  #isSame = null;
  #last = { key: null, figures: null };

  constructor(panel, model) {
    this.model = model;
    this.#values = new Map([[option("passes"), String(model.passes)]]);
    this.said = el("p.hidden", { role: "status" });
    this.alert = el("div", { role: "alert" });
    this.entry = el("div.card.entry");
    this.result = el("div.result");
    panel.append(el("div.pair", {}, this.entry, el("div", {}, this.alert, this.result)), this.said);
    this.redraw();
  }

  show() {
    this.#drawChart();
  }

  hide() {}

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
    this.#showAnswer();
  }

  /** The documented example, or what was usual in training where none is documented. */
  async #fillIn() {
    const row = await documented().catch(() => null);
    this.model.features.forEach(({ name, seen }, at) => {
      const value = row === null ? seen.quantiles["0.5"] : row[name];
      this.#values.set(place(at), String(value ?? ""));
    });
    this.redraw();
    this.button.focus();
  }

  async #ask() {
    if (this.result.getAttribute("aria-busy") === "true") return;
    const faults = entryFaults(this.model, this.#values);
    if (faults.length) {
      this.#tellFaults(faults);
      return;
    }
    const { row, query } = question(this.model, this.#values);
    this.#busy(true);
    try {
      const answer = await asked(`predict/mc?${query}`, { method: "POST", body: row });
      this.#take(answer, row);
    } catch (problem) {
      this.#refused(problem);
    } finally {
      this.#busy(false);
    }
  }

  #busy(isBusy) {
    this.button.setAttribute("aria-disabled", String(isBusy));
    this.button.textContent = t(isBusy ? "try.asking" : "try.ask");
    this.result.setAttribute("aria-busy", String(isBusy));
  }

  #take(answer, row) {
    const key = JSON.stringify([row, answer.passes, answer.seed]);
    const figures = JSON.stringify({ ...answer, id: null });
    this.#isSame = key === this.#last.key ? figures === this.#last.figures : null;
    this.#last = { key, figures };
    this.#answer = answer;
    showFaults(this.form, []);
    this.alert.replaceChildren();
    this.#showAnswer();
    const same = this.#isSame ? ` ${t("try.same")}.` : "";
    const likely = percent(answer.mean[answer.grade]);
    this.#bringIntoView();
    this.said.textContent =
      t("try.said", { grade: answer.grade, share: likely, decision: decided(answer) }) + same;
  }

  /** Where the answer stands below the form, as on a phone. */
  #bringIntoView() {
    if (this.result.getBoundingClientRect().top > innerHeight / 2)
      this.result.scrollIntoView({ block: "start" });
  }

  #refused(problem) {
    const faults = problem.status === UNPROCESSABLE ? toldFaults(this.model, problem.errors) : [];
    if (faults.length) this.#tellFaults(faults);
    else this.alert.replaceChildren(el("p.notice", {}, explained(problem)));
  }

  /** Where entries are wrong: how many they are, and at each what is wrong with it. */
  #tellFaults(faults) {
    const key = isOnlyMissing(faults, this.#values) ? "try.missing" : "try.faults";
    this.alert.replaceChildren(el("p.notice", {}, t(key, { count: faults.length })));
    showFaults(this.form, faults);
  }

  #showAnswer() {
    forget(this.result);
    if (this.#answer === null) {
      this.result.replaceChildren(
        el("div.card.empty", {}, el("h3", {}, t("try.empty.title")), el("p", {}, t("try.empty"))),
      );
      return;
    }
    const { classes } = this.model;
    const answer = this.#answer;
    this.chart = el("div.chart.tall", { role: "img" });
    const some =
      drawn(answer) < answer.passes ? ` ${t("bars.some", { count: number(drawn(answer)) })}` : "";
    this.result.replaceChildren(
      verdict(answer, this.model),
      answer.warnings.length
        ? card(t("warnings.title"), el("ul.cautions", {}, cautions(answer.warnings, this.model)))
        : "",
      card(
        t("bars.title"),
        this.chart,
        el("p.small", {}, t("bars.note") + some),
        possible(answer, this.model),
        answerFigures(answer, classes),
      ),
      card(t("uncertainty.title"), decomposition(answer.uncertainty, classes)),
      this.#provenance(answer),
    );
    this.#drawChart();
  }

  #drawChart() {
    if (this.#answer !== null) passesChart(this.chart, this.#answer, this.model.classes);
  }

  /** Which seed and record the answer has, and the way to have it again. */
  #provenance(answer) {
    const again = () => {
      this.#values.set(option("seed"), String(answer.seed));
      this.form.querySelector(`#${option("seed")}`).value = answer.seed;
      this.#ask();
    };
    const badge =
      this.#isSame === null
        ? ""
        : el(
            "span",
            { class: this.#isSame ? "badge good" : "badge bad", id: "sameness" },
            t(this.#isSame ? "try.same" : "try.other"),
          );
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
        badge,
        el("button", { type: "button", id: "repeat", onclick: again }, t("try.repeat")),
      ),
    );
  }
}

/** The example of the service's own documentation. */
async function documented() {
  const interface_ = await asked("openapi.json");
  const body = interface_.paths["/predict/mc"].post.requestBody;
  return body.content["application/json"].examples.one.value;
}
