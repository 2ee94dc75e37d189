/** The view of a person who looks: the queue of cases, and the one that is open. */

import { openCase } from "./case.js";
import { tile } from "./answer.js";
import { el } from "./elements.js";
import { withheld } from "./faults.js";
import { asked } from "./http.js";
import { fixed, moment, number, reason, t } from "./words.js";

const ORDERS = ["oldest", "doubtful"];
const LIMIT = 50;

/** @param {HTMLElement} panel @param {object} model */
export function reviewView(panel, model) {
  return new Review(panel, model);
}

class Review {
  #order = "oldest";
  #waiting = 0;
  #cases = [];
  #next = null;
  #open = null;
  #isShown = false;

  constructor(panel, model) {
    this.model = model;
    this.head = el("div.heading");
    this.refusal = el("div", { role: "alert" });
    this.list = el("div.card.queue");
    this.place = el("div.result");
    this.said = el("p.hidden", { role: "status" });
    this.pair = el("div.pair.review", {}, this.list, this.place);
    panel.append(this.head, this.refusal, this.pair, this.said);
    this.#frame();
  }

  /** @param {string} id of the case that the address names, if any */
  async show(id) {
    const isNew = !this.#isShown;
    this.#isShown = true;
    if (isNew) await this.#load();
    if (id !== (this.#open ?? "")) this.#select(id || null, true);
  }

  hide() {
    this.#isShown = false;
  }

  redraw() {
    this.#frame();
    this.#showList();
    if (this.#isShown && this.#open !== null) this.#select(this.#open);
    else if (this.#open === null) this.#nothingOpen();
  }

  #frame() {
    const orders = el("fieldset.segments", {}, el("legend.hidden", {}, t("review.order")), ORDERS.map((name) =>
      el("label", {}, el("input", { type: "radio", name: "order", value: name, checked: name === this.#order,
        onchange: () => {
          this.#order = name;
          this.#load();
        } }), el("span", {}, t(`review.${name}`)))));
    const again = el("button", { type: "button", id: "reload", onclick: () => this.#load() }, t("review.reload"));
    this.head.replaceChildren(el("h2", {}, t("review.title")), el("div.buttons", {}, orders, again));
    if (this.#open === null) this.#nothingOpen();
  }

  #nothingOpen() {
    this.place.replaceChildren(el("div.card.empty", {}, el("h3", {}, t("review.pick.title")), el("p", {}, t("review.pick"))));
  }

  /** The queue from its start, or with `after` what follows. */
  async #load(after = null) {
    const query = new URLSearchParams({ order: this.#order, limit: LIMIT, ...(after === null ? {} : { after }) });
    try {
      const { waiting, reviews, next } = await asked(`reviews?${query}`);
      this.#waiting = waiting;
      this.#cases = after === null ? reviews : [...this.#cases, ...reviews];
      this.#next = next;
      this.refusal.replaceChildren();
      this.pair.hidden = false;
      this.#showList();
    } catch (problem) {
      this.pair.hidden = true;
      this.refusal.replaceChildren(el("p.notice", {}, withheld(problem)));
    }
  }

  #showList() {
    const items = this.#cases.map((one) => el("li", {}, this.#item(one)));
    const more = this.#next !== null && el("button", { type: "button", onclick: () => this.#load(this.#next) }, t("review.more"));
    const none = el("div.nothing", {}, el("h3", {}, t("review.none.title")), el("p.small", {}, t("review.none")));
    this.list.replaceChildren(
      el("p.over", { id: "waiting", "data-waiting": this.#waiting }, t("review.waiting", { count: number(this.#waiting) })),
      items.length ? el("ul", {}, items) : none, more || "");
  }

  #item(one) {
    const why = one.reasons.map((name) => reason(name, "short")).join(", ");
    const isOpen = one.id === this.#open;
    return el("a.item", { href: `#review/${one.id}`, "data-id": one.id, "aria-current": isOpen ? "true" : null },
      tile(one.grade, this.model.classes),
      el("span", {}, el("span.why", {}, why), el("span.note", {}, moment(one.time))),
      el("span.amount", { title: t("series.entropy") }, fixed(one.predictive_entropy, 2)));
  }

  /** Open a case; when a person asked for it, its heading is what is read next. */
  async #select(id, isAsked = false) {
    this.#open = id;
    this.#showList();
    if (id === null) {
      this.#nothingOpen();
      return;
    }
    const on = { reviewed: (said) => this.#reviewed(id, said), changed: () => this.#load() };
    const whole = await openCase(id, this.model, on);
    if (this.#open !== id) return;
    this.place.replaceChildren(whole);
    if (isAsked) whole.querySelector("h3")?.focus({ preventScroll: true });
  }

  /** After a review: it leaves the queue, and the next one opens. */
  async #reviewed(id, said) {
    const at = this.#cases.findIndex((one) => one.id === id);
    const next = this.#cases[at + 1] ?? this.#cases.find((one) => one.id !== id);
    await this.#load();
    this.said.textContent = `${said} ${t("review.waiting", { count: number(this.#waiting) })}`;
    location.hash = next ? `review/${next.id}` : "review";
    this.pair.scrollIntoView({ block: "start" });
  }
}
