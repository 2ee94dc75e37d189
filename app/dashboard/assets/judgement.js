/** The review form of a case: decision with a note, later the true outcome, corrections of both. */

/** @import { RecordedPrediction } from "../types/wire.js" */
/** @import { Reload } from "./case.js" */
/** @import { TextField } from "./textfield.js" */

import { el } from "./elements.js";
import { explained } from "./faults.js";
import { asked, problemOf, unrepeated } from "./http.js";
import { settings } from "./settings.js";
import { nameField, textField } from "./textfield.js";
import { moment, t } from "./words.js";

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
 * @param {string[]} classes
 * @param {(said: string) => void} reviewed
 * @param {Reload} reload
 */
export function reviewForm({ id, review }, classes, reviewed, reload) {
  /** @param {object} body */
  const send = (body) => asked(`reviews/${encodeURIComponent(id)}`, { method: "POST", body });
  const title = el("h3", {}, t("review.form"));
  if (review === null) {
    const done = () => reviewed(t("review.saved"));
    return el(
      "section.card.decides",
      {},
      title,
      judgement("review", classes, { send, reload, done }),
    );
  }
  const how = { send, reload, done: reload, corrects: review.id };
  return el(
    "section.card.decides",
    {},
    title,
    el(
      "p",
      { id: "review-done" },
      t("review.done", { ...names(review), time: moment(review.time) }),
    ),
    review.note && el("blockquote", {}, review.note),
    correcting("review", judgement("review", classes, how)),
  );
}

/** @param {{grade: string, reviewer: string | null}} review */
function names({ grade, reviewer }) {
  return { grade, reviewer: reviewer ?? t("case.erased") };
}

/**
 * The actual grade, apart from the review: folded until it is known.
 * @param {RecordedPrediction} found
 * @param {string[]} classes
 * @param {Reload} reload
 */
export function outcomeForm({ id, outcome }, classes, reload) {
  /** @param {object} body */
  const send = (body) =>
    asked(`predictions/${encodeURIComponent(id)}/outcome`, { method: "PUT", body });
  const how = { send, reload, done: reload, corrects: outcome?.id };
  const form = judgement("outcome", classes, how);
  const title = el("h3", {}, t("review.outcome"));
  if (outcome === null) return el("section.card.outcome-card", {}, unfolding(title, form));
  const known = t("review.outcome.known", { grade: outcome.grade, time: moment(outcome.time) });
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
 * A form that says a grade; a review has a note and a name too, a correction says why.
 * @param {Kind} kind
 * @param {string[]} classes
 * @param {How} how
 */
function judgement(kind, classes, { send, reload, done, corrects }) {
  const isReview = kind === "review";
  const grades = gradeChoice(kind, classes);
  const hint = t("review.note.hint");
  const note = isReview ? textField("review-note", t("review.note"), { hint }) : null;
  const why = corrects ? textField(`${kind}-why`, t("case.why"), { isRequired: true }) : null;
  const reviewer = isReview ? nameField("reviewer") : null;
  const fault = el("p.fault", { id: `${kind}-fault`, role: "alert" });
  const save = unrepeated(async () => {
    const lacking = missing(grades, why, reviewer);
    if (lacking !== null) {
      fault.textContent = lacking.said;
      lacking.input.focus();
      return;
    }
    if (reviewer) settings.set("reviewer", reviewer.value());
    const body = {
      grade: grades.chosen(),
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
    grades.whole,
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
 * @param {GradeChoice} grades
 * @param {TextField | null} why
 * @param {TextField | null} reviewer
 */
function missing(grades, why, reviewer) {
  if (grades.chosen() === null) return { said: t("review.choose"), input: grades.first };
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

/** @typedef {ReturnType<typeof gradeChoice>} GradeChoice */

/**
 * @param {Kind} kind
 * @param {string[]} classes
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
    chosen: () => inputs.find((input) => input.checked)?.value ?? null,
  };
}
