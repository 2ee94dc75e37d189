/** The review form of a case: decision with a note, later the true outcome, corrections of both. */

/** @import { ModelDescription, RecordedPrediction } from "../types/wire.js" */
/** @import { PageModel } from "./answerview.js" */
/** @import { Reload } from "./case.js" */
/** @import { TextField } from "./textfield.js" */

import { likelihoods } from "./answer.js";
import { isNumber, viewOf } from "./answerview.js";
import { el } from "./elements.js";
import { explained } from "./faults.js";
import { asked, problemOf, unrepeated } from "./http.js";
import { feature } from "./numberanswer.js";
import { canonical, grouped } from "./numeral.js";
import { settings } from "./settings.js";
import { nameField, textField } from "./textfield.js";
import { moment, t, unit } from "./words.js";

const CONFLICT = 409;

/** @typedef {"review" | "outcome"} Kind */

/**
 * @typedef {object} How a judgement is sent, and what follows
 * @property {(body: object) => Promise<unknown>} send
 * @property {Reload} reload shows what the service knows
 * @property {() => unknown} done
 * @property {string} [corrects] the event that it replaces
 */

/**
 * The review: the form that gives it or, once it was given, what was said and the form that corrects it.
 * @param {RecordedPrediction} found
 * @param {ModelDescription} model
 * @param {(said: string) => void} reviewed
 * @param {Reload} reload
 */
export function reviewForm(found, model, reviewed, reload) {
  const { id, review, answer } = found;
  /** @param {object} body */
  const send = (body) => asked(`reviews/${encodeURIComponent(id)}`, { method: "POST", body });
  const title = el("h3", {}, t("review.form"));
  if (review === null) {
    const done = () => reviewed(t("review.saved"));
    return el(
      "section.card.decides",
      {},
      title,
      judgement("review", answer, model, { send, reload, done }),
    );
  }
  const how = { send, reload, done: reload, corrects: review.id };
  const grade = viewOf(answer).truth(review, model);
  const reviewer = review.reviewer ?? t("case.erased");
  return el(
    "section.card.decides",
    {},
    title,
    el(
      "p",
      { id: "review-done" },
      t("review.done", { grade, reviewer, time: moment(review.time) }),
    ),
    review.note && el("blockquote", {}, review.note),
    correcting("review", judgement("review", answer, model, how)),
  );
}

/**
 * The actual grade, apart from the review: folded until it is known.
 * @param {RecordedPrediction} found
 * @param {ModelDescription} model
 * @param {Reload} reload
 */
export function outcomeForm({ id, outcome, answer }, model, reload) {
  /** @param {object} body */
  const send = (body) =>
    asked(`predictions/${encodeURIComponent(id)}/outcome`, { method: "PUT", body });
  const how = { send, reload, done: reload, corrects: outcome?.id };
  const form = judgement("outcome", answer, model, how);
  const title = el("h3", {}, t("review.outcome"));
  if (outcome === null) return el("section.card.outcome-card", {}, unfolding(title, form));
  const grade = viewOf(answer).truth(outcome, model);
  const known = t("review.outcome.known", { grade, time: moment(outcome.time) });
  return el(
    "section.card.outcome-card",
    {},
    title,
    el("p", { id: "outcome-done" }, known),
    correcting("outcome", form),
  );
}

/**
 * @param {HTMLElement} title
 * @param {HTMLElement} form
 */
function unfolding(title, form) {
  const intro = el("p.small", {}, t("review.outcome.intro"));
  return el("details", { id: "outcome" }, el("summary", {}, title), intro, form);
}

/**
 * @param {Kind} kind
 * @param {HTMLElement} form
 */
function correcting(kind, form) {
  return el("details.more", { id: `${kind}-correct` }, el("summary", {}, t("case.correct")), form);
}

/**
 * A form that says a grade or a number; a review has a note and a name too, a correction says why.
 * @param {Kind} kind
 * @param {RecordedPrediction["answer"]} answer
 * @param {ModelDescription} model
 * @param {How} how
 */
