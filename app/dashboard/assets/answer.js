/** An answer: its grade and decision in words, its grades as bars, where its doubt comes from. */

import { ink, ordered } from "./colours.js";
import { el, figures, table } from "./elements.js";
import { fixed, label, list, number, percent, reason, share, t } from "./words.js";

/** How likely each grade is, of either kind of answer. */
export function likelihoods(answer) {
  return answer.mean ?? answer.probabilities;
}

/** A grade in its colour. */
export function tile(grade, classes, size = "") {
  const background = ordered(classes.length)[Math.max(classes.indexOf(grade), 0)];
  const style = { "--tile": background, "--tile-ink": ink(background) };
  return el("span.tile", { class: `tile ${size} ${grade.length > 2 ? "long" : ""}`, style }, grade);
}

/** The decision as one sentence. */
export function decided(answer) {
  if (!answer.decision) return t("decision.none");
  const { action, reasons } = answer.decision;
  if (action === "automate") return t("decision.automate", { grade: answer.grade });
  return t("decision.refer", { reasons: list(reasons.map((name) => reason(name, "long"))) });
}

/** Grade, likelihood and decision, large. */
export function verdict(answer, model) {
  const { grade, decision } = answer;
  const spread = answer.std && el("span.spread", {}, t("answer.spread", { spread: percent(answer.std[grade]) }));
  return el("section.card.verdict", {},
    tile(grade, model.classes, "hero"),
    el("div.says", {},
      el("h3", {}, t("answer.grade", { grade })),
      el("p.likely", {}, el("strong", {}, t("answer.share", { share: percent(likelihoods(answer)[grade]) })), " ", spread),
      sentence(answer),
      decision && el("p.small", {}, promised(decision, model), " ", t("disclaimer"))));
}

/** The decision as a sentence that is seen at once. */
export function sentence(answer) {
  const action = answer.decision?.action ?? "none";
  return el("p.decision", { "data-action": action }, mark(action), el("span", {}, decided(answer)));
}

function promised(decision, model) {
  if (!decision.guaranteed) return t("decision.unpromised");
  const average = t("decision.promise", { target: share(decision.target), confidence: share(model.calibration.confidence) });
  return decision.case_limit === undefined ? average : `${average} ${t("decision.cases", { limit: share(decision.case_limit) })}`;
}

function mark(action) {
  return el("span.mark", { "aria-hidden": "true" }, { automate: "✓", refer: "!" }[action] ?? "–");
}

/** The prediction set as a row of grades. */
export function reckoned(answer, model) {
  const found = answer.prediction_set;
  if (!found) return null;
  const text = found.guaranteed === false ? t("bars.uncovered") : t("bars.cover", { coverage: share(found.coverage) });
  return el("div.reckoned", {},
    el("span.chips", { "data-set": found.grades.join(" ") }, el("span.lead", {}, t("bars.set")), found.grades.map((grade) => tile(grade, model.classes, "chip"))),
    el("p.small", {}, text));
}

/** The likelihoods as plain bars, with their spread over the passes. */
export function bars(answer, classes) {
  const colours = ordered(classes.length);
  const likely = likelihoods(answer);
  return el("ul.bars", {}, classes.map((name, at) => {
    const [mean, std] = [likely[name], answer.std?.[name] ?? 0];
    const style = { "--mean": mean, "--low": Math.max(mean - std, 0), "--high": Math.min(mean + std, 1), "--tile": colours[at] };
    return el("li", { style, class: answer.prediction_set?.grades.includes(name) ? "inset" : null },
      el("span.name", {}, name), el("span.track", { "aria-hidden": "true" }, el("span.fill"), answer.std && el("span.whisker")),
      el("span.value", {}, percent(mean), answer.std && el("span.quiet", {}, ` ± ${percent(std)}`)));
  }));
}

/** Total doubt as data's and network's, on a scale that ends where nothing is known. */
export function doubt(uncertainty, classes) {
  const { predictive_entropy: total, expected_entropy: aleatoric, mutual_information: epistemic } = uncertainty;
  const most = Math.log(classes.length);
  const texts = { total: fixed(total), aleatoric: fixed(aleatoric), epistemic: fixed(epistemic), most: fixed(most, 2) };
  const style = { "--aleatoric": aleatoric / most, "--epistemic": epistemic / most };
  const line = (kind, value) => el("div", { class: `kind ${kind}` },
    el("dt", {}, t(`doubt.${kind}`)), el("dd.amount", {}, t("nats", { value })), el("dd.note", {}, t(`doubt.${kind}.note`, texts)));
  return [
    el("div.doubt", { role: "img", "aria-label": t("doubt.summary", texts), style }, el("span.aleatoric"), el("span.epistemic")),
    el("dl.kinds", {}, line("total", texts.total), line("aleatoric", texts.aleatoric), line("epistemic", texts.epistemic)),
    el("p.small", {}, t("doubt.votes", { share: percent(uncertainty.variation_ratio) })),
  ];
}

/** What the reader should know of the row, a sentence each; records leave values to the row. */
export function cautions(warnings, model, row = {}) {
  return warnings.map((warning) => el("li", {}, caution({ value: row[warning.feature], ...warning }, model)));
}

function caution(warning, model) {
  const feature = model.features.find(({ name }) => name === warning.feature);
  return t(`warning.${warning.kind}`, {
    feature: feature ? label(feature) : warning.feature,
    value: number(warning.value), minimum: number(warning.seen_minimum), maximum: number(warning.seen_maximum),
    imputed: number(feature?.imputed), passes: number(warning.passes),
    calibrated: number(warning.calibrated_passes), asked: number(warning.asked_passes),
  });
}

/** Every number of the picture, as a table. */
export function answerFigures(answer, classes) {
  const chosen = answer.prediction_set?.grades ?? [];
  const heads = [t("grade"), t("bars.mean"), t("bars.std"), t("bars.lowest"), t("bars.highest"), t("bars.inset")];
  const rows = classes.map((name) => {
    const draws = answer.draws?.[name] ?? [];
    return [name, fixed(answer.mean[name], 4), fixed(answer.std[name], 4),
      draws.length ? fixed(Math.min(...draws), 4) : "–", draws.length ? fixed(Math.max(...draws), 4) : "–",
      t(chosen.includes(name) ? "yes" : "no")];
  });
  return figures(t("figures"), table(t("bars.title"), heads, rows));
}
