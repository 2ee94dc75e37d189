/** One case: what was asked and answered, why it waits, what a person says to it, and what was said. */

import { bars, cautions, decomposition, judged, likelihoods, tile } from "./answer.js";
import { card, el, table } from "./elements.js";
import { explained, withheld } from "./faults.js";
import { histogram, standing } from "./histogram.js";
import { asked } from "./http.js";
import { outcomeForm, reviewForm } from "./judgement.js";
import { remembered } from "./memory.js";
import { replayCard } from "./replay.js";
import { whatIfCard } from "./whatif.js";
import { labelled, moment, number, t } from "./words.js";

/**
 * @param {string} id
 * @param {object} model
 * @param {{reviewed: (said: string) => void, changed: () => void, skip: () => void}} on what follows
 *   when it was reviewed here, turned out to be changed elsewhere, or is passed over
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
    head(found, classes, on, reload),
    reviewForm(found, classes, on.reviewed, reload),
    features(found, model),
    el(
      "div.twin",
      {},
      card(t("bars.title"), bars(answer, classes)),
      answer.uncertainty &&
        card(t("uncertainty.title"), decomposition(answer.uncertainty, classes)),
    ),
    el("div.twin", {}, whatIfCard(found, model, classes), replayCard(found)),
    outcomeForm(found, classes, reload),
    history(found),
  );
  return whole;
}

function head(found, classes, on, reload) {
  const { id, time, answer, reference, model: by } = found;
  return el(
    "section.card.verdict",
    {},
    tile(answer.grade, classes, "hero middle"),
    el(
      "div.says",
      {},
      reference !== null && el("p.over", { id: "reference" }, t("case.reference", { reference })),
      el("h3", { tabindex: "-1" }, t("answer.grade", { grade: answer.grade })),
      judged(answer),
      el("p.small", {}, `${moment(time)} · ${t("review.from", by)} · `, el("code", {}, id)),
      waits(found) && steps(found, on, reload),
    ),
  );
}

/** Whether a person is still to look at it. */
function waits({ answer, review }) {
  return review === null && answer.decision?.action === "refer";
}

function steps({ id, assignee }, on, reload) {
  const fault = el("p.fault", { role: "alert" });
  const me = remembered("reviewer");
  const assign = async (reviewer) => {
    if (reviewer === undefined) {
      fault.textContent = t("review.name");
      document.getElementById("reviewer")?.focus();
      return;
    }
    try {
      await asked(`reviews/${encodeURIComponent(id)}/assignee`, {
        method: "PUT",
        body: { reviewer },
      });
      await reload();
    } catch (problem) {
      fault.textContent = explained(problem);
    }
  };
  const isMine = assignee !== null && assignee === me;
  return el(
    "div.stack",
    {},
    assignee !== null && el("p.small", { id: "assignee" }, t("case.assigned", { name: assignee })),
    el(
      "div.buttons",
      {},
      el(
        "button.small",
        { type: "button", id: "assign", onclick: () => assign(isMine ? null : (me ?? undefined)) },
        t(isMine ? "case.release" : "case.assign"),
      ),
      el("button.small", { type: "button", id: "skip", onclick: on.skip }, t("case.skip")),
    ),
    fault,
  );
}

function features({ features: row, warnings }, model) {
  if (row === null) return card(t("review.features"), el("p.small", {}, t("review.erased")));
  const rows = model.features
    .filter(({ name }) => name in row)
    .map((feature) => line(feature, row[feature.name]));
  const heads = [t("feature"), t("review.value"), t("model.distribution")];
  const odd = cautions(warnings, model, row);
  return card(
    t("review.features"),
    table(t("review.features"), heads, rows, { classes: "row" }),
    odd.length ? el("ul.cautions", {}, odd) : "",
  );
}

function line(feature, value) {
  const [name, behind] = labelled(feature);
  const place = standing(feature, value);
  const isOdd = value === null || value < feature.seen.minimum || value > feature.seen.maximum;
  return [
    el("span", {}, name, el("span.unit", {}, behind)),
    el("strong", {}, number(value, 12)),
    el(
      "span.place",
      {},
      histogram(feature, value),
      el("span", { class: isOdd ? "badge warn" : "note" }, place),
    ),
  ];
}

/** All that was said of it: who, when, what, and why it was corrected. */
function history({ history: said }) {
  if (!said.length) return "";
  const heads = [t("time"), t("case.what"), t("grade"), t("case.who"), t("case.why")];
  const rows = [...said]
    .reverse()
    .map((one) => [
      moment(one.time),
      t(one.corrects === null ? `case.${one.kind}` : `case.${one.kind}.corrected`),
      one.grade ?? "–",
      one.reviewer ?? "–",
      one.why ?? one.note ?? "–",
    ]);
  return el(
    "section.card",
    { id: "history" },
    el("h3", {}, t("case.history")),
    table(t("case.history"), heads, rows, { words: [1, 2, 3, 4] }),
  );
}
