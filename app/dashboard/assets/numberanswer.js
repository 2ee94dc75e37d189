/** Shows an answer that is a number: the number, its interval, the decision, the uncertainty. */

/** @import { Answer, MonteCarloPrediction, MonteCarloPredictionWithDraws, NumberDescription } from "../types/number.js" */
/** @import { Child } from "../types/elements.js" */
/** @import { PageModel } from "./answerview.js" */

import { decisionLine, decisionText } from "./answer.js";
import { el, figures, table } from "./elements.js";
import { histogram, isOdd, standing } from "./histogram.js";
import { fixed, label, number, share, t, unit } from "./words.js";

const MOST_DECIMALS = 12;

/**
 * The predicted number.
 * @param {Answer} answer
 */
export function numberOf(answer) {
  return answer.mean ?? answer.value ?? 0;
}

/**
 * A number with its unit, where that is known, to a hundredth of how far numbers of training deviate.
 * @param {number | null | undefined} value
 * @param {NumberDescription | undefined} target
 * @param {number} more digits behind that
 */
export function inUnit(value, target, more = 0) {
  if (target === undefined || value === null || value === undefined) return number(value);
  const text = fixed(value, decimals(target) + more);
  const measure = unit(feature(target));
  return measure === "" ? text : `${text} ${measure}`;
}

/**
 * A number that a person entered, with all its digits.
 * @param {number | null | undefined} value
 * @param {NumberDescription | undefined} target
 */
export function entered(value, target) {
  const measure = target === undefined ? "" : unit(feature(target));
  return `${number(value, 12)}${measure && ` ${measure}`}`;
}

/** @param {NumberDescription} target */
function decimals({ std }) {
  return Math.min(Math.max(-Math.floor(Math.log10(std / 100)), 0), MOST_DECIMALS);
}

/**
 * The target as a feature, for what shows features.
 * @param {NumberDescription} target
 * @returns {import("../types/wire.js").Feature}
 */
export function feature({ name, title, aliases, unit: measure, seen }) {
  const { minimum, maximum } = seen;
  const range = { minimum, maximum };
  return {
    ...{ name, title, aliases, unit: measure, seen, kind: "float" },
    ...{ nullable: false, imputed: null, missing_refers: true, ...range },
  };
}

/**
 * From where to where the interval goes.
 * @param {Answer} answer
 * @param {NumberDescription | undefined} target
 */
export function intervalText({ interval }, target) {
  if (!interval) return "";
  /** @param {number | null} bound */
  const said = (bound) => (bound === null ? t("interval.unbounded") : inUnit(bound, target));
  return t("interval.range", { lower: said(interval.lower), upper: said(interval.upper) });
}

/**
 * What the number is, in words.
 * @param {Answer} answer
 * @param {NumberDescription | undefined} target
 */
export function numberText(answer, target) {
  const value = inUnit(numberOf(answer), target);
  return t("answer.number", { title: titleOf(target), value });
}

/**
 * What the number is called.
 * @param {NumberDescription | undefined} target
 */
export function titleOf(target) {
  return target === undefined ? t("value") : label(feature(target));
}

/**
 * Number, interval and decision, large; what is guaranteed, where it was decided automatically.
 * @param {MonteCarloPrediction} answer
 * @param {PageModel} model
 */
export function numberVerdict(answer, model) {
  const { target } = model;
  return el(
    "section.card.verdict",
    {},
    el("p.hero-number", {}, inUnit(answer.mean, target)),
    el(
      "div.says",
      {},
      el("h3", {}, titleOf(target)),
      numberJudged(answer, model),
      el("p.small", {}, promised(answer, model), t("disclaimer")),
    ),
  );
}

/**
 * The decision, which is seen at once, beside this number's own interval.
 * @param {Answer} answer
 * @param {PageModel} model
 */
export function numberJudged(answer, { target }) {
  const { interval, decision, std } = answer;
  const spread =
    std !== undefined &&
    el("span.spread", {}, t("answer.deviation", { std: inUnit(std, target, 1) }));
  const range =
    interval &&
    t("interval.of", {
      interval: intervalText(answer, target),
      coverage: share(interval.coverage),
    });
  const likely = el("p.likely", {}, range && el("strong", {}, range), " ", spread);
  const line = decision !== undefined && decisionLine(decision?.action, numberDecided(answer));
  return decision?.action === "automate" ? el("div.beside", {}, line, likely) : [likely, line];
}

