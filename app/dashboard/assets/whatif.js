/** What a case would have been with other values, under the same masks. */

import { decided, likelihoods } from "./answer.js";
import { card, el, table } from "./elements.js";
import { explained, wrong } from "./faults.js";
import { asked } from "./http.js";
import { canonical, grouped } from "./numeral.js";
import { labelled, number, percent, t } from "./words.js";

export function whatIfCard(found, model, classes) {
  if (found.features === null)
    return card(t("whatif.title"), el("p.small", {}, t("review.erased")));
  const known = model.features.filter(({ name }) => name in found.features);
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
  const changes = new Map();
  const chosen = () => known[Number(choice.value)];
  const fill = () => {
    const now = changes.get(chosen().name) ?? found.features[chosen().name];
    value.value = now === null ? "" : grouped(String(now));
    fault.textContent = "";
  };
  const compare = async () => {
    const number_ = entry(value.value, chosen());
    if (number_ === undefined) {
      fault.textContent = t("entry.number", { example: grouped("1234.5") });
      value.focus();
      return;
    }
    changes.set(chosen().name, number_);
    try {
      const told = await asked(`predictions/${encodeURIComponent(found.id)}/what-if`, {
        method: "POST",
        body: { features: Object.fromEntries(changes) },
      });
      fault.textContent = "";
      result.replaceChildren(...compared(told, found, known, classes));
    } catch (problem) {
      changes.delete(chosen().name);
      fault.textContent = problem.errors?.length ? wrong(problem.errors[0]) : explained(problem);
    }
  };
  fill();
  const reset = () => {
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
        onsubmit: (event) => {
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

/** The number of an entry; null where nothing stands and nothing may, undefined where it is none. */
function entry(text, { nullable }) {
  if (text.trim() === "") return nullable ? null : undefined;
  const plain = canonical(text);
  return plain === null ? undefined : Number(plain);
}

/** Both answers side by side, and how far the likelihood of each grade moves. */
function compared({ recorded, corrected, features }, found, known, classes) {
  const moved = known.filter(({ name }) => features[name] !== found.features[name]);
  const said = moved.map((feature) =>
    el(
      "li",
      {},
      `${labelled(feature).join("")}: ${number(found.features[feature.name], 12)} → ${number(features[feature.name], 12)}`,
    ),
  );
  const [before, after] = [likelihoods(recorded), likelihoods(corrected)];
  const rows = classes.map((name) => [
    name,
    percent(before[name]),
    percent(after[name]),
    signed(after[name] - before[name]),
  ]);
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

/** A difference in points of a percent. */
function signed(value) {
  const text = percent(Math.abs(value));
  if (text === percent(0)) return text;
  return `${value > 0 ? "+" : "−"}${text}`;
}
