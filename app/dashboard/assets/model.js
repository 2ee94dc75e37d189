/** The view of the model: what it is, what it promises, what it asks for. */

import { tile } from "./answer.js";
import { card, el, table } from "./elements.js";
import { histogram } from "./histogram.js";
import { read } from "./http.js";
import { rendered } from "./markdown.js";
import { fixed, has, label, number, percent, share, spoken, t, unit } from "./words.js";

const COPIED_MS = 2000;

/** @param {HTMLElement} panel @param {object} model */
export function modelView(panel, model) {
  /** The cards by the language that was asked for, as they came. */
  const cards = new Map();
  const redraw = () =>
    panel.replaceChildren(
      el("h2.hidden", {}, t("model.title")),
      identity(model),
      el("div.twin", {}, metrics(model), promises(model)),
      signature(model),
      el("div.twin", {}, environment(model), trained(model)),
      modelCard(cards.get(spoken())),
    );
  const show = async () => {
    const language = spoken();
    if (cards.has(language)) return;
    cards.set(
      language,
      await read(`model/card?language=${language}`).catch(() => ({ text: "", language })),
    );
    if (language === spoken()) panel.lastElementChild.replaceWith(modelCard(cards.get(language)));
  };
  redraw();
  const again = () => {
    redraw();
    if (!panel.hidden) show();
  };
  return { show, hide() {}, redraw: again };
}

function identity(model) {
  const copy = el(
    "button.small",
    { type: "button", onclick: () => copied(copy, model.digest) },
    t("model.copy"),
  );
  return el(
    "section.card.identity",
    {},
    el("div", {}, el("p.over", {}, t("model.name")), el("h3", {}, model.name)),
    el("div", {}, el("p.over", {}, t("model.version")), el("p.large", {}, model.version)),
    el("div", {}, el("p.over", {}, t("model.passes")), el("p.large", {}, number(model.passes))),
    el(
      "div",
      {},
      el("p.over", {}, t("model.classes")),
      el(
        "p.chips",
        {},
        model.classes.map((name) => tile(name, model.classes, "chip")),
      ),
    ),
    el(
      "div.wide",
      {},
      el("p.over", {}, t("model.digest")),
      el("p.digest", {}, el("code", {}, model.digest), navigator.clipboard && copy),
    ),
  );
}

async function copied(button, text) {
  await navigator.clipboard.writeText(text);
  button.textContent = t("model.copied");
  setTimeout(() => (button.textContent = t("model.copy")), COPIED_MS);
}

function metrics({ metrics: { mc, deterministic }, metrics_on: on }) {
  const shown = ["accuracy", "macro_f1", "nll", "brier", "ece"].filter(
    (name) => mc?.[name] !== undefined,
  );
  const named = (name) =>
    el("span", {}, t(`metric.${name}`), el("span.note", {}, t(`metric.${name}.note`)));
  const rows = shown.map((name) => [
    named(name),
    fixed(mc[name], 4),
    fixed(deterministic?.[name], 4),
  ]);
  const title = t(on === "held_out" ? "model.metrics" : "model.metrics.unknown");
  const unsure = on !== "held_out" && el("p.small", {}, t("model.metrics.unsure"));
  return card(
    title,
    unsure,
    table(title, [t("model.metric"), t("model.mc"), t("model.deterministic")], rows),
  );
}

function promises({ calibration }) {
  if (calibration === null)
    return card(t("model.promises"), el("p.small", {}, t("model.uncalibrated")));
  const ofCases = calibration.case_limit !== null;
  const heads = [
    t("model.target"),
    t("model.automated"),
    t("model.wrong"),
    ...(ofCases ? [t("model.band")] : []),
  ];
  const rows = calibration.promises.map((line) => [
    el(
      "span",
      {},
      share(line.target),
      line.target === calibration.target && el("span.badge", {}, t("model.default")),
    ),
    percent(line.automated),
    percent(line.wrong, 2),
    ...(ofCases ? [banded(line)] : []),
  ]);
  const cases =
    ofCases &&
    el(
      "p.small",
      {},
      t("model.promises.cases", {
        limit: share(calibration.case_limit),
        likelihood: share(calibration.likelihood),
      }),
    );
  const note = t("model.promises.note", {
    confidence: share(calibration.confidence),
    rows: number(calibration.rows),
    passes: number(calibration.passes),
  });
  return card(
    t("model.promises"),
    table(t("model.promises"), heads, rows),
    el("p.small", {}, note),
    cases,
  );
}

/** How wrong the least sure were, or why nothing is promised of them. */
function banded({ band, wanting }) {
  if (band !== null) return percent(band.wrong, 2);
  return wanting ? t("model.wanting", { rows: number(wanting) }) : "–";
}

function signature(model) {
  const heads = [
    t("feature"),
    t("model.distribution"),
    t("model.range"),
    t("model.median"),
    t("model.unit"),
    t("model.kind"),
    t("model.empty"),
  ];
  const rows = model.features.map((feature) => [
    el("span", {}, label(feature), el("code.note", {}, feature.name)),
    histogram(feature),
    range(feature.seen),
    number(feature.seen.quantiles["0.5"]),
    unit(feature),
    has(`kind.${feature.kind}`) ? t(`kind.${feature.kind}`) : feature.kind,
    feature.nullable ? t("model.imputed", { value: number(feature.imputed) }) : t("model.notempty"),
  ]);
  return card(
    t("model.signature"),
    table(t("model.signature"), heads, rows, { classes: "signature", words: [1, 4, 5, 6] }),
  );
}

function range({ minimum, maximum }) {
  return minimum === maximum
    ? t("model.always", { value: number(minimum) })
    : `${number(minimum)} – ${number(maximum)}`;
}

function environment({ environment: { fingerprint, facts } }) {
  return card(
    t("model.environment"),
    el("p.small", {}, t("model.environment.note")),
    pairs({ ...facts, fingerprint }),
  );
}

function trained({ trained: { versions, ...facts } }) {
  return card(t("model.trained"), pairs({ ...facts, ...versions }));
}

function pairs(facts) {
  const named = (name) => (has(`fact.${name}`) ? t(`fact.${name}`) : name.replaceAll("_", " "));
  return el(
    "dl.pairs",
    {},
    Object.entries(facts).map(([name, value]) =>
      el("div", {}, el("dt", {}, named(name)), el("dd", {}, el("code", {}, String(value)))),
    ),
  );
}

/** @param {{text: string, language: string}|undefined} found in the language it is there in */
function modelCard(found) {
  if (!found?.text)
    return card(t("model.card"), el("p.small", {}, found === undefined ? "…" : t("model.nocard")));
  const note = found.language !== spoken() && el("p.small", {}, t("model.card.english"));
  return card(
    t("model.card"),
    note || "",
    el("div.prose", { lang: found.language }, rendered(found.text, 3)),
  );
}
