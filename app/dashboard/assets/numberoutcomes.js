/** Known outcomes of a number: how large errors are, and how often intervals held the true number. */

/** @import { NumberUncertaintyFigures } from "../types/number.js" */
/** @import { PageModel } from "./answerview.js" */

import { el, table } from "./elements.js";
import { inUnit } from "./numberanswer.js";
import { number, percent, share, t } from "./words.js";

export class NumberOutcomes {
  /** @param {PageModel} model */
  constructor({ target }) {
    this.target = target;
    this.inside = el("div.stack");
    this.whole = el("section.card.outcomes", {}, el("h3", {}, t("outcomes.title")), this.inside);
  }

  /** @param {NumberUncertaintyFigures} data */
  show({ outcomes, estimate }) {
    const { known, rmse, mae, coverage, automated, band } = outcomes;
    this.whole.dataset.known = String(known);
    const guess =
      estimate.rmse !== null && t("outcomes.deviation", { rmse: this.#said(estimate.rmse) });
    if (known === 0) {
      this.inside.replaceChildren(
        el("p.small", {}, guess),
        el(
          "div.nothing",
          {},
          el("h4", {}, t("outcomes.empty.title")),
          el("p.small", {}, t("outcomes.empty")),
        ),
      );
      return;
    }
    /** @type {(key: string, seen: number | null, promised: number | null, rows: number) => string[]} */
    const line = (key, seen, promised, rows) => [
      t(key),
      percent(seen, 2),
      share(promised),
      number(rows),
    ];
    const rows = [
      line("outcomes.held", coverage.seen, coverage.promised, coverage.rows),
      line("outcomes.missed", automated.wrong, automated.promised, automated.rows),
      line("outcomes.widest", band.wrong, band.promised, band.rows),
    ];
    const heads = [
      t("figure"),
      t("outcomes.observed"),
      t("outcomes.guaranteed"),
      t("outcomes.rows"),
    ];
    const texts = { known: number(known), rmse: this.#said(rmse), mae: this.#said(mae) };
    this.inside.replaceChildren(
      el("p.small", {}, `${t("outcomes.errors", texts)} ${guess || ""}`),
      table(t("outcomes.title"), heads, rows),
    );
  }

  /** @param {number | null} value */
  #said(value) {
    return inUnit(value, this.target, 1);
  }
}
