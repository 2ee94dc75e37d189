/** The drift chart: distance of recent rows from the training data, feature by feature. */

/** @import { Drift, ModelDescription } from "../types/wire.js" */

import { named } from "./alarms.js";
import { el, table } from "./elements.js";
import { fixed, number, t } from "./words.js";

const HARDLY = 0.1;
const MUCH = 0.25;
const SCALE = 0.5;

/** The table, still empty. */
export function driftTable() {
  const whole = table(
    t("drift.title"),
    [
      t("feature"),
      t("drift.psi"),
      t("drift.statistic"),
      t("drift.p"),
      t("rows"),
      t("drift.missing"),
    ],
    [],
    { classes: "drift" },
  );
  whole.id = "drift";
  return whole;
}

/**
 * @param {HTMLElement} whole
 * @param {Drift} drift
 * @param {ModelDescription} model
 */
export function showDrift(whole, { features }, model) {
  whole
    .querySelector("tbody")
    ?.replaceChildren(
      ...features.map((one) =>
        el(
          "tr",
          {},
          el("th", { scope: "row" }, named(one.feature, model)),
          el("td.number", {}, moved(one.psi)),
          el("td.number", {}, fixed(one.statistic)),
          el("td.number", {}, fixed(one.p_value)),
          el("td.number", {}, number(one.rows)),
          el("td.number", {}, number(one.missing)),
        ),
      ),
    );
}

/**
 * PSI as a bar on which 0.1 and 0.25 are marked.
 * @param {number | null} psi
 */
function moved(psi) {
  if (psi === null) return el("span.quiet", {}, t("drift.few"));
  const far = psi >= MUCH ? "much" : psi >= HARDLY ? "some" : "hardly";
  const style = {
    "--psi": Math.min(psi / SCALE, 1),
    "--hardly": HARDLY / SCALE,
    "--much": MUCH / SCALE,
  };
  return el(
    "span",
    { class: `moved ${far}`, style },
    el(
      "span.track",
      { "aria-hidden": "true" },
      el("span.fill"),
      el("span.line.first"),
      el("span.line.second"),
    ),
    el("span.value", {}, fixed(psi)),
  );
}
