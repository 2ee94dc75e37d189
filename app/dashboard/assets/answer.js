/** Shows an answer: grade, decision, probabilities of the classes, sources of the uncertainty. */

/** @import { Action, Answer, Decision, ModelDescription, MonteCarloPrediction, MonteCarloPredictionWithDraws, Uncertainty, Value, Warning } from "../types/wire.js" */
/** @import { Child } from "../types/elements.js" */

import { ink, ordered } from "./colours.js";
import { el, figures, table } from "./elements.js";
import { imputedText, said } from "./values.js";
import { fixed, label, list, number, percent, reason, share, t } from "./words.js";

const MARKS = { automate: "✓", refer: "!", none: "–" };

/**
 * How likely each grade is, of either kind of answer.
 * @param {Answer} answer
 * @returns {Record<string, number>}
 */
export function likelihoods(answer) {
  return answer.mean ?? answer.probabilities ?? {};
}

/**
 * A grade in its colour.
 * @param {string} grade
 * @param {string[]} classes
 */
export function tile(grade, classes, size = "") {
  const background = ordered(classes.length)[Math.max(classes.indexOf(grade), 0)];
  const style = { "--tile": background, "--tile-ink": ink(background) };
  return el("span.tile", { class: `tile ${size} ${grade.length > 2 ? "long" : ""}`, style }, grade);
}

/**
 * The decision as one sentence.
 * @param {Answer} answer
 */
export function decided(answer) {
  return decisionText(answer.decision);
}

/**
 * A decision as one sentence.
 * @param {Pick<Decision, "action" | "reasons"> | null | undefined} decision
 */
export function decisionText(decision) {
  if (!decision) return t("decision.none");
  if (decision.action === "automate") return t("decision.automate");
  const reasons = decision.reasons.map((name) => reason(name, "long"));
  return t("decision.refer", { reasons: list(reasons) });
}

/**
 * A decision as a line that is seen at once.
 * @param {Action | undefined} action
 * @param {string} text
 */
export function decisionLine(action, text) {
  const known = action ?? "none";
  return el("p.decision", { "data-action": known }, mark(known), el("span", {}, text));
}

/**
 * Grade, likelihood and decision, large; what is guaranteed, where it was decided automatically.
 * @param {MonteCarloPrediction} answer
 * @param {ModelDescription} model
 */
export function verdict(answer, model) {
  const { grade, decision } = answer;
  const spread =
    answer.std && el("span.spread", {}, t("answer.spread", { spread: percent(answer.std[grade]) }));
  return el(
    "section.card.verdict",
    {},
    tile(grade, model.classes, "hero"),
    el(
      "div.says",
      {},
      el("h3", {}, t("answer.grade", { grade })),
      judged(answer, " ", spread),
      decision && el("p.small", {}, promised(decision, model), t("disclaimer")),
    ),
  );
}

/**
 * The decision, which is seen at once, beside this grade's own likelihood.
 * @param {Answer} answer
 * @param {...Child} behind
 */
export function judged(answer, ...behind) {
  const action = answer.decision?.action ?? "none";
  const isAsked = answer.decision !== undefined;
  const likely = el(
    "p.likely",
    {},
    el("strong", {}, t("answer.share", { share: percent(likelihoods(answer)[answer.grade]) })),
    behind,
  );
  const decision = isAsked && decisionLine(answer.decision?.action, decided(answer));
  return action === "automate" ? el("div.beside", {}, decision, likely) : [likely, decision];
}

/**
 * What is guaranteed of all that are decided like this one; of a referred one there is nothing to say.
 * @param {Decision} decision
 * @param {ModelDescription} model
 */
function promised({ action, target, case_limit: limit }, { calibration }) {
  if (action !== "automate" || calibration === null) return "";
  const line = calibration.promises.find((one) => one.target === target);
  const texts = {
    target: share(target),
    limit: share(limit),
    band: share(line?.band?.share),
    confidence: share(calibration.confidence),
  };
  return `${t(limit === undefined ? "decision.promise" : "decision.cases", texts)} ${t("decision.alike")} `;
}

/** @param {Action | "none"} action */
function mark(action) {
  return el("span.mark", { "aria-hidden": "true" }, MARKS[action]);
}

/**
 * The prediction set as a row of grades.
 * @param {Answer} answer
 * @param {ModelDescription} model
 */
export function possible(answer, model) {
  const found = answer.prediction_set;
  if (!found) return null;
  const coverage = share(found.coverage);
  const text = found.guaranteed === false ? t("bars.uncovered") : t("bars.cover", { coverage });
  return el(
    "div.possible",
    {},
    el(
      "span.chips",
      { "data-set": found.grades.join(" ") },
      el("span.lead", {}, t("bars.set", { coverage })),
      found.grades.map((grade) => tile(grade, model.classes, "chip")),
    ),
    el("p.small", {}, text),
  );
}

