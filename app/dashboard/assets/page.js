/** The page: tabs, language and theme, and the four views under them. */

import { chosenTheme, onThemeOfDevice, showTheme, takeTheme } from "./colours.js";
import { el } from "./elements.js";
import { explained } from "./faults.js";
import { asked } from "./http.js";
import { modelView } from "./model.js";
import { reviewView } from "./review.js";
import { tryView } from "./try.js";
import { watchView } from "./watch.js";
import { speak, speakOf, spoken, t } from "./words.js";

const VIEWS = { try: tryView, watch: watchView, review: reviewView, model: modelView };
const NAMES = Object.keys(VIEWS);
const STEPS = { ArrowRight: 1, ArrowLeft: -1 };

const tabs = NAMES.map((name) => document.getElementById(`tab-${name}`));
const panels = NAMES.map((name) => document.getElementById(`panel-${name}`));
/** @type {Object<string, {show: (rest: string) => void, hide: () => void, redraw: () => void}>} */
const views = {};
let current = null;

showTheme();
showWords();
switches();
tabs.forEach((tab, at) => tab.addEventListener("keydown", (event) => step(event, at)));
asked("model").then(begin, (problem) => {
  document.getElementById("failure").replaceChildren(el("p.notice", {}, explained(problem)));
});

function begin(model) {
  speakOf(model);
  showWords();
  document.getElementById("served").textContent = t("served", model);
  NAMES.forEach((name, at) => (views[name] = VIEWS[name](panels[at], model)));
  addEventListener("hashchange", follow);
  document.addEventListener("visibilitychange", () =>
    views[current][document.hidden ? "hide" : "show"](rest()),
  );
  onThemeOfDevice(redraw);
  document.addEventListener("redraw", () => {
    document.getElementById("served").textContent = t("served", model);
    redraw();
  });
  follow();
}

function redraw() {
  Object.values(views).forEach((view) => view.redraw());
}

/** What the address says behind the view's name. */
function rest() {
  return location.hash.slice(1).split("/").slice(1).join("/");
}

/** Show the view that the address names. */
function follow() {
  const named = location.hash.slice(1).split("/")[0];
  const wanted = NAMES.includes(named) ? named : NAMES[0];
  if (wanted !== current && current !== null) views[current].hide();
  current = wanted;
  tabs.forEach((tab, at) => {
    const isOpen = NAMES[at] === wanted;
    tab.setAttribute("aria-selected", String(isOpen));
    tab.tabIndex = isOpen ? 0 : -1;
    panels[at].hidden = !isOpen;
  });
  document.title = `${t(`tab.${wanted}`)} · Dubito`;
  views[wanted].show(rest());
}

/**
 * Arrow keys, Home and End go from tab to tab, and the space bar opens one. Tabs are links, which a
 * browser follows from the first moment on: what is clicked before this runs is not lost.
 */
function step(event, at) {
  const ends = { Home: 0, End: tabs.length - 1, " ": at };
  const next =
    ends[event.key] ??
    (event.key in STEPS ? (at + STEPS[event.key] + tabs.length) % tabs.length : null);
  if (next === null) return;
  event.preventDefault();
  tabs[next].focus();
  location.hash = NAMES[next];
}

function showWords() {
  document.documentElement.lang = spoken();
  for (const element of document.querySelectorAll("[data-word]"))
    element.textContent = t(element.dataset.word);
  for (const element of document.querySelectorAll("[data-label]"))
    element.setAttribute("aria-label", t(element.dataset.label));
  if (current !== null) document.title = `${t(`tab.${current}`)} · Dubito`;
}

function switches() {
  choices("language", spoken(), (language) => {
    speak(language);
    showWords();
  });
  choices("theme", chosenTheme(), takeTheme);
}

function choices(name, chosen, taken) {
  for (const choice of document.querySelectorAll(`input[name="${name}"]`)) {
    choice.checked = choice.value === chosen;
    choice.addEventListener("change", () => {
      taken(choice.value);
      document.dispatchEvent(new Event("redraw"));
    });
  }
}