/**
 * The decision as one sentence.
 * @param {Answer} answer
 */
export function numberDecided({ decision }) {
  return decisionText(decision);
}

/**
 * @param {MonteCarloPrediction} answer
 * @param {PageModel} model
 */
function promised({ decision }, { calibration }) {
  if (decision?.action !== "automate" || calibration === null) return "";
  const line = calibration.promises.find((one) => one.target === decision.target);
  const texts = {
    target: share(decision.target),
    limit: share(decision.case_limit),
    band: share(line?.band?.share),
    confidence: share(calibration.confidence),
  };
  return `${t("decision.intervals", texts)} ${t("decision.alike")} `;
}

/**
 * What an interval means, and that it is none of this case alone.
 * @param {Answer} answer
 */
export function intervalNote({ interval }) {
  if (!interval) return null;
  const texts = { coverage: share(interval.coverage) };
  return el("p.small", {}, t(interval.guaranteed ? "interval.cover" : "interval.uncovered", texts));
}

/**
 * The deviations: of the passes and, with a noise head, of the data and of both.
 * @param {Answer} answer
 * @param {NumberDescription | undefined} target
 */
export function deviations(answer, target) {
  const { std, aleatoric_std: noise, total_std: total, between_members_std: between } = answer;
  /** @type {(kind: string, value: number | undefined) => HTMLElement} */
  const line = (kind, value) =>
    el(
      "div",
      { class: `kind ${kind}` },
      el("dt", {}, t(`deviation.${kind}`)),
      el("dd.amount", {}, inUnit(value, target, 1)),
      el("dd.note", {}, t(`deviation.${kind}.note`)),
    );
  const parts = noise === undefined ? null : squares(Number(std), noise);
  return [
    parts,
    el(
      "dl.kinds",
      {},
      noise !== undefined && [line("total", total), line("aleatoric", noise)],
      line("epistemic", std),
      between !== undefined && line("between", between),
    ),
    noise === undefined && el("p.small", {}, t("deviation.without")),
  ];
}

/**
 * Which share of the total variance each part has.
 * @param {number} std
 * @param {number} noise
 */
function squares(std, noise) {
  const whole = std ** 2 + noise ** 2 || 1;
  const texts = { epistemic: share(std ** 2 / whole), aleatoric: share(noise ** 2 / whole) };
  const style = { "--aleatoric": noise ** 2 / whole, "--epistemic": std ** 2 / whole };
  return el(
    "div.decomposition",
    { role: "img", "aria-label": t("deviation.summary", texts), style },
    el("span.aleatoric"),
    el("span.epistemic"),
  );
}

/**
 * Where the number stands among those of training.
 * @param {Answer} answer
 * @param {NumberDescription | undefined} target
 */
export function placeInTraining(answer, target) {
  if (target === undefined) return null;
  const [of, value] = [feature(target), numberOf(answer)];
  return el(
    "p.place",
    {},
    histogram(of, value),
    " ",
    el("span", { class: isOdd(of, value) ? "badge warn" : "note" }, standing(of, value)),
  );
}

/**
 * Every number of the picture, as a table.
 * @param {MonteCarloPredictionWithDraws} answer
 * @param {NumberDescription | undefined} target
 */
export function numberFigures(answer, target) {
  const draws = answer.draws.value;
  /** @type {(key: string, value: number | null | undefined) => Child[]} */
  const row = (key, value) => [t(key), inUnit(value, target, 2)];
  const rows = [
    row("bars.mean", answer.mean),
    row("bars.std", answer.std),
    row("bars.lowest", Math.min(...draws)),
    row("bars.highest", Math.max(...draws)),
    ...(answer.interval
      ? [row("interval.lower", answer.interval.lower), row("interval.upper", answer.interval.upper)]
      : []),
  ];
  return figures(t("figures"), table(t("draws.title"), [t("figure"), t("value")], rows));
}
