/** The four tiles at the top of Monitoring: the most important statistics. */

/** @import { NumberDescription } from "../types/number.js" */
/** @import { AutomatedErrors, Estimate, Figures, UncertaintyFigures } from "../types/wire.js" */
/** @import { PageModel } from "./answerview.js" */

import { el } from "./elements.js";
import { inUnit } from "./numberanswer.js";
import { number, percent, share, t } from "./words.js";

/**
 * Bring the tiles up to date; what is unfolded stays so.
 * @param {HTMLElement} root
 * @param {UncertaintyFigures} data
 * @param {PageModel} model
 */
export function showTiles(root, data, model) {
  tiles(data, model).forEach((fresh, at) => {
    const old = root.children[at];
    if (!old) root.append(fresh);
    else renew(old.querySelectorAll("p"), fresh.querySelectorAll("p"));
  });
}

/**
 * @param {NodeListOf<HTMLElement>} old
 * @param {NodeListOf<HTMLElement>} fresh
 */
function renew(old, fresh) {
  old.forEach((one, at) => {
    one.replaceWith(fresh[at]);
  });
}

/**
 * @param {UncertaintyFigures} data
 * @param {PageModel} model
 */
function tiles({ total, outcomes, estimate }, model) {
  return [
    figure("rows", number(total.rows), t("tile.rows.note", { passes: number(total.passes) })),
    figure(
      "referral",
      percent(total.referral_rate),
      t("tile.referral.note", { referred: number(total.referred), rows: number(total.rows) }),
    ),
    model.target === undefined ? clear(total) : deviation(total, model.target),
    wrong(outcomes.automated, estimate, model),
  ];
}

/**
 * The share of sets with one grade alone; how uncertain the model is in nats, for those who unfold it.
 * @param {Figures} total
 */
function clear({ set_sizes: sizes, predictive_entropy: entropy }) {
  const sets = Object.values(sizes).reduce((sum, count) => sum + count, 0);
  const texts = { median: number(entropy?.["0.5"], 2), high: number(entropy?.["0.95"], 2) };
  const whole = figure(
    "clear",
    sets ? percent((sizes["1"] ?? 0) / sets) : "–",
    t("tile.clear.note"),
  );
  whole.append(
    el(
      "details",
      {},
      el("summary", {}, t("details")),
      el("p.small", {}, t("tile.clear.details", texts)),
    ),
  );
  return whole;
}

/**
 * How far the passes disagree about a number, usually.
 * @param {any} total
 * @param {NumberDescription} target
 */
function deviation({ std, width }, target) {
  const texts = { high: inUnit(std["0.95"], target, 1), width: inUnit(width["0.5"], target) };
  return figure("deviation", inUnit(std["0.5"], target, 1), t("tile.deviation.note", texts));
}

/**
 * @param {AutomatedErrors | null} automated
 * @param {Estimate | null} estimate
 * @param {PageModel} model
 */
function wrong(automated, estimate, model) {
  const promised = share(automated?.promised ?? model.calibration?.target);
  if (automated !== null && automated.rows > 0 && automated.wrong !== null) {
    return figure(
      "wrong",
      percent(automated.wrong, 2),
      t("tile.wrong.seen", { rows: number(automated.rows), promised }),
    );
  }
  const guess = estimate?.automated_wrong ?? null;
  if (guess === null) return figure("wrong", "–", t("tile.wrong.none"));
  return figure("wrong", percent(guess, 2), t("tile.wrong.estimate", { promised }), t("estimate"));
}

/**
 * @param {string} name
 * @param {string} value
 * @param {string} note
 * @param {string | null} [badge]
 */
function figure(name, value, note, badge = null) {
  return el(
    "div.card.figure",
    { id: `tile-${name}` },
    el("p.over", {}, t(`tile.${name}`), badge && el("span.badge", {}, badge)),
    el("p.amount", {}, value),
    el("p.small", {}, note),
  );
}
