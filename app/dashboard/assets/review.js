/** The Review queue tab: list, open case, and keyboard shortcuts. */

/** @import { ModelDescription } from "../types/wire.js" */
/** @import { Followers } from "./case.js" */
/** @import { Case } from "./listing.js" */

import { openCase } from "./case.js";
import { el } from "./elements.js";
import { withheld } from "./faults.js";
import { LatestRequest } from "./http.js";
import { Queue } from "./queue.js";
import { number, t } from "./words.js";

const KEYS = {
  j: "next",
  k: "before",
  s: "skip",
  a: "assign",
  "1 – 9": "grade",
  "/": "find",
  "?": "help",
};
const EDITED = "input:not([type=radio], [type=checkbox]), textarea, select, [contenteditable]";

/**
 * @param {HTMLElement} panel
 * @param {ModelDescription} model
 */
export function reviewView(panel, model) {
  return new Review(panel, model);
}

class Review {
  /** @type {string | null} */
  #open = null;
  #isShown = false;
  #wasLoaded = false;
  /** @type {Set<string>} cases that were passed over, until the list is loaded again by hand */
  #skipped = new Set();
  #requests = new LatestRequest();
  /** @type {unknown} why there is no newer list; null where nothing was refused */
  #refusal = null;

  /**
   * @param {HTMLElement} panel
   * @param {ModelDescription} model
   */
  constructor(panel, model) {
    this.panel = panel;
    this.model = model;
    this.head = el("div.heading");
    this.refusal = el("div", { role: "alert" });
    this.queue = new Queue(model, {
      refused: (error) => this.#refused(error),
      loaded: () => this.#loaded(),
      reload: () => {
        this.#skipped.clear();
        this.queue.load();
      },
    });
    this.place = el("div.result.case");
    this.said = el("p.hidden", { role: "status" });
    this.pair = el("div.pair.review", {}, this.queue.whole, this.place);
    this.help = el("dialog.keys", { "aria-labelledby": "keys-title" });
    panel.append(this.head, this.refusal, this.pair, this.said, this.help);
    document.addEventListener("keydown", (event) => this.#key(event));
    this.#frame();
  }

  /** @param {string} rest the case that the address names, or `?` and what is to be listed */
  async show(rest) {
    const isNew = !this.#isShown;
    this.#isShown = true;
    const isQuery = rest.startsWith("?");
    if (isQuery) await this.queue.take(rest.slice(1));
    else if (isNew) await this.queue.load();
    const id = isQuery ? "" : rest;
    if (id !== (this.#open ?? "")) this.#select(id || null, true);
  }

  hide() {
    this.#isShown = false;
  }

  redraw() {
    this.#frame();
    this.queue.redraw();
    if (this.#isShown && this.#open !== null) this.#select(this.#open);
    else if (this.#open === null) this.#nothingOpen();
  }

  #frame() {
    const keys = el(
      "button.small",
      { type: "button", id: "keys", onclick: () => this.help.showModal() },
      t("keys.title"),
    );
    const back = el("a.back", { href: "#review" }, t("review.back"));
    this.head.replaceChildren(back, el("h2", {}, t("review.title")), keys);
    this.help.replaceChildren(
      el("h3", { id: "keys-title" }, t("keys.title")),
      el(
        "dl.pairs",
        {},
        Object.entries(KEYS).map(([key, name]) =>
          el("div", {}, el("dt", {}, el("kbd", {}, key)), el("dd", {}, t(`keys.${name}`))),
        ),
      ),
      el("form", { method: "dialog" }, el("button", {}, t("keys.close"))),
    );
    this.#say();
    if (this.#open === null) this.#nothingOpen();
  }

  #nothingOpen() {
    this.pair.classList.remove("open");
    this.place.replaceChildren(
      el("div.card.empty", {}, el("h3", {}, t("review.pick.title")), el("p", {}, t("review.pick"))),
    );
  }

  /**
   * Where nothing was ever listed there is no view; else it stays as it is, and can be asked anew.
   * @param {unknown} error
   */
  #refused(error) {
    this.#refusal = error;
    this.pair.hidden = !this.#wasLoaded;
    this.#say();
  }

  #loaded() {
    this.#wasLoaded = true;
    this.#refusal = null;
    this.pair.hidden = false;
    this.#say();
    this.queue.mark(this.#open);
  }

  #say() {
    const said = this.#refusal === null ? [] : [el("p.notice", {}, withheld(this.#refusal))];
    this.refusal.replaceChildren(...said);
  }

  /**
   * Open a case; when a person asked for it, its heading is what is read next.
   * @param {string | null} id
   */
  async #select(id, isAsked = false) {
    const signal = this.#requests.begin();
    this.#open = id;
    this.queue.mark(id);
    if (id === null) {
      this.#nothingOpen();
      return;
    }
    const whole = await openCase(id, this.model, this.#followers(id), signal).catch(() => null);
    if (whole === null) return;
    this.pair.classList.add("open");
    this.place.replaceChildren(whole);
    if (isAsked) whole.querySelector("h3")?.focus({ preventScroll: true });
  }

  /**
   * @param {string} id
   * @returns {Followers}
   */
  #followers(id) {
    return {
      reviewed: (said) => this.#reviewed(id, said),
      changed: () => this.queue.load(),
      skip: () => this.#skip(id),
    };
  }

  /**
   * After a review: it leaves the queue, and the next one opens.
   * @param {string} id
   * @param {string} said
   */
  async #reviewed(id, said) {
    const next = this.#after(id);
    await this.queue.load();
    this.said.textContent = `${said} ${t("review.waiting", { count: number(this.queue.waiting) })}`;
    this.#go(next);
  }

