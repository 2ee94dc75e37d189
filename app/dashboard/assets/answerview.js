/** What the views show of an answer, for classes and for a number alike. */

/** @import * as number from "../types/number.js" */
/** @import { Answer, ModelDescription, MonteCarloPredictionWithDraws } from "../types/wire.js" */
/** @import { Child } from "../types/elements.js" */
/** @import { Picture } from "../types/plotly.js" */

import {
  answerFigures,
  bars,
  decided,
  decomposition,
  judged,
  likelihoods,
  possible,
  tile,
  verdict,
} from "./answer.js";
import { card, el } from "./elements.js";
import {
  deviations,
  entered,
  intervalNote,
  intervalText,
  inUnit,
  numberDecided,
  numberFigures,
  numberJudged,
  numberOf,
  numberText,
  numberVerdict,
  placeInTraining,
  titleOf,
} from "./numberanswer.js";
import { numberPicture } from "./numberpasses.js";
import { drawn, passesPicture } from "./passes.js";
import { number as digits, percent, t } from "./words.js";

/** @typedef {ModelDescription & {target?: number.NumberDescription}} PageModel */

/**
 * @typedef {object} AnswerView what is shown of an answer; `answer` is one of its kind
 * @property {(answer: any, model: PageModel) => HTMLElement} verdict it and its decision, large
 * @property {(answer: any, model: PageModel) => string} said it as a sentence
 * @property {string} title of the picture's card
 * @property {(answer: any, model: PageModel) => Child[]} below what stands below the picture
 * @property {(answer: any, model: PageModel) => Picture} picture
 * @property {(answer: any, model: PageModel) => Child} sources of the uncertainty
 * @property {(answer: any, model: PageModel) => Child} mark beside the heading of a case
 * @property {(answer: any, model: PageModel) => string} heading of a case
 * @property {(answer: any, model: PageModel) => Child} judged
 * @property {(answer: any, model: PageModel) => Child} parts of a recorded answer
 * @property {(answer: any, model: PageModel) => string} sentence about a compared answer
 * @property {(before: any, after: any, model: PageModel) => Child[][]} compared figure by figure
 * @property {string} compares heading of the first column
 * @property {(said: any, model: PageModel) => string} truth of an outcome or a review
 */

/** @param {MonteCarloPredictionWithDraws} answer */
function someDrawn(answer) {
  const count = drawn(answer);
  return count < answer.passes ? ` ${t("bars.some", { count: digits(count) })}` : "";
}

/** @param {Answer} answer */
function classesOf(answer) {
  return Object.keys(likelihoods(answer));
}

/** @type {AnswerView} */
const CLASSES = {
  verdict,
  said: (answer) =>
    t("try.said", {
      grade: answer.grade,
      share: percent(answer.mean[answer.grade]),
      decision: decided(answer),
    }),
  title: "bars.title",
  below: (answer, model) => [
    el("p.small", {}, t("bars.note") + someDrawn(answer)),
    possible(answer, model),
    answerFigures(answer, model.classes),
  ],
  picture: (answer, model) => passesPicture(answer, model.classes),
  sources: (answer, model) => decomposition(answer.uncertainty, model.classes),
  mark: (answer) => tile(answer.grade, classesOf(answer), "hero middle"),
  heading: (answer) => t("answer.grade", { grade: answer.grade }),
  judged: (answer) => judged(answer),
  parts: (answer) => [
    card(t("bars.title"), bars(answer, classesOf(answer))),
    answer.uncertainty &&
      card(t("uncertainty.title"), decomposition(answer.uncertainty, classesOf(answer))),
  ],
  sentence: (answer) => `${t("answer.grade", { grade: answer.grade })}. ${decided(answer)}`,
  compared: (before, after) => {
    const [first, second] = [likelihoods(before), likelihoods(after)];
    return classesOf(before).map((name) => [
      name,
      percent(first[name]),
      percent(second[name]),
      signed(second[name] - first[name], percent),
    ]);
  },
  compares: "grade",
  truth: ({ grade }) => grade,
};

/** @type {AnswerView} */
const NUMBER = {
  verdict: numberVerdict,
  said: (answer, { target }) => `${numberText(answer, target)}. ${numberDecided(answer)}`,
  title: "draws.title",
  below: (answer, { target }) => [
    el("p.small", {}, t(answer.interval ? "draws.note" : "draws.note.bare")),
    intervalNote(answer),
    placeInTraining(answer, target),
    numberFigures(answer, target),
  ],
  picture: numberPicture,
  sources: (answer, { target }) => deviations(answer, target),
  mark: (answer, { target }) => el("p.hero-number", {}, inUnit(numberOf(answer), target)),
  heading: (_, { target }) => titleOf(target),
  judged: numberJudged,
  parts: (answer, { target }) => [
    card(
      t("interval.title"),
      answer.interval && el("p", {}, el("strong", {}, intervalText(answer, target))),
      intervalNote(answer),
      placeInTraining(answer, target),
    ),
    answer.std !== undefined && card(t("uncertainty.title"), deviations(answer, target)),
  ],
  sentence: (answer, { target }) => {
    const interval = answer.interval ? ` (${intervalText(answer, target)})` : "";
    return `${numberText(answer, target)}${interval}. ${numberDecided(answer)}`;
  },
  compared: (before, after, { target }) => {
    /** @type {(key: string, of: (answer: any) => number | null | undefined) => Child[]} */
    const row = (key, of) => [
      t(key),
      inUnit(of(before), target),
      inUnit(of(after), target),
      difference(of(before), of(after)),
    ];
    return [
      row("value", numberOf),
      ...(before.interval
        ? [
            row("interval.lower", ({ interval }) => interval?.lower),
            row("interval.upper", ({ interval }) => interval?.upper),
          ]
        : []),
      ...(before.std === undefined ? [] : [row("bars.std", ({ std }) => std)]),
    ];
  },
  compares: "figure",
  truth: ({ value }, { target }) => entered(value, target),
};

/**
 * @param {number | null | undefined} before
 * @param {number | null | undefined} after
 */
function difference(before, after) {
  if (typeof before !== "number" || typeof after !== "number") return "–";
  return signed(after - before, (value) => digits(value, 5));
}

/**
 * A difference with its sign, unless it looks like none.
 * @param {number} value
 * @param {(value: number) => string} said
 */
function signed(value, said) {
  const text = said(Math.abs(value));
  if (text === said(0)) return text;
  return `${value > 0 ? "+" : "−"}${text}`;
}

/**
 * Whether an answer is a number.
 * @param {object} answer
 */
export function isNumber(answer) {
  return "value" in answer || ("mean" in answer && typeof answer.mean === "number");
}

/**
 * What is shown of an answer.
 * @param {object} answer
 */
export function viewOf(answer) {
  return isNumber(answer) ? NUMBER : CLASSES;
}
