/** The four figures that are looked at first. */

import { el } from "./elements.js";
import { number, percent, share, t } from "./words.js";

export function tiles({ total, outcomes, estimate }, model) {
  const doubt = total.predictive_entropy;
  return [
    figure("rows", number(total.rows), t("tile.rows.note", { passes: number(total.passes) })),
    figure("referral", percent(total.referral_rate), t("tile.referral.note", { referred: number(total.referred), rows: number(total.rows) })),
    figure("entropy", number(doubt?.["0.5"], 2), t("tile.entropy.note", { high: number(doubt?.["0.95"], 2) })),
    wrong(outcomes.automated, estimate, model),
  ];
}

function wrong(automated, estimate, model) {
  const promised = share(automated?.promised ?? model.calibration?.target);
  if (automated?.rows > 0 && automated.wrong !== null) {
    return figure("wrong", percent(automated.wrong, 2), t("tile.wrong.seen", { rows: number(automated.rows), promised }));
  }
  const guess = estimate?.automated_wrong ?? null;
  if (guess === null) return figure("wrong", "–", t("tile.wrong.none"));
  return figure("wrong", percent(guess, 2), t("tile.wrong.estimate", { promised }), t("estimate"));
}

function figure(name, value, note, badge = null) {
  return el("div.card.figure", { id: `tile-${name}` },
    el("p.over", {}, t(`tile.${name}`), badge && el("span.badge", {}, badge)),
    el("p.amount", {}, value), el("p.small", {}, note));
}
