/** The Model tab: what the served bundle is, promises and expects. */

/** @import { NumberDescription } from "../types/number.js" */
/** @import { AnyFeature, Promise as Line, Seen } from "../types/wire.js" */
/** @import { PageModel } from "./answerview.js" */

import { tile } from "./answer.js";
import { card, el, table } from "./elements.js";
import { histogram } from "./histogram.js";
import { LatestRequest, read } from "./http.js";
import { rendered } from "./markdown.js";
import { ofModel } from "./models.js";
import { feature, inUnit } from "./numberanswer.js";
import { choices, imputedText, isListed, isTensor, mostCommon } from "./values.js";
import {
  fixed,
  has,
  label,
  labelled,
  list,
  number,
  percent,
  share,
  spoken,
  t,
  unit,
} from "./words.js";

const COPIED_MS = 2000;
const CLASS_METRICS = ["accuracy", "macro_f1", "nll", "brier", "ece", "auroc"];
const NUMBER_METRICS = ["rmse", "mae", "log_density"];

/**
 * @param {HTMLElement} panel
 * @param {PageModel} model
 */
export function modelView(panel, model) {
  return new Description(panel, model);
}

/** @typedef {{text: string, language: string}} Card as it came, in the language that it is there in */

class Description {
  /** @type {Map<string, Card>} by the language that was asked for */
  #cards = new Map();
  #requests = new LatestRequest();

  /**
   * @param {HTMLElement} panel
   * @param {PageModel} model
   */
  constructor(panel, model) {
    this.panel = panel;
    this.model = model;
    this.card = el("section.card");
    this.#draw();
  }

  async show() {
    const language = spoken();
    if (this.#cards.has(language)) return;
    const signal = this.#requests.begin();
    try {
      this.#cards.set(language, await read(ofModel(`model/card?language=${language}`), { signal }));
      this.#drawCard(cardOf(this.#cards.get(language)));
    } catch {
      // It is asked for again when the view is shown again.
      if (!signal.aborted) this.#drawCard(cardOf(null));
    }
  }

  hide() {
    this.#requests.abort();
  }

  redraw() {
    this.#draw();
    if (!this.panel.hidden) this.show();
  }

  #draw() {
    const { model } = this;
    this.panel.replaceChildren(
      el("h2.hidden", {}, t("model.title")),
      identity(model),
      el("div.twin", {}, metrics(model), promises(model)),
      model.target === undefined ? "" : predicted(model.target),
      signature(model),
      el("div.twin", {}, environment(model), trained(model)),
      this.card,
    );
    this.#drawCard(cardOf(this.#cards.get(spoken())));
  }

  /** @param {HTMLElement} fresh */
  #drawCard(fresh) {
    this.card.replaceWith(fresh);
    this.card = fresh;
  }
}

/** @param {PageModel} model */
function identity(model) {
  /** @type {HTMLElement} */
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
    model.members > 1 &&
      el("div", {}, el("p.over", {}, t("model.members")), el("p.large", {}, number(model.members))),
    el(
      "div",
      {},
      el("p.over", {}, t("model.classes")),
      model.target === undefined
        ? el(
            "p.chips",
            {},
            model.classes.map((name) => tile(name, model.classes, "chip")),
          )
        : el("p.large", {}, labelled(feature(model.target))),
    ),
    el(
      "div.wide",
      {},
      el("p.over", {}, t("model.digest")),
      el("p.digest", {}, el("code", {}, model.digest), navigator.clipboard && copy),
    ),
  );
}

/**
 * @param {HTMLElement} button
 * @param {string} text
 */
async function copied(button, text) {
  await navigator.clipboard.writeText(text);
  button.textContent = t("model.copied");
  setTimeout(() => {
    button.textContent = t("model.copy");
  }, COPIED_MS);
}

