/** One case: what was asked and answered, why it waits, and what a person says to it. */

import { bars, cautions, decomposition, judged, likelihoods, tile } from "./answer.js";
import { card, el, table } from "./elements.js";
import { withheld } from "./faults.js";
import { histogram, standing } from "./histogram.js";
import { asked } from "./http.js";
import { outcomeForm, reviewForm } from "./judgement.js";
import { labelled, moment, number, t } from "./words.js";

/**
 * @param {string} id
 * @param {object} model
 * @param {{reviewed: (said: string) => void, changed: () => void}} on what follows when it was
 *   reviewed here, or turned out to be reviewed already
 * @returns {Promise<HTMLElement>}
 */
export async function openCase(id, model, on) {
  try {
    const found = await asked(`predictions/${encodeURIComponent(id)}`);
    return shown(found, model, on);
  } catch (problem) {
    return el("p.notice", { role: "alert" }, withheld(problem));
  }
}

function shown(found, model, on) {
  const { answer, id } = found;
  const classes = Object.keys(likelihoods(answer));
  const whole = el("div.result", { "data-case": id });
  const reload = async () => {
    const fresh = await openCase(id, model, on);
    whole.replaceWith(fresh);
    on.changed();
    return fresh;
  };
  whole.append(
    head(found, classes),
    features(found, model),
    el("div.twin", {}, card(t("bars.title"), bars(answer, classes)),
      answer.uncertainty && card(t("uncertainty.title"), decomposition(answer.uncertainty, classes))),
    el("div.twin", {}, reviewForm(found, classes, on.reviewed, reload), outcomeForm(found, classes, reload)));
  return whole;
}

function head({ id, time, answer, model: by }, classes) {
  return el("section.card.verdict", {}, tile(answer.grade, classes, "hero middle"),
    el("div.says", {},
      el("h3", { tabindex: "-1" }, t("answer.grade", { grade: answer.grade })),
      judged(answer),
      el("p.small", {}, `${moment(time)} · ${t("review.from", by)} · `, el("code", {}, id))));
}

function features({ features: row, warnings }, model) {
  if (row === null) return card(t("review.features"), el("p.small", {}, t("review.erased")));
  const rows = model.features.filter(({ name }) => name in row).map((feature) => line(feature, row[feature.name]));
  const heads = [t("feature"), t("review.value"), t("model.distribution")];
  const odd = cautions(warnings, model, row);
  return card(t("review.features"), table(t("review.features"), heads, rows, { classes: "row" }), odd.length ? el("ul.cautions", {}, odd) : "");
}

function line(feature, value) {
  const [name, behind] = labelled(feature);
  const place = standing(feature, value);
  const isOdd = value === null || value < feature.seen.minimum || value > feature.seen.maximum;
  return [
    el("span", {}, name, el("span.unit", {}, behind)),
    el("strong", {}, number(value, 12)),
    el("span.place", {}, histogram(feature, value), el("span", { class: isOdd ? "badge warn" : "note" }, place)),
  ];
}
