/** The form that the signature asks for. */

import { el } from "./elements.js";
import { wrong } from "./faults.js";
import { canonical, grouped } from "./numeral.js";
import { labelled, number, t } from "./words.js";

const MOST_DRAWS = 100000;
const MAX_SEED = Number.MAX_SAFE_INTEGER;
const OPTIONS = ["passes", "seed"];
/** Where the form remembers among its values that its details are unfolded. */
const UNFOLDED = "details";

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

/** What every field takes, by its name: the features, then the options. */
function terms(model) {
  const features = model.features.map((feature, at) => [
    place(at),
    {
      isWhole: feature.kind === "integer",
      least: feature.minimum,
      most: feature.maximum,
      isRequired: !feature.nullable,
    },
  ]);
  return new Map([
    ...features,
    [option("passes"), { isWhole: true, least: 1, most: mostPasses(model), isRequired: true }],
    [option("seed"), { isWhole: true, least: 0, most: MAX_SEED, isRequired: false, isName: true }],
  ]);
}

/**
 * A form of the model's features, and of passes and seed, which are folded.
 * @param {object} model
 * @param {Map<string, string>} values what stands in it, by field, numbers without separators; kept up to date
 * @param {() => void} submitted
 * @param {Node[]} buttons
 */
export function form(model, values, submitted, buttons) {
  const known = terms(model);
  const make = (id, texts) => field(values, id, { ...known.get(id), ...texts });
  const fields = model.features.map((feature, at) => {
    const [text, behind] = labelled(feature);
    return make(place(at), { feature: feature.name, text, behind, hint: hint(feature) });
  });
  const options = [
    make(option("passes"), {
      text: t("try.passes"),
      hint: t("try.passes.hint", { most: number(mostPasses(model)) }),
    }),
    make(option("seed"), { text: t("try.seed"), hint: t("try.seed.hint") }),
  ];
  const folded = el(
    "details.more",
    {
      open: values.has(UNFOLDED),
      ontoggle: () => {
        if (folded.open) values.set(UNFOLDED, "");
        else values.delete(UNFOLDED);
      },
    },
    el("summary", {}, t("try.details")),
    el("div.fields.options", {}, options),
  );
  return el(
    "form",
    {
      novalidate: true,
      autocomplete: "off",
      onsubmit: (event) => {
        event.preventDefault();
        submitted();
      },
    },
    el("div.fields", {}, fields),
    folded,
    el("div.buttons", {}, buttons),
  );
}

function hint({ seen, nullable }) {
  const [minimum, maximum] = [number(seen.minimum), number(seen.maximum)];
  const said =
    seen.minimum === seen.maximum
      ? t("try.always", { value: minimum })
      : t("try.seen", { minimum, maximum });
  return nullable ? `${said} · ${t("try.nullable")}` : said;
}

/** A field of text, as separators are typed into it and shown in it once it is left. */
function field(values, id, { feature, text, behind, hint: said, isWhole, isRequired, isName }) {
  const shown = (value) => (isName ? value : grouped(value));
  const input = el("input", {
    id,
    "data-feature": feature,
    type: "text",
    inputmode: isWhole ? "numeric" : "decimal",
    "aria-required": isRequired ? "true" : null,
    "aria-describedby": `${id}-hint ${id}-fault`,
    value: shown(values.get(id) ?? ""),
    oninput: () => {
      values.set(id, canonical(input.value) ?? input.value);
      clear(input);
    },
    onchange: () => (input.value = shown(values.get(id))),
  });
  const head = el("label", { for: id }, text, behind && el("span.unit", {}, behind));
  return el(
    "div.field",
    {},
    el("div.ask", {}, head, el("p.hint", { id: `${id}-hint` }, said)),
    input,
    el("p.fault", { id: `${id}-fault` }),
  );
}

/** What is wrong with the entries, before anything is sent: [field, sentence] of each. */
export function entryFaults(model, values) {
  return [...terms(model)]
    .map(([id, term]) => [id, entryFault(values.get(id), term)])
    .filter(([, fault]) => fault !== null);
}

function entryFault(text, { isWhole, least, most, isRequired }) {
  if (!given(text)) return isRequired ? t("entry.required") : null;
  const value = canonical(text) === null ? NaN : Number(canonical(text));
  if (Number.isNaN(value)) return t("entry.number", { example: grouped("1234.5") });
  if (value < least) return t("entry.least", { limit: grouped(String(least)) });
  if (value > most) return t("entry.most", { limit: grouped(String(most)) });
  return isWhole && !Number.isInteger(value) ? t("entry.whole") : null;
}

/** Whether nothing is wrong with the entries but that some are missing. */
export function isOnlyMissing(faults, values) {
  return faults.every(([id]) => !given(values.get(id)));
}

/** What the form says: the row, and how it is asked about. Empty fields are null or left out. */
export function question(model, values) {
  // Without a prototype any name is a member, also `__proto__`.
  const row = Object.create(null);
  model.features.forEach(({ name, nullable }, at) => {
    const text = values.get(place(at));
    if (given(text)) row[name] = Number(canonical(text));
    else if (nullable) row[name] = null;
  });
  const query = new URLSearchParams({ draws: "true" });
  for (const name of OPTIONS) {
    const text = values.get(option(name));
    if (given(text)) query.set(name, String(Number(canonical(text))));
  }
  return { row, query: query.toString() };
}

function given(text) {
  return text !== undefined && text.trim() !== "";
}

/** Faults that the service told, each with its field; those of no field are left out. */
export function toldFaults(model, errors) {
  const fields = terms(model);
  return errors
    .map((error) => [fieldOf(error.pointer, model), wrong(error)])
    .filter(([id]) => fields.has(id));
}

/** Say at every field what is wrong with it, and go to the first. */
export function showFaults(root, faults) {
  root.querySelectorAll("[aria-invalid]").forEach(clear);
  const inputs = faults.map(([id, fault]) => {
    const input = root.querySelector(`#${id}`);
    input.setAttribute("aria-invalid", "true");
    root.querySelector(`#${id}-fault`).textContent = fault;
    const folded = input.closest("details");
    if (folded !== null) folded.open = true;
    return input;
  });
  inputs[0]?.focus();
}

/** The field that a fault's pointer means: `#` is the row and `?` are the options. */
function fieldOf(pointer, model) {
  const name = pointer.slice(2).replaceAll("~1", "/").replaceAll("~0", "~");
  return pointer.startsWith("?")
    ? option(name)
    : place(model.features.findIndex((feature) => isCalled(feature.name, name)));
}

/** Whether a fault names a feature; long names are cut short in it. */
function isCalled(name, said) {
  return name === said || (said.endsWith("…") && name.startsWith(said.slice(0, -1)));
}

function clear(input) {
  input.removeAttribute("aria-invalid");
  document.getElementById(`${input.id}-fault`).textContent = "";
}
