/** The detail view of one recorded prediction: input, answer, reasons for referral, review, history. */

/** @import { AnyFeature, ModelDescription, RecordedPrediction, Value } from "../types/wire.js" */

import { cautions } from "./answer.js";
import { viewOf } from "./answerview.js";
import { card, el, table } from "./elements.js";
import { explained, withheld } from "./faults.js";
import { histogram, isOdd, standing } from "./histogram.js";
import { asked, unrepeated } from "./http.js";
import { outcomeForm, reviewForm } from "./judgement.js";
import { follow } from "./models.js";
import { replayCard } from "./replay.js";
import { settings } from "./settings.js";
import { tensorPicture } from "./tensor.js";
import { isTensor, said as saidValue } from "./values.js";
import { whatIfCard } from "./whatif.js";
import { labelled, moment, t } from "./words.js";

/** @typedef {() => Promise<HTMLElement>} Reload shows the case anew, as the service has it now */

/**
 * What follows when a case was reviewed here, turned out to be changed elsewhere, or is passed over.
 * @typedef {{reviewed: (said: string) => void, changed: () => void, skip: () => void}} Followers
 */

/**
 * @param {string} id
 * @param {ModelDescription} model
 * @param {Followers} on
 * @param {AbortSignal} [signal] ends it where another case is wanted meanwhile
 * @returns {Promise<HTMLElement>} rejects where it was ended
 */
export async function openCase(id, model, on, signal) {
  try {
    const found = await asked(`predictions/${encodeURIComponent(id)}`, { signal });
    return follow(found.model.name) ? el("p") : shown(found, model, on);
  } catch (error) {
    signal?.throwIfAborted();
    return el("p.notice", { role: "alert" }, withheld(error));
  }
}

/**
 * @param {RecordedPrediction} found
 * @param {ModelDescription} model
 * @param {Followers} on
 */
function shown(found, model, on) {
  const { answer, id } = found;
  const view = viewOf(answer);
  const whole = el("div.result", { "data-case": id });
  const reload = async () => {
    const fresh = await openCase(id, model, on);
    whole.replaceWith(fresh);
    on.changed();
    return fresh;
  };
  whole.append(
    head(found, model, on, reload),
    reviewForm(found, model, on.reviewed, reload),
    features(found, model),
    el("div.twin", {}, view.parts(answer, model)),
    el("div.twin", {}, whatIfCard(found, model), replayCard(found)),
    outcomeForm(found, model, reload),
    history(found, model),
  );
  return whole;
}

/**
 * @param {RecordedPrediction} found
 * @param {ModelDescription} model
 * @param {Followers} on
 * @param {Reload} reload
 */
function head(found, model, on, reload) {
  const { id, time, answer, reference, model: by } = found;
  const view = viewOf(answer);
  return el(
    "section.card.verdict",
    {},
    view.mark(answer, model),
    el(
      "div.says",
      {},
      reference !== null && el("p.over", { id: "reference" }, t("case.reference", { reference })),
      el("h3", { tabindex: "-1" }, view.heading(answer, model)),
      view.judged(answer, model),
      el(
        "p.small",
        {},
        `${moment(time)} · ${t("review.from", { name: by.name, version: by.version })} · `,
        el("code", {}, id),
      ),
      waits(found) && steps(found, on, reload),
    ),
  );
}

/**
 * Whether a person is still to look at it.
 * @param {RecordedPrediction} found
 */
function waits({ answer, review }) {
  return review === null && answer.decision?.action === "refer";
}

/**
 * @param {RecordedPrediction} found
 * @param {Followers} on
 * @param {Reload} reload
 */
function steps({ id, assignee }, on, reload) {
  const fault = el("p.fault", { role: "alert" });
  const isMine = assignee !== null && assignee === settings.get("reviewer");
  const assign = unrepeated(async () => {
    // Who reviews is asked for when the button is pressed: it may have been said since.
    const reviewer = isMine ? null : settings.get("reviewer");
    if (reviewer === null && !isMine) {
      fault.textContent = t("review.name");
      document.getElementById("reviewer")?.focus();
      return;
    }
    const path = `reviews/${encodeURIComponent(id)}/assignee`;
    try {
      await asked(path, { method: "PUT", body: { reviewer } });
      await reload();
    } catch (error) {
      fault.textContent = explained(error);
    }
  });
  return el(
    "div.stack",
    {},
    assignee !== null && el("p.small", { id: "assignee" }, t("case.assigned", { name: assignee })),
    el(
      "div.buttons",
      {},
      el(
        "button.small",
        { type: "button", id: "assign", onclick: assign },
        t(isMine ? "case.release" : "case.assign"),
      ),
      el("button.small", { type: "button", id: "skip", onclick: on.skip }, t("case.skip")),
    ),
    fault,
  );
}

/**
 * @param {RecordedPrediction} found
 * @param {ModelDescription} model
 */
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

/**
 * @param {AnyFeature} feature
 * @param {Value} value
 */
function line(feature, value) {
  const [name, behind] = labelled(feature);
  return [
    el("span", {}, name, el("span.unit", {}, behind)),
    el(
      "strong",
      {},
      isTensor(feature) && value !== null && tensorPicture(feature, value),
      saidValue(feature, value),
    ),
    el(
      "span.place",
      {},
      histogram(feature, value),
      el(
        "span",
        { class: isOdd(feature, value) ? "badge warn" : "note" },
        standing(feature, value),
      ),
    ),
  ];
}

/**
 * All that was said of it: who, when, what, and why it was corrected.
 * @param {RecordedPrediction} found
 * @param {ModelDescription} model
 */
function history({ history: said, answer }, model) {
  if (!said.length) return "";
  const heads = [t("time"), t("case.what"), t("grade"), t("case.who"), t("case.why")];
  const view = viewOf(answer);
  const rows = [...said]
    .reverse()
    .map((one) => [
      moment(one.time),
      t(one.corrects === null ? `case.${one.kind}` : `case.${one.kind}.corrected`),
      one.kind === "assignment" ? "–" : view.truth(one, model),
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
