/** What a person says to a case: a decision with a note, and later the actual outcome; both may be corrected. */

import { el } from "./elements.js";
import { explained } from "./faults.js";
import { asked } from "./http.js";
import { remember, remembered } from "./memory.js";
import { moment, t } from "./words.js";

const CONFLICT = 409;
const [LONGEST_NAME, LONGEST_NOTE] = [200, 4000];

/** The review: the form that gives it or, once it was given, what was said and the form that corrects it. */
export function reviewForm(found, classes, reviewed, reload) {
  const { id, review } = found;
  const send = (body) => asked(`reviews/${encodeURIComponent(id)}`, { method: "POST", body });
  if (review === null) {
    const form = judgement("review", classes, {
      send,
      reload,
      done: () => reviewed(t("review.saved")),
      hasNote: true,
    });
    return el("section.card.decides", {}, el("h3", {}, t("review.form")), form);
  }
  const done = t("review.done", {
    grade: review.grade,
    reviewer: review.reviewer ?? t("case.erased"),
    time: moment(review.time),
  });
  const form = judgement("review", classes, {
    send,
    reload,
    done: reload,
    hasNote: true,
    corrects: review.id,
  });
  return el(
    "section.card.decides",
    {},
    el("h3", {}, t("review.form")),
    el("p", { id: "review-done" }, done),
    review.note && el("blockquote", {}, review.note),
    correcting("review", form),
  );
}

/** The actual grade, apart from the review: folded until it is known. */
export function outcomeForm(found, classes, reload) {
  const { id, outcome } = found;
  const send = (body) =>
    asked(`predictions/${encodeURIComponent(id)}/outcome`, { method: "PUT", body });
  if (outcome !== null) {
    const form = judgement("outcome", classes, {
      send,
      reload,
      done: reload,
      corrects: outcome.id,
    });
    return el(
      "section.card.outcome-card",
      {},
      el("h3", {}, t("review.outcome")),
      el(
        "p",
        { id: "outcome-done" },
        t("review.outcome.known", { grade: outcome.grade, time: moment(outcome.time) }),
      ),
      correcting("outcome", form),
    );
  }
  return el(
    "section.card.outcome-card",
    {},
    el(
      "details",
      { id: "outcome" },
      el("summary", {}, el("h3", {}, t("review.outcome"))),
      el("p.small", {}, t("review.outcome.intro")),
      judgement("outcome", classes, { send, reload, done: reload }),
    ),
  );
}

function correcting(kind, form) {
  return el("details.more", { id: `${kind}-correct` }, el("summary", {}, t("case.correct")), form);
}

/**
 * A form that says a grade.
 * @param {"review"|"outcome"} kind
 * @param {string[]} classes
 * @param {{send: (body: object) => Promise<any>, reload: () => Promise<Element>, done: () => any, hasNote?: boolean, corrects?: string}} how
 */
function judgement(kind, classes, { send, reload, done, hasNote = false, corrects = null }) {
  const grades = gradeChoice(
    `${kind}-grade`,
    t(`${kind === "review" ? "review" : "review.outcome"}.grade`),
    classes,
  );
  const note =
    hasNote && text("textarea", `${kind}-note`, t("review.note"), { hint: t("review.note.hint") });
  const reviewer =
    hasNote &&
    text("input", "reviewer", t("review.reviewer"), {
      value: remembered("reviewer") ?? "",
      isName: true,
    });
  const why =
    corrects !== null && text("textarea", `${kind}-why`, t("case.why"), { isRequired: true });
  const fault = el("p.fault", { id: `${kind}-fault`, role: "alert" });
  const missing = () => {
    if (grades.chosen() === null) return [t("review.choose"), grades.first];
    if (why && why.value() === "") return [t("case.why.needed"), why.input];
    return reviewer && reviewer.value() === "" ? [t("review.name"), reviewer.input] : null;
  };
  let isSending = false;
  const save = async () => {
    const lacking = missing();
    if (lacking !== null) {
      fault.textContent = lacking[0];
      lacking[1].focus();
      return;
    }
    if (reviewer) remember("reviewer", reviewer.value());
    const body = {
      grade: grades.chosen(),
      ...(hasNote ? { note: note.input.value, reviewer: reviewer.value() } : {}),
      ...(corrects === null ? {} : { corrects, why: why.value() }),
    };
    if (isSending) return;
    isSending = true;
    await told(() => send(body), fault, reload, done);
    isSending = false;
  };
  const submit = el(
    "button",
    { type: "submit", class: kind === "review" ? "primary" : null },
    t(submitKey(kind, corrects)),
  );
  return el(
    "form.judge",
    {
      class: kind === "outcome" ? "judge outcome" : "judge",
      novalidate: true,
      onsubmit: prevented(save),
      onkeydown: (event) => {
        if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) save();
      },
    },
    grades.whole,
    note && note.whole,
    why && why.whole,
    reviewer && reviewer.whole,
    fault,
    el("div.buttons", {}, submit),
  );
}

function submitKey(kind, corrects) {
  if (corrects !== null) return "case.correct.save";
  return kind === "review" ? "review.submit" : "review.outcome.save";
}

function text(name, id, label, { value = "", hint = null, isName = false, isRequired = false }) {
  const input = el(name, {
    id,
    type: name === "input" ? "text" : null,
    maxlength: isName ? LONGEST_NAME : LONGEST_NOTE,
    autocomplete: isName ? "name" : null,
    "aria-required": isName || isRequired ? "true" : null,
    "aria-describedby": hint && `${id}-hint`,
    value: name === "input" ? value : null,
  });
  const whole = el(
    "div.stack",
    {},
    el("label", { for: id }, label),
    input,
    hint && el("p.hint", { id: `${id}-hint` }, hint),
  );
  return { whole, input, value: () => input.value.trim() };
}

function prevented(then) {
  return (event) => {
    event.preventDefault();
    then();
  };
}

/** Tell the service; where it already knows otherwise, show what it knows. */
async function told(tell, fault, reload, done) {
  try {
    await tell();
  } catch (problem) {
    if (problem.status !== CONFLICT) {
      fault.textContent = explained(problem);
      return;
    }
    const notice = el("p.notice", { role: "alert" }, explained(problem));
    const fresh = await reload();
    fresh.firstElementChild?.after(notice);
    return;
  }
  await done();
}

function gradeChoice(name, title, classes) {
  const inputs = classes.map((grade) => el("input", { type: "radio", name, value: grade }));
  const whole = el(
    "fieldset.grades",
    {},
    el("legend", {}, title),
    el(
      "div",
      {},
      classes.map((grade, at) => el("label", {}, inputs[at], el("span", {}, grade))),
    ),
  );
  return {
    whole,
    first: inputs[0],
    chosen: () => inputs.find((input) => input.checked)?.value ?? null,
  };
}