/** @param {PageModel} model */
function metrics({ metrics: { mc, deterministic }, metrics_on: on, target }) {
  const known = target === undefined ? CLASS_METRICS : NUMBER_METRICS;
  const shown = known.filter((name) => mc?.[name] !== undefined);
  /** @type {(value: number | undefined) => string} */
  const said = (value) => (target === undefined ? fixed(value, 4) : number(value, 5));
  /** @param {string} name */
  const named = (name) =>
    el("span", {}, t(`metric.${name}`), el("span.note", {}, t(`metric.${name}.note`)));
  const rows = shown.map((name) => [named(name), said(mc[name]), said(deterministic?.[name])]);
  const title = t(on === "held_out" ? "model.metrics" : "model.metrics.unknown");
  const unsure = on !== "held_out" && el("p.small", {}, t("model.metrics.unsure"));
  return card(
    title,
    unsure,
    table(title, [t("model.metric"), t("model.mc"), t("model.deterministic")], rows),
  );
}

/** @param {PageModel} model */
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

/**
 * How wrong the least sure were, or why nothing is promised of them.
 * @param {Line} line
 */
function banded({ band, wanting }) {
  if (band !== null) return percent(band.wrong, 2);
  return wanting ? t("model.wanting", { rows: number(wanting) }) : "–";
}

/**
 * What training saw of the number, and what the network answers.
 * @param {NumberDescription} target
 */
function predicted(target) {
  const of = feature(target);
  const heads = [t("model.classes"), t("model.distribution"), t("model.range"), t("model.median")];
  const levels = list(target.levels.map((level) => percent(level, 0)));
  const row = [
    el("span", {}, label(of), el("code.note", {}, target.name)),
    histogram(of),
    `${range(target.seen)} ${unit(of)}`,
    inUnit(target.seen.quantiles["0.5"], target),
  ];
  return card(
    t("model.predicted"),
    table(t("model.predicted"), heads, [row], { words: [1] }),
    el("p.small", {}, t(`head.${target.head}`, { levels })),
  );
}

/** @param {PageModel} model */
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
    isListed(feature)
      ? t("try.choices", { count: number(choices(feature).length) })
      : range(feature.seen),
    isListed(feature) ? mostCommon(feature) : number(feature.seen.quantiles["0.5"]),
    unit(feature),
    has(`kind.${feature.kind}`) ? t(`kind.${feature.kind}`) : feature.kind,
    lack(feature),
  ]);
  return card(
    t("model.signature"),
    table(t("model.signature"), heads, rows, { classes: "signature", words: [1, 4, 5, 6] }),
  );
}

/**
 * What happens where a feature is missing.
 * @param {AnyFeature} feature
 */
function lack(feature) {
  if (isTensor(feature) || !feature.nullable) return t("model.notempty");
  const key = feature.missing_refers ? "model.imputed" : "model.usual";
  return t(key, { value: imputedText(feature) });
}

/** @param {Seen} seen */
function range({ minimum, maximum }) {
  return minimum === maximum
    ? t("model.always", { value: number(minimum) })
    : `${number(minimum)} – ${number(maximum)}`;
}

/** @param {PageModel} model */
function environment({ environment: { fingerprint, facts } }) {
  return card(
    t("model.environment"),
    el("p.small", {}, t("model.environment.note")),
    pairs({ ...facts, fingerprint }),
  );
}

/** @param {PageModel} model */
function trained({ trained: { versions, ...facts } }) {
  return card(t("model.trained"), pairs({ ...facts, ...versions }));
}

/** @param {Record<string, unknown>} facts */
function pairs(facts) {
  /** @param {string} name */
  const named = (name) => (has(`fact.${name}`) ? t(`fact.${name}`) : name.replaceAll("_", " "));
  return el(
    "dl.pairs",
    {},
    Object.entries(facts).map(([name, value]) =>
      el("div", {}, el("dt", {}, named(name)), el("dd", {}, el("code", {}, String(value)))),
    ),
  );
}

/** @param {Card | null | undefined} found null where it could not be had, undefined before it came */
function cardOf(found) {
  if (!found?.text) {
    return card(t("model.card"), el("p.small", {}, found === undefined ? "…" : t("model.nocard")));
  }
  const note = found.language !== spoken() && el("p.small", {}, t("model.card.english"));
  const prose = el("div.prose", { lang: found.language }, rendered(found.text, 3));
  return card(t("model.card"), note || "", prose);
}
