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
 * The field of a feature, named by its place: a bundle may call its features as it likes, also
 * like an option, another field's hint or a property of forms.
 */
export function place(at) {
  return `feature-${at}`;
}

/** The field of an option, "passes" or "seed". */
export function option(name) {
  return `option-${name}`;
}

/**
 * A form of the model's features, passes and seed.
 * @param {object} model
 * @param {Map<string, string>} values what stands in it, by field; kept up to date
 * @param {() => void} submitted
 * @param {Node[]} buttons
 */
export function form(model, values, submitted, buttons) {
  const most = number(mostPasses(model));
  const fields = model.features.map((feature, at) => field(values, place(at), {
    feature: feature.name, name: label(feature), unit: unit(feature), hint: hint(feature),
    step: feature.kind === "integer" ? 1 : "any", min: feature.minimum, max: feature.maximum,
    required: !feature.nullable,
  }));
  const options = [
    field(values, option("passes"), { name: t("try.passes"), hint: t("try.passes.hint", { most }), step: 1, min: 1, max: mostPasses(model), required: true }),
    field(values, option("seed"), { name: t("try.seed"), hint: t("try.seed.hint"), step: 1, min: 0, max: MAX_SEED, required: false }),
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

function field(values, id, { feature, name: text, unit: measure, hint: said, step, min, max, required }) {
  const input = el("input", {
    id, "data-feature": feature, type: "number", inputmode: step === 1 ? "numeric" : "decimal", step, min, max,
    "aria-required": required ? "true" : null, "aria-describedby": `${id}-hint ${id}-fault`, value: values.get(id) ?? "",
    oninput: () => {
      values.set(id, input.value);
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
  // Without a prototype any name is a member, also `__proto__`.
  const row = Object.create(null);
  model.features.forEach(({ name, nullable }, at) => {
    const text = values.get(place(at));
    if (given(text)) row[name] = Number(text);
    else if (nullable) row[name] = null;
  });
  const query = new URLSearchParams({ draws: "true" });
  for (const name of ["passes", "seed"]) {
    const text = values.get(option(name));
    if (given(text)) query.set(name, text);
  }
  return { row, query: query.toString() };
}

function given(text) {
  return text !== undefined && text !== "";
}

/** Say at every field what is wrong with it, and go to the first. Returns how many there are. */
export function showFaults(root, model, errors) {
  root.querySelectorAll("[aria-invalid]").forEach(clear);
  const found = errors.map((error) => [root.querySelector(`#${fieldOf(error.pointer, model)}`), error]);
  const inputs = found.filter(([input]) => input !== null);
  for (const [input, error] of inputs) {
    input.setAttribute("aria-invalid", "true");
    root.querySelector(`#${input.id}-fault`).textContent = wrong(error);
  }
  inputs[0]?.[0].focus();
  return inputs.length;
}

/** The field that a fault's pointer means: `#` is the row and `?` are the options. */
function fieldOf(pointer, model) {
  const name = pointer.slice(2).replaceAll("~1", "/").replaceAll("~0", "~");
  return pointer.startsWith("?") ? option(name) : place(model.features.findIndex((feature) => isCalled(feature.name, name)));
}

/** Whether a fault names a feature; long names are cut short in it. */
function isCalled(name, said) {
  return name === said || (said.endsWith("…") && name.startsWith(said.slice(0, -1)));
}

function clear(input) {
  input.removeAttribute("aria-invalid");
  document.getElementById(`${input.id}-fault`).textContent = "";
}
