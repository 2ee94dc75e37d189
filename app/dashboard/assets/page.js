/** Entry point of the page: tabs, language and theme. */

/** @import { ModelDescription, ModelList } from "../types/wire.js" */

import { Charts } from "./charts.js";
import { chosenTheme, onThemeOfDevice, showTheme } from "./colours.js";
import { el } from "./elements.js";
import { explained } from "./faults.js";
import { asked } from "./http.js";
import { modelView } from "./model.js";
import { choose, modelChoice, ofModel } from "./models.js";
import { reviewView } from "./review.js";
import { settings } from "./settings.js";
import { tryView } from "./try.js";
import { watchView } from "./watch.js";
import { speakOf, spoken, t } from "./words.js";

const VIEWS = { try: tryView, watch: watchView, review: reviewView, model: modelView };
const NAMES = /** @type {(keyof typeof VIEWS)[]} */ (Object.keys(VIEWS));
/** @type {Record<string, number>} */
const STEPS = { ArrowRight: 1, ArrowLeft: -1 };

/**
 * What stands under a tab; `rest` is what the address says behind the view's name.
 * @typedef {{show: (rest: string) => unknown, hide: () => void, redraw: () => void}} View
 */

class Page {
  #tabs = NAMES.map((name) => part(`tab-${name}`));
  #panels = NAMES.map((name) => part(`panel-${name}`));
  /** @type {View[]} in the order of the tabs; none before the model is known */
  #views = [];
  /** @type {ModelDescription | null} */
  #model = null;
  /** Which tab is open. */
  #at = 0;

  constructor() {
    this.#tabs.forEach((tab, at) => {
      tab.addEventListener("keydown", (event) => this.#step(event, at));
    });
    switches("language", spoken());
    switches("theme", chosenTheme());
    settings.subscribe((name) => {
      if (name !== "reviewer") this.#redraw();
    });
    onThemeOfDevice(() => this.#redraw());
    this.#redraw();
  }

  /** @param {ModelDescription} model */
  begin(model) {
    this.#model = model;
    speakOf(model);
    const charts = new Charts();
    this.#views = NAMES.map((name, at) => VIEWS[name](this.#panels[at], model, charts));
    this.#showWords();
    addEventListener("hashchange", () => this.#follow());
    document.addEventListener("visibilitychange", () => this.#pause());
    // A page that a browser kept has the choice that was made on it, and is left.
    addEventListener("pageshow", () => this.#showWords());
    this.#follow();
  }

  /** A page that nobody sees asks for nothing. */
  #pause() {
    const view = this.#views[this.#at];
    if (document.hidden) view.hide();
    else view.show(rest());
  }

  #redraw() {
    showTheme();
    this.#showWords();
    for (const view of this.#views) view.redraw();
  }

  /** Show the view that the address names. */
  #follow() {
    const wanted = Math.max(NAMES.indexOf(/** @type {keyof typeof VIEWS} */ (named())), 0);
    if (wanted !== this.#at) this.#views[this.#at].hide();
    this.#at = wanted;
    this.#tabs.forEach((tab, at) => {
      const isOpen = at === wanted;
      tab.setAttribute("aria-selected", String(isOpen));
      tab.tabIndex = isOpen ? 0 : -1;
      this.#panels[at].hidden = !isOpen;
    });
    this.#showWords();
    this.#views[wanted].show(rest());
  }

  /**
   * Arrow keys, Home and End go from tab to tab, and the space bar opens one. Tabs are links, which a
   * browser follows from the first moment on: what is clicked before this runs is not lost.
   * @param {KeyboardEvent} event
   * @param {number} at
   */
  #step(event, at) {
    const next = target(event.key, at);
    if (next === null) return;
    event.preventDefault();
    this.#tabs[next].focus();
    location.hash = NAMES[next];
  }

  #showWords() {
    document.documentElement.lang = spoken();
    for (const element of marked("data-word")) element.textContent = t(element.dataset.word ?? "");
    for (const element of marked("data-label")) {
      element.setAttribute("aria-label", t(element.dataset.label ?? ""));
    }
    if (this.#model === null) return;
    const { name, version } = this.#model;
    const choice = modelChoice();
    part("served").replaceChildren(choice || t("served", { name, version }));
    const about = choice ? `${name} · ` : "";
    document.title = `${t(`tab.${NAMES[this.#at]}`)} · ${about}Dubito`;
  }
}

/**
 * Where a key leads from a tab, if anywhere.
 * @param {string} key
 * @param {number} at
 */
function target(key, at) {
  if (key === "Home") return 0;
  if (key === "End") return NAMES.length - 1;
  if (key === " ") return at;
  return key in STEPS ? (at + STEPS[key] + NAMES.length) % NAMES.length : null;
}

/** The name of the view that the address asks for. */
function named() {
  return location.hash.slice(1).split("/")[0];
}

/** What the address says behind the view's name. */
function rest() {
  return location.hash.slice(1).split("/").slice(1).join("/");
}

/** @param {string} id */
function part(id) {
  return /** @type {HTMLElement} */ (document.getElementById(id));
}

/**
 * @param {"data-word" | "data-label"} attribute
 * @returns {NodeListOf<HTMLElement>}
 */
function marked(attribute) {
  return document.querySelectorAll(`[${attribute}]`);
}

/**
 * @param {"language" | "theme"} name
 * @param {string} chosen
 */
function switches(name, chosen) {
  /** @type {NodeListOf<HTMLInputElement>} */
  const choices = document.querySelectorAll(`input[name="${name}"]`);
  for (const choice of choices) {
    choice.checked = choice.value === chosen;
    choice.addEventListener("change", () => settings.set(name, choice.value));
  }
}

/** @returns {Promise<ModelDescription>} the model that the page is about */
async function described() {
  /** @type {ModelList} */
  const { models } = await asked("models");
  choose(models, location.search);
  const model = await asked(ofModel("model"));
  // Without classes, a number is predicted.
  return /** @type {ModelDescription} */ ({ classes: [], ...model });
}

const page = new Page();
described().then(
  (model) => page.begin(model),
  (error) => part("failure").replaceChildren(el("p.notice", {}, explained(error))),
);
