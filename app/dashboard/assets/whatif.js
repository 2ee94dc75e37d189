/** What-if: a recorded prediction with other values, under the same dropout masks. */

/** @import { AnyFeature, Answer, ModelDescription, RecordedPrediction, Value, WhatIf } from "../types/wire.js" */

import { viewOf } from "./answerview.js";
import { card, el, table } from "./elements.js";
import { explained, wrong } from "./faults.js";
import { choice as choiceOf } from "./form.js";
import { asked, LatestRequest, problemOf } from "./http.js";
import { grouped } from "./numeral.js";
import { entered, entry, isListed, isTensor, mayLack, said as saidValue } from "./values.js";
import { labelled, t } from "./words.js";

const VALUE = "whatif-value";

/**
 * @param {RecordedPrediction} found
 * @param {ModelDescription} model
 */
export function whatIfCard(found, model) {
  const row = found.features;
  if (row === null) return card(t("whatif.title"), el("p.small", {}, t("review.erased")));
  const known = model.features.filter((one) => one.name in row && !isTensor(one));
  if (!known.length) return card(t("whatif.title"), el("p.small", {}, t("whatif.tensor")));
  const choice = el(
    "select",
    { id: "whatif-feature", onchange: () => fill() },
    known.map((feature, at) => el("option", { value: at }, labelled(feature).join(""))),
  );
  const holder = el("span");
  const fault = el("p.fault", { id: "whatif-fault", role: "alert" });
  const result = el("div.stack", { id: "whatif-result", role: "status" });
  /** @type {Map<string, Value>} */
  const changes = new Map();
  const requests = new LatestRequest();
  let text = "";
  const chosen = () => known[Number(choice.value)];
  const fill = () => {
    const feature = chosen();
    const now = changes.has(feature.name) ? changes.get(feature.name) : row[feature.name];
    text = entry(feature, now);
    holder.replaceChildren(
      ...control(feature, text, (given) => {
        text = given;
      }),
    );
    fault.textContent = "";
  };
  const compare = async () => {
    const feature = chosen();
    const { name } = feature;
    const other = entered(feature, text);
    const isChanged = text !== entry(feature, row[name]);
    if (isChanged && (other === undefined || (other === null && !mayLack(feature)))) {
      fault.textContent = isListed(feature)
        ? t("entry.choice")
        : t("entry.number", { example: grouped("1234.5") });
      document.getElementById(VALUE)?.focus();
      return;
    }
    // What was recorded as unknown cannot be written: left as it is, it is no change.
    if (isChanged && other !== undefined) changes.set(name, other);
    else changes.delete(name);
    const signal = requests.begin();
    try {
      const told = await asked(`predictions/${encodeURIComponent(found.id)}/what-if`, {
        method: "POST",
        body: { features: Object.fromEntries(changes) },
        signal,
      });
      fault.textContent = "";
      result.replaceChildren(...compared(told, row, known, model));
    } catch (error) {
      if (signal.aborted) return;
      changes.delete(name);
      fault.textContent = refused(error);
    }
  };
  fill();
  const reset = () => {
    requests.abort();
    changes.clear();
    fill();
    result.replaceChildren();
  };
  return card(
    t("whatif.title"),
    el("p.small", {}, t("whatif.intro")),
    el(
      "form.whatif",
      {
        novalidate: true,
        onsubmit: (/** @type {Event} */ event) => {
          event.preventDefault();
          compare();
        },
      },
      el("label.stack", {}, el("span", {}, t("feature")), choice),
      el("label.stack", {}, el("span", {}, t("whatif.value")), holder),
      fault,
      el(
        "div.buttons",
        {},
        el("button", { type: "submit", id: "whatif-compare" }, t("whatif.compare")),
        el("button", { type: "button", onclick: reset }, t("whatif.reset")),
      ),
    ),
    result,
  );
}

/** @param {unknown} error */
function refused(error) {
  const [first] = problemOf(error).errors;
  return first ? wrong(first) : explained(error);
}

/**
 * What the other value is given in.
 * @param {AnyFeature} feature
 * @param {string} text what stands there at first
 * @param {(text: string) => void} given
 */
function control(feature, text, given) {
  const attributes = { "aria-describedby": "whatif-fault" };
  if (isListed(feature)) return choiceOf(VALUE, feature, attributes, text, given);
  /** @type {HTMLInputElement} */
  const input = el("input", {
    ...attributes,
    type: "text",
    id: VALUE,
    inputmode: "decimal",
    value: text,
    oninput: () => given(input.value),
  });
  return [input];
}

/**
 * Both answers side by side, and how far each figure moves.
 * @param {WhatIf} told
 * @param {Record<string, Value>} row as it was recorded
 * @param {AnyFeature[]} known
 * @param {ModelDescription} model
 */
function compared({ recorded, corrected, features }, row, known, model) {
  const moved = known.filter(({ name }) => features[name] !== row[name]);
  const said = moved.map((feature) =>
    el(
      "li",
      {},
      `${labelled(feature).join("")}: ${saidValue(feature, row[feature.name])} → ${saidValue(feature, features[feature.name])}`,
    ),
  );
  const view = viewOf(recorded);
  /** @param {Answer} answer */
  const sentence = (answer) => view.sentence(answer, model);
  return [
    el("ul.cautions", {}, said),
    el("p", {}, el("strong", {}, `${t("whatif.before")} `), sentence(recorded)),
    el("p", { id: "whatif-after" }, el("strong", {}, `${t("whatif.after")} `), sentence(corrected)),
    table(
      t("whatif.title"),
      [t(view.compares), t("whatif.before"), t("whatif.after"), t("whatif.difference")],
      view.compared(recorded, corrected, model),
    ),
  ];
}