function judgement(kind, answer, model, { send, reload, done, corrects }) {
  const isReview = kind === "review";
  const truth = isNumber(answer)
    ? numberField(kind, model)
    : gradeChoice(kind, Object.keys(likelihoods(answer)));
  const hint = t("review.note.hint");
  const note = isReview ? textField("review-note", t("review.note"), { hint }) : null;
  const why = corrects ? textField(`${kind}-why`, t("case.why"), { isRequired: true }) : null;
  const reviewer = isReview ? nameField("reviewer") : null;
  const fault = el("p.fault", { id: `${kind}-fault`, role: "alert" });
  const save = unrepeated(async () => {
    const lacking = missing(truth, why, reviewer);
    if (lacking !== null) {
      fault.textContent = lacking.said;
      lacking.input.focus();
      return;
    }
    if (reviewer) settings.set("reviewer", reviewer.value());
    const body = {
      ...truth.said(),
      ...(note && { note: note.input.value }),
      ...(reviewer && { reviewer: reviewer.value() }),
      ...(why && { corrects, why: why.value() }),
    };
    await told(() => send(body), fault, reload, done);
  });
  const key = submitKey(kind, corrects);
  return el(
    "form.judge",
    {
      class: isReview ? "judge" : "judge outcome",
      novalidate: true,
      onsubmit: (/** @type {Event} */ event) => {
        event.preventDefault();
        save();
      },
      onkeydown: (/** @type {KeyboardEvent} */ event) => {
        if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) save();
      },
    },
    truth.whole,
    note?.whole,
    why?.whole,
    reviewer?.whole,
    fault,
    el(
      "div.buttons",
      {},
      el("button", { type: "submit", class: isReview ? "primary" : null }, t(key)),
    ),
  );
}

/**
 * What is still to be said, and where.
 * @param {Truth} truth
 * @param {TextField | null} why
 * @param {TextField | null} reviewer
 */
function missing(truth, why, reviewer) {
  if (truth.said() === null) return { said: truth.lacking, input: truth.first };
  if (why?.value() === "") return { said: t("case.why.needed"), input: why.input };
  return reviewer?.value() === "" ? { said: t("review.name"), input: reviewer.input } : null;
}

/**
 * @param {Kind} kind
 * @param {string | undefined} corrects
 */
function submitKey(kind, corrects) {
  if (corrects) return "case.correct.save";
  return kind === "review" ? "review.submit" : "review.outcome.save";
}

/**
 * Tell the service; where it already knows otherwise, show what it knows.
 * @param {() => Promise<unknown>} tell
 * @param {HTMLElement} fault
 * @param {Reload} reload
 * @param {() => unknown} done
 */
async function told(tell, fault, reload, done) {
  try {
    await tell();
  } catch (error) {
    if (problemOf(error).status !== CONFLICT) {
      fault.textContent = explained(error);
      return;
    }
    const notice = el("p.notice", { role: "alert" }, explained(error));
    const fresh = await reload();
    fresh.firstElementChild?.after(notice);
    return;
  }
  await done();
}

/**
 * @typedef {object} Truth what a judgement says
 * @property {HTMLElement} whole
 * @property {HTMLElement} first where it is entered
 * @property {string} lacking said where it is missing
 * @property {() => ({grade: string} | {value: number} | null)} said null where it is missing
 */

/**
 * @param {Kind} kind
 * @param {PageModel} model
 * @returns {Truth}
 */
function numberField(kind, { target }) {
  const title = t(kind === "review" ? "review.grade" : "review.outcome.grade");
  const measure = target === undefined ? "" : unit(feature(target));
  const id = `${kind}-value`;
  const input = el("input", { id, type: "text", inputmode: "decimal", "aria-required": "true" });
  const named = measure === "" ? title : t("unit", { label: title, unit: measure });
  return {
    whole: el("div.stack", {}, el("label", { for: id }, named), input),
    first: input,
    lacking: t("entry.number", { example: grouped("1234.5") }),
    said: () => {
      const plain = canonical(input.value);
      return plain === null ? null : { value: Number(plain) };
    },
  };
}

/**
 * @param {Kind} kind
 * @param {string[]} classes
 * @returns {Truth}
 */
function gradeChoice(kind, classes) {
  const title = t(kind === "review" ? "review.grade" : "review.outcome.grade");
  const inputs = classes.map((grade) =>
    el("input", { type: "radio", name: `${kind}-grade`, value: grade }),
  );
  const labels = classes.map((grade, at) => el("label", {}, inputs[at], el("span", {}, grade)));
  return {
    whole: el("fieldset.grades", {}, el("legend", {}, title), el("div", {}, labels)),
    first: inputs[0],
    lacking: t("review.choose"),
    said: () => {
      const grade = inputs.find((input) => input.checked)?.value;
      return grade === undefined ? null : { grade };
    },
  };
}
