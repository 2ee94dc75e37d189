/** What a person says to a case: the right grade with a note, and later the true one. */

import { el } from "./elements.js";
import { explained } from "./faults.js";
import { asked } from "./http.js";
import { remember, remembered } from "./memory.js";
import { moment, t } from "./words.js";

const CONFLICT = 409;
const [LONGEST_NAME, LONGEST_NOTE] = [200, 4000];

/** The review: as it was given, or the form that gives it. */
export function reviewForm({ id, review }, classes, reviewed, reload) {
  if (review) {
    const done = t("review.done", { grade: review.grade, reviewer: review.reviewer, time: moment(review.time) });
    return el("section.card", {}, el("h3", {}, t("review.form")), el("p", { id: "review-done" }, done), review.note && el("blockquote", {}, review.note));
  }
  const grades = gradeChoice("review-grade", t("review.grade"), classes);
  const note = el("textarea", { id: "note", maxlength: LONGEST_NOTE, "aria-describedby": "note-hint" });
  const reviewer = el("input", { id: "reviewer", type: "text", maxlength: LONGEST_NAME, autocomplete: "name", "aria-required": "true", "aria-describedby": "review-fault", value: remembered("reviewer") ?? "" });
  const fault = el("p.fault", { id: "review-fault", role: "alert" });
  const save = async () => {
    const missing = grades.chosen() === null ? [t("review.choose"), grades.first] : reviewer.value.trim() === "" ? [t("review.name"), reviewer] : null;
    if (missing !== null) {
      fault.textContent = missing[0];
      missing[1].focus();
      return;
    }
    remember("reviewer", reviewer.value.trim());
    const body = { grade: grades.chosen(), note: note.value, reviewer: reviewer.value.trim() };
    await told(() => asked(`reviews/${encodeURIComponent(id)}`, { method: "POST", body }), fault, "review.conflict", reload, () => reviewed(t("review.saved")));
  };
  return el("section.card", {}, el("h3", {}, t("review.form")), el("form.judge", { novalidate: true, onsubmit: prevented(save) },
    grades.whole,
    el("div.stack", {}, el("label", { for: "note" }, t("review.note")), note, el("p.hint", { id: "note-hint" }, t("review.note.hint"))),
    el("div.stack", {}, el("label", { for: "reviewer" }, t("review.reviewer")), reviewer), fault,
    el("div.buttons", {}, el("button.primary", { type: "submit" }, t("review.submit")))));
}

/** The true grade: as it was told, or the form that tells it. */
export function outcomeForm({ id, outcome }, classes, reload) {
  const title = el("h3", {}, t("review.outcome"));
  if (outcome) return el("section.card", {}, title, el("p", { id: "outcome-done" }, t("review.outcome.known", { grade: outcome.grade, time: moment(outcome.time) })));
  const grades = gradeChoice("outcome-grade", t("review.outcome.grade"), classes);
  const fault = el("p.fault", { role: "alert" });
  const save = async () => {
    if (grades.chosen() === null) {
      fault.textContent = t("review.choose");
      grades.first.focus();
      return;
    }
    const body = { grade: grades.chosen() };
    await told(() => asked(`predictions/${encodeURIComponent(id)}/outcome`, { method: "PUT", body }), fault, "review.outcome.conflict", reload, reload);
  };
  return el("section.card", {}, title, el("p.small", {}, t("review.outcome.intro")), el("form.judge.outcome", { novalidate: true, onsubmit: prevented(save) },
    grades.whole, fault, el("div.buttons", {}, el("button", { type: "submit" }, t("review.outcome.save")))));
}

function prevented(then) {
  return (event) => {
    event.preventDefault();
    then();
  };
}

/** Tell the service; where it already knows otherwise, show what it knows. */
async function told(tell, fault, conflict, reload, done) {
  try {
    await tell();
  } catch (problem) {
    if (problem.status !== CONFLICT) {
      fault.textContent = explained(problem);
      return;
    }
    const notice = el("p.notice", { role: "alert" }, t(conflict));
    const fresh = await reload();
    fresh.lastElementChild?.before(notice);
    return;
  }
  await done();
}

function gradeChoice(name, title, classes) {
  const inputs = classes.map((grade) => el("input", { type: "radio", name, value: grade }));
  const whole = el("fieldset.grades", {}, el("legend", {}, title),
    el("div", {}, classes.map((grade, at) => el("label", {}, inputs[at], el("span", {}, grade)))));
  return { whole, first: inputs[0], chosen: () => inputs.find((input) => input.checked)?.value ?? null };
}