/**
 * The likelihoods as plain bars, with their spread over the passes.
 * @param {Answer} answer
 * @param {string[]} classes
 */
export function bars(answer, classes) {
  const colours = ordered(classes.length);
  const likely = likelihoods(answer);
  return el(
    "ul.bars",
    {},
    classes.map((name, at) => {
      const [mean, std] = [likely[name], answer.std?.[name] ?? 0];
      const style = {
        "--mean": mean,
        "--low": Math.max(mean - std, 0),
        "--high": Math.min(mean + std, 1),
        "--tile": colours[at],
      };
      return el(
        "li",
        { style, class: answer.prediction_set?.grades.includes(name) ? "inset" : null },
        el("span.name", {}, name),
        el(
          "span.track",
          { "aria-hidden": "true" },
          el("span.fill"),
          answer.std && el("span.whisker"),
        ),
        el(
          "span.value",
          {},
          percent(mean),
          answer.std && el("span.quiet", {}, ` ± ${percent(std)}`),
        ),
      );
    }),
  );
}

/**
 * Total uncertainty as the data's and the model's, on a scale that ends where nothing is known.
 * @param {Uncertainty} uncertainty
 * @param {string[]} classes
 */
export function decomposition(uncertainty, classes) {
  const {
    predictive_entropy: total,
    expected_entropy: aleatoric,
    mutual_information: epistemic,
    between_members: between,
  } = uncertainty;
  const most = Math.log(classes.length);
  const texts = {
    total: fixed(total),
    aleatoric: fixed(aleatoric),
    epistemic: fixed(epistemic),
    most: fixed(most, 2),
  };
  const style = { "--aleatoric": aleatoric / most, "--epistemic": epistemic / most };
  /** @type {(kind: string, value: string) => HTMLElement} */
  const line = (kind, value) =>
    el(
      "div",
      { class: `kind ${kind}` },
      el("dt", {}, t(`uncertainty.${kind}`)),
      el("dd.amount", {}, t("nats", { value })),
      el("dd.note", {}, t(`uncertainty.${kind}.note`, texts)),
    );
  return [
    el(
      "div.decomposition",
      { role: "img", "aria-label": t("uncertainty.summary", texts), style },
      el("span.aleatoric"),
      el("span.epistemic"),
    ),
    el(
      "dl.kinds",
      {},
      line("total", texts.total),
      line("aleatoric", texts.aleatoric),
      line("epistemic", texts.epistemic),
      between !== undefined && line("between", fixed(between)),
    ),
    el("p.small", {}, t("uncertainty.votes", { share: percent(uncertainty.variation_ratio) })),
  ];
}

/**
 * What the reader should know of the row, a sentence each; records leave values to the row.
 * @param {Warning[]} warnings
 * @param {ModelDescription} model
 * @param {Record<string, Value>} row
 */
export function cautions(warnings, model, row = {}) {
  return warnings.map((warning) =>
    el("li", {}, caution({ value: row[warning.feature ?? ""], ...warning }, model)),
  );
}

/**
 * @param {Warning} warning
 * @param {ModelDescription} model
 */
function caution(warning, model) {
  const feature = model.features.find(({ name }) => name === warning.feature);
  const isAlways = warning.kind === "out_of_range" && warning.seen_minimum === warning.seen_maximum;
  return t(`warning.${isAlways ? "always" : warning.kind}`, {
    feature: feature ? label(feature) : warning.feature,
    value: feature ? said(feature, warning.value) : "–",
    minimum: number(warning.seen_minimum),
    maximum: number(warning.seen_maximum),
    imputed: feature ? imputedText(feature) : "–",
    passes: number(warning.passes),
    calibrated: number(warning.calibrated_passes),
    asked: number(warning.asked_passes),
  });
}

/**
 * Every number of the picture, as a table.
 * @param {MonteCarloPredictionWithDraws} answer
 * @param {string[]} classes
 */
export function answerFigures(answer, classes) {
  const chosen = answer.prediction_set?.grades ?? [];
  const heads = [
    t("grade"),
    t("bars.mean"),
    t("bars.std"),
    t("bars.lowest"),
    t("bars.highest"),
    t("bars.inset"),
  ];
  const rows = classes.map((name) => {
    const draws = answer.draws?.[name] ?? [];
    return [
      name,
      fixed(answer.mean[name], 4),
      fixed(answer.std[name], 4),
      draws.length ? fixed(Math.min(...draws), 4) : "–",
      draws.length ? fixed(Math.max(...draws), 4) : "–",
      t(chosen.includes(name) ? "yes" : "no"),
    ];
  });
  return figures(t("figures"), table(t("bars.title"), heads, rows));
}