  /** @param {string} id */
  #skip(id) {
    this.#skipped.add(id);
    this.#go(this.#after(id));
  }

  /**
   * The case that follows one in the list, or the first; none that was passed over.
   * @param {string | null} id
   */
  #after(id, step = 1) {
    const { cases } = this.queue;
    const at = cases.findIndex((one) => one.id === id);
    const before = cases.slice(0, Math.max(at, 0));
    const order = step > 0 ? [...cases.slice(at + 1), ...before] : before.reverse();
    return order.find((one) => !this.#skipped.has(one.id)) ?? null;
  }

  /** @param {Case | null} one */
  #go(one) {
    location.hash = one ? `review/${one.id}` : "review";
    this.pair.scrollIntoView({ block: "start" });
  }

  /**
   * Keys that lead through the list; none where something is typed.
   * @param {KeyboardEvent} event
   */
  #key(event) {
    if (!this.#isShown || this.panel.hidden || this.help.open) return;
    if (event.repeat || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target instanceof Element && event.target.closest(EDITED)) return;
    const act = this.#action(event.key);
    if (act === null) return;
    event.preventDefault();
    act();
  }

  /**
   * @param {string} key
   * @returns {(() => void) | null}
   */
  #action(key) {
    if (/^[1-9]$/.test(key)) return () => this.#choose(Number(key) - 1);
    switch (key) {
      case "j":
        return () => this.#move(1);
      case "k":
        return () => this.#move(-1);
      case "s":
        return () => this.#press("#skip");
      case "a":
        return () => this.#press("#assign");
      case "/":
        return () => this.queue.focusSearch();
      case "?":
        return () => this.help.showModal();
      default:
        return null;
    }
  }

  /** @param {string} selector */
  #press(selector) {
    /** @type {HTMLElement | null} */
    const button = this.place.querySelector(selector);
    button?.click();
  }

  /** @param {number} step */
  #move(step) {
    const next = this.#after(this.#open, step);
    if (next !== null) this.#go(next);
  }

  /** @param {number} at */
  #choose(at) {
    /** @type {NodeListOf<HTMLInputElement>} */
    const inputs = this.place.querySelectorAll('input[name="review-grade"]');
    const input = inputs[at];
    if (!input) return;
    input.checked = true;
    input.focus();
  }
}
