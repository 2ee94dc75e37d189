/** What-if: a recorded prediction with other values, under the same dropout masks. */

/** @import { Answer, Feature, ModelDescription, RecordedPrediction, WhatIf } from "../types/wire.js" */

import { decided, likelihoods } from "./answer.js";
import { card, el, table } from "./elements.js";
import { explained, wrong } from "./faults.js";
import { asked, LatestRequest, problemOf } from "./http.js";
import { canonical, grouped } from "./numeral.js";
import { labelled, number, percent, t } from "./words.js";

/**
 * @param {RecordedPrediction} found
 * @param {ModelDescription} model
 * @param {string[]} classes
 */
export function whatIfCard(found, model, classes) {
  const row = found.features;
  if (row === null) return card(t("whatif.title"), el("p.small", {}, t("review.erased")));
  const known = model.features.filter(({ name }) => name in row);
  const choice = el(
    "select",
    { id: "whatif-feature", onchange: () => fill() },
    known.map((feature, at) => el("option", { value: at }, labelled(feature).join(""))),
  );
  const value = el("input", {
    type: "text",
    id: "whatif-value",
    inputmode: "decimal",
    "aria-describedby": "whatif-fault",
  });
  const fault = el("p.fault", { id: "whatif-fault", role: "alert" });
  const result = el("div.stack", { id: "whatif-result", role: "status" });
  /** @type {Map<string, number | null>} */
  const changes = new Map();
  const requests = new LatestRequest();
  const chosen = () => known[Number(choice.value)];
  const fill = () => {
    const { name } = chosen();
    const now = changes.has(name) ? changes.get(name) : row[name];
    value.value = now === null ? "" : grouped(String(now));
    fault.textContent = "";
  };
  const compare = async () => {
    const { name } = chosen();
    const other = entry(value.value, chosen());
    if (other === undefined) {
      fault.textContent = t("entry.number", { example: grouped("1234.5") });
      value.focus();
      return;
    }
    changes.set(name, other);
    const signal = requests.begin();
    try {
      const told = await asked(`predictions/${encodeURIComponent(found.id)}/what-if`, {
        method: "POST",
        body: { features: Object.fromEntries(changes) },
        signal,
      });
      fault.textContent = "";
      result.replaceChildren(...compared(told, row, known, classes));
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
      el("label.stack", {}, el("span", {}, t("whatif.value")), value),
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
 * The number of an entry; null where nothing stands and nothing may, undefined where it is none.
 * @param {string} text
 * @param {Feature} feature
 */
function entry(text, { nullable }) {
  if (text.trim() === "") return nullable ? null : undefined;
  const plain = canonical(text);
  return plain === null ? undefined : Number(plain);
}

/**
 * Both answers side by side, and how far the likelihood of each grade moves.
 * @param {WhatIf} told
 * @param {Record<string, number | null>} row as it was recorded
 * @param {Feature[]} known
 * @param {string[]} classes
 */
function compared({ recorded, corrected, features }, row, known, classes) {
  const moved = known.filter(({ name }) => features[name] !== row[name]);
  const said = moved.map((feature) =>
    el(
      "li",
      {},
      `${labelled(feature).join("")}: ${number(row[feature.name], 12)} → ${number(features[feature.name], 12)}`,
    ),
  );
  const [before, after] = [likelihoods(recorded), likelihoods(corrected)];
  const rows = classes.map((name) => [
    name,
    percent(before[name]),
    percent(after[name]),
    signed(after[name] - before[name]),
  ]);
  /** @param {Answer} answer */
  const sentence = (answer) => `${t("answer.grade", { grade: answer.grade })}. ${decided(answer)}`;
  return [
    el("ul.cautions", {}, said),
    el("p", {}, el("strong", {}, `${t("whatif.before")} `), sentence(recorded)),
    el("p", { id: "whatif-after" }, el("strong", {}, `${t("whatif.after")} `), sentence(corrected)),
    table(
      t("whatif.title"),
      [t("grade"), t("whatif.before"), t("whatif.after"), t("whatif.difference")],
      rows,
    ),
  ];
}

/**
 * A difference in points of a percent.
 * @param {number} value
 */
function signed(value) {
  const text = percent(Math.abs(value));
  if (text === percent(0)) return text;
  return `${value > 0 ? "+" : "−"}${text}`;
}
