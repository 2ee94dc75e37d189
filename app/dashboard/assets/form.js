/** The form that the signature asks for. */

import { el } from "./elements.js";
import { wrong } from "./faults.js";
import { label, number, t, unit } from "./words.js";

const MOST_DRAWS = 100000;
const MAX_SEED = Number.MAX_SAFE_INTEGER;

/** How many passes may be asked for together with all their draws. */
function mostPasses(model) {
  return Math.min(model.limits.passes, Math.floor(MOST_DRAWS / model.classes.length));
}

/**
 * A form of the model's features, passes and seed.
 * @param {object} model
 * @param {Object<string, string>} values what stands in it, by field; kept up to date
 * @param {() => void} submitted
 * @param {Node[]} buttons
 */
export function form(model, values, submitted, buttons) {
  const most = number(mostPasses(model));
  const fields = model.features.map((feature) => field(values, feature.name, {
    name: label(feature), unit: unit(feature), hint: hint(feature),
    step: feature.kind === "integer" ? 1 : "any", min: feature.minimum, max: feature.maximum,
    required: !feature.nullable,
  }));
  const options = [
    field(values, "passes", { name: t("try.passes"), hint: t("try.passes.hint", { most }), step: 1, min: 1, max: mostPasses(model), required: true }),
    field(values, "seed", { name: t("try.seed"), hint: t("try.seed.hint"), step: 1, min: 0, max: MAX_SEED, required: false }),
  ];
  return el("form", { novalidate: true, autocomplete: "off", onsubmit: (event) => {
    event.preventDefault();
    submitted();
  } }, el("div.fields", {}, fields), el("div.fields.options", {}, options), el("div.buttons", {}, buttons));
}

function hint(feature) {
  const seen = t("try.seen", { minimum: number(feature.seen.minimum), maximum: number(feature.seen.maximum) });
  return feature.nullable ? `${seen} · ${t("try.nullable")}` : seen;
}

function field(values, name, { name: text, unit: measure, hint: said, step, min, max, required }) {
  const id = `field-${name}`;
  const input = el("input", {
    id, name, type: "number", inputmode: step === 1 ? "numeric" : "decimal", step, min, max,
    "aria-required": required ? "true" : null, "aria-describedby": `${id}-hint ${id}-fault`, value: values[name] ?? "",
    oninput: () => {
      values[name] = input.value;
      clear(input);
    },
  });
  const head = el("label", { for: id }, text, measure && el("span.unit", {}, ` ${measure}`));
  return el("div.field", {},
    el("div.ask", {}, head, el("p.hint", { id: `${id}-hint` }, said)),
    input, el("p.fault", { id: `${id}-fault` }));
}

/** What the form says: the row, and how it is asked about. Empty fields are null or left out. */
export function question(model, values) {
  const row = {};
  for (const { name, nullable } of model.features) {
    if (given(values[name])) row[name] = Number(values[name]);
    else if (nullable) row[name] = null;
  }
  const query = new URLSearchParams({ draws: "true" });
  if (given(values.passes)) query.set("passes", values.passes);
  if (given(values.seed)) query.set("seed", values.seed);
  return { row, query: query.toString() };
}

function given(text) {
  return text !== undefined && text !== "";
}

/** Say at every field what is wrong with it, and go to the first. Returns how many there are. */
export function showFaults(root, errors) {
  root.querySelectorAll("[aria-invalid]").forEach(clear);
  const found = errors.map(({ field: name, detail }) => [root.querySelector(`#field-${CSS.escape(name)}`), detail]);
  const inputs = found.filter(([input]) => input !== null);
  for (const [input, detail] of inputs) {
    input.setAttribute("aria-invalid", "true");
    root.querySelector(`#${CSS.escape(input.id)}-fault`).textContent = wrong(detail);
  }
  inputs[0]?.[0].focus();
  return inputs.length;
}

function clear(input) {
  input.removeAttribute("aria-invalid");
  document.getElementById(`${input.id}-fault`).textContent = "";
}
