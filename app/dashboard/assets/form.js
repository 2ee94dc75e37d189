/** Builds the prediction form from the bundle's features. */

/** @import { AnyFeature, ListedFeature, ModelDescription } from "../types/wire.js" */
/** @import { Fault, Term, Values } from "./entries.js" */

import { el } from "./elements.js";
import { mostPasses, option, terms } from "./entries.js";
import { canonical, grouped } from "./numeral.js";
import { lengths, tensorField } from "./tensor.js";
import { choices, isListed, isTensor, mayLack } from "./values.js";
import { labelled, number, t } from "./words.js";

/** Where the form remembers among its values that its details are unfolded. */
const UNFOLDED = "details";

/**
 * What a field says.
 * @typedef {object} Texts
 * @property {string} text
 * @property {string} hint
 * @property {string} [behind]
 * @property {string} [feature]
 */

/**
 * A form of the model's features, and of passes and seed, which are folded.
 * @param {ModelDescription} model
 * @param {Values} values kept up to date
 * @param {() => void} submitted
 * @param {Node[]} buttons
 */
export function form(model, values, submitted, buttons) {
  /** @type {Set<Promise<void>>} */
  const readings = new Set();
  const fields = [...terms(model)].map(([id, taken], at) =>
    field(values, id, taken, texts(id, model.features[at], model), readings),
  );
  const options = fields.splice(model.features.length);
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
      onsubmit: async (/** @type {Event} */ event) => {
        event.preventDefault();
        await Promise.all(readings);
        submitted();
      },
    },
    el("div.fields", {}, fields),
    folded,
    el("div.buttons", {}, buttons),
  );
}

/**
 * @param {string} id
 * @param {AnyFeature | undefined} feature none where the field is an option
 * @param {ModelDescription} model
 * @returns {Texts}
 */
function texts(id, feature, model) {
  if (feature !== undefined) {
    const [text, behind] = labelled(feature);
    return { feature: feature.name, text, behind, hint: hint(feature) };
  }
  if (id === option("seed")) return { text: t("try.seed"), hint: t("try.seed.hint") };
  const most = number(mostPasses(model));
  const step = number(model.members);
  const said = model.members === 1 ? "try.passes.hint" : "try.passes.hint.members";
  return { text: t("try.passes"), hint: t(said, { most, step }) };
}

/** @param {AnyFeature} feature */
function hint(feature) {
  const said = seenOf(feature);
  return [said, mayLack(feature) && t("try.nullable")].filter(Boolean).join(" · ");
}

/**
 * What training saw, or how many choices there are.
 * @param {AnyFeature} feature
 */
function seenOf(feature) {
  if (feature.kind === "boolean") return "";
  if (feature.kind === "category") {
    const count = number(feature.categories.length);
    return t(feature.takes_unknown ? "try.free" : "try.choices", { count });
  }
  if (isTensor(feature)) return t("try.tensor", { shape: lengths(feature.shape) });
  const { seen } = feature;
  const [minimum, maximum] = [number(seen.minimum), number(seen.maximum)];
  return seen.minimum === seen.maximum
    ? t("try.always", { value: minimum })
    : t("try.seen", { minimum, maximum });
}

/**
 * @param {Values} values
 * @param {string} id
 * @param {Term} term
 * @param {Texts} texts
 * @param {Set<Promise<void>>} readings
 */
function field(values, id, term, texts, readings) {
  const { feature } = term;
  const isChoice = feature !== undefined && isListed(feature);
  const isFile = feature !== undefined && isTensor(feature);
  const attributes = {
    "data-feature": texts.feature,
    "aria-required": term.isRequired ? "true" : null,
    "aria-describedby": `${id}-hint ${id}-fault`,
  };
  /**
   * @param {string} text
   * @param {HTMLElement} made
   */
  const take = (text, made) => {
    values.set(id, text);
    clear(made);
  };
  const input = isFile
    ? tensorField(id, feature, attributes, values.get(id) ?? "", take, readings)
    : isChoice
      ? choice(id, feature, attributes, values.get(id) ?? "", (text) => values.set(id, text))
      : typed(values, id, term, attributes);
  const head = el(
    "label",
    { for: id },
    texts.text,
    texts.behind && el("span.unit", {}, texts.behind),
  );
  return el(
    "div",
    { class: isChoice ? "field choice" : "field" },
    el("div.ask", {}, head, el("p.hint", { id: `${id}-hint` }, texts.hint)),
    input,
    el("p.fault", { id: `${id}-fault` }),
  );
}

/**
 * A choice of a list: of two values by a menu, of more by a text that is searched for in them.
 * @param {string} id
 * @param {ListedFeature} feature
 * @param {import("../types/elements.js").Attributes} attributes
 * @param {string} value the entry that is chosen at first
 * @param {(entry: string) => void} chosen
 * @returns {Node[]}
 */
export function choice(id, feature, attributes, value, chosen) {
  const listed = choices(feature);
  /** @param {Event} event */
  const take = ({ currentTarget }) => {
    const input = /** @type {HTMLInputElement | HTMLSelectElement} */ (currentTarget);
    chosen(input.value);
    clear(input);
  };
  if (feature.kind === "boolean") {
    const options = [["", "–"], ...listed].map(([entry, text]) =>
      el("option", { value: entry, selected: entry === value }, text),
    );
    return [el("select", { ...attributes, id, oninput: take }, options)];
  }
  return [
    el("input", {
      ...attributes,
      id,
      type: "text",
      list: `${id}-choices`,
      value,
      oninput: take,
    }),
    el(
      "datalist",
      { id: `${id}-choices` },
      listed.map(([entry]) => el("option", { value: entry })),
    ),
  ];
}

/**
 * A field of text, as separators are typed into it and shown in it once it is left.
 * @param {Values} values
 * @param {string} id
 * @param {Term} term
 * @param {import("../types/elements.js").Attributes} attributes
 */
function typed(values, id, { isWhole, isName }, attributes) {
  const shown = () => (isName ? values.get(id) : grouped(values.get(id) ?? "")) ?? "";
  /** @type {HTMLInputElement} */
  const input = el("input", {
    ...attributes,
    id,
    type: "text",
    inputmode: isWhole ? "numeric" : "decimal",
    value: shown(),
    oninput: () => {
      values.set(id, canonical(input.value) ?? input.value);
      clear(input);
    },
    onchange: () => {
      input.value = shown();
    },
  });
  return input;
}

/**
 * Say at every field what is wrong with it, and go to the first.
 * @param {HTMLElement} root
 * @param {Fault[]} faults
 */
export function showFaults(root, faults) {
  root.querySelectorAll("[aria-invalid]").forEach(clear);
  const inputs = faults.map(([id, fault]) => {
    const input = /** @type {HTMLInputElement} */ (root.querySelector(`#${id}`));
    input.setAttribute("aria-invalid", "true");
    sayAt(input, fault);
    const folded = input.closest("details");
    if (folded !== null) folded.open = true;
    return input;
  });
  inputs[0]?.focus();
}

/**
 * Show what stands among the values in its field.
 * @param {HTMLElement} root
 * @param {string} id
 * @param {Values} values
 */
export function showValue(root, id, values) {
  const input = /** @type {HTMLInputElement} */ (root.querySelector(`#${id}`));
  input.value = values.get(id) ?? "";
}

/** @param {Element} input */
function clear(input) {
  input.removeAttribute("aria-invalid");
  sayAt(input, "");
}

/**
 * @param {Element} input
 * @param {string} fault
 */
function sayAt(input, fault) {
  const place = document.getElementById(`${input.id}-fault`);
  if (place !== null) place.textContent = fault;
}
