/** Computes a recorded prediction again, and shows whether it is identical. */

/** @import { RecordedPrediction, Replay } from "../types/wire.js" */

import { card, el, table } from "./elements.js";
import { explained } from "./faults.js";
import { asked, unrepeated } from "./http.js";
import { number, t } from "./words.js";

/** @param {RecordedPrediction} found */
export function replayCard({ id, features }) {
  const result = el("div.stack", { role: "status", id: "replayed" });
  const compute = unrepeated(async () => {
    button.setAttribute("aria-disabled", "true");
    try {
      const found = await asked(`predictions/${encodeURIComponent(id)}/replay`, { method: "POST" });
      result.replaceChildren(...told(found));
    } catch (error) {
      result.replaceChildren(el("p.fault", {}, explained(error)));
    }
    button.removeAttribute("aria-disabled");
  });
  const button = el(
    "button",
    { type: "button", id: "replay", onclick: compute },
    t("replay.compute"),
  );
  const isGone = features === null;
  return card(
    t("replay.title"),
    el("p.small", {}, t(isGone ? "review.erased" : "replay.intro")),
    isGone ? "" : el("div.buttons", {}, button),
    result,
  );
}

/** @param {Replay} found */
function told({ identical, largest_difference: largest, environment_changed: isOther, facts }) {
  const badge = el(
    "span",
    { class: identical ? "badge good" : "badge bad" },
    t(identical ? "try.same" : "replay.other"),
  );
  const texts = [el("p", {}, badge)];
  if (!identical)
    texts.push(el("p.small", {}, t("replay.difference", { value: number(largest, 3) })));
  if (isOther) texts.push(el("p.small", {}, t("replay.environment")));
  if (facts.length) {
    const rows = facts.map(({ name, then, now }) => [
      el("code", {}, name),
      el("code", {}, then ?? "–"),
      el("code", {}, now ?? "–"),
    ]);
    texts.push(
      table(t("replay.environment"), [t("replay.fact"), t("replay.then"), t("replay.now")], rows, {
        words: [1, 2],
      }),
    );
  }
  return texts;
}
