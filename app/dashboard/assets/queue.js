/** The Review queue's list: waiting, decided or all predictions, with search, filters and export. */

/** @import { Attributes } from "../types/elements.js" */
/** @import { ModelDescription } from "../types/wire.js" */

import { caseTable } from "./casetable.js";
import { exported } from "./columns.js";
import { el } from "./elements.js";
import { download } from "./export.js";
import { filterFields } from "./filters.js";
import { unrepeated } from "./http.js";
import { Listing, STATES } from "./listing.js";
import { settings } from "./settings.js";
import { number, t } from "./words.js";

const LONGEST_SEARCH = 200;

export class Queue {
  /** @type {string | null} the case that is open */
  #current = null;
  #isFiltering = false;

  /**
   * @param {ModelDescription} model
   * @param {{refused: (error: unknown) => void, loaded: () => void, reload: () => void}} on
   */
  constructor(model, on) {
    this.model = model;
    this.on = on;
    this.listing = new Listing({
      refused: on.refused,
      loaded: () => {
        this.#list();
        on.loaded();
      },
    });
    this.head = el("div.queue-head");
    this.body = el("div.queue-body");
    this.search = el("input");
    this.filters = el("details");
    this.whole = el("section.card.queue", {}, this.head, this.body);
    // Who reviews here may be said in another part of the page; the filter for it is then offered.
    settings.subscribe((name) => {
      if (name === "reviewer") this.#renewFilters();
    });
    this.redraw();
  }

  get cases() {
    return this.listing.shown.cases;
  }

  get waiting() {
    return this.listing.shown.waiting;
  }

  redraw() {
    this.#frame();
    this.#list();
  }

  /**
   * Show which case is open.
   * @param {string | null} id
   */
  mark(id) {
    this.#current = id;
    /** @type {NodeListOf<HTMLElement>} */
    const rows = this.body.querySelectorAll("tr[data-id]");
    for (const row of rows) row.setAttribute("aria-current", String(row.dataset.id === id));
  }

  /**
   * List what an address names.
   * @param {string} address
   */
  async take(address) {
    const loaded = this.listing.take(address);
    this.#isFiltering = Object.keys(this.listing.query.filters).length > 0;
    this.#frame();
    await loaded;
  }

  load() {
    return this.listing.load();
  }

  focusSearch() {
    this.search.focus();
  }

  #frame() {
    this.search = el("input", {
      id: "queue-search",
      type: "search",
      maxlength: LONGEST_SEARCH,
      value: this.listing.query.filters.reference ?? "",
      placeholder: t("queue.search"),
      "aria-label": t("queue.search"),
    });
    const reload = button("review.reload", { id: "reload", onclick: () => this.on.reload() });
    const save = button("queue.export", { id: "export", onclick: () => this.#export() });
    this.head.replaceChildren(
      el("div.heading", {}, this.#states(), el("div.buttons", {}, reload, save)),
      this.#searchForm(),
      this.filters,
    );
    this.#renewFilters();
  }

  #renewFilters() {
    const fresh = this.#filterForm();
    this.filters.replaceWith(fresh);
    this.filters = fresh;
  }

  #states() {
    const choices = STATES.map((name) => {
      const input = el("input", {
        type: "radio",
        name: "state",
        value: name,
        checked: name === this.listing.query.state,
        onchange: () => {
          this.listing.turn(name);
          this.#frame();
        },
      });
      return el("label", {}, input, el("span", {}, t(`queue.${name}`)));
    });
    return el("fieldset.segments", {}, el("legend.hidden", {}, t("queue.states")), choices);
  }

  #searchForm() {
    const find = (/** @type {Event} */ event) => {
      event.preventDefault();
      this.listing.filter("reference", this.search.value.trim());
    };
    return el(
      "form.search",
      { role: "search", onsubmit: find },
      this.search,
      el("button.small", { type: "submit" }, t("queue.find")),
    );
  }

  #filterForm() {
    const { query } = this.listing;
    /** @type {HTMLDetailsElement} */
    const folded = el(
      "details.more",
      {
        open: this.#isFiltering,
        ontoggle: () => {
          this.#isFiltering = folded.open;
        },
      },
      el("summary", {}, t("queue.filter")),
      filterFields(query, this.model, (name, value) => this.listing.filter(name, value)),
    );
    return folded;
  }

  #list() {
    const { query, cases, next, waiting } = this.listing.shown;
    const table = () => caseTable(query, cases, this.model, (order) => this.listing.sort(order));
    const more = button("review.more", { onclick: () => this.listing.more() });
    this.body.replaceChildren(
      el(
        "p.over",
        { id: "waiting", "data-waiting": waiting, role: "status" },
        t("review.waiting", { count: number(waiting) }),
        this.#found(),
      ),
      cases.length ? table() : this.#nothing(),
      next === null ? "" : more,
    );
    this.mark(this.#current);
  }

  /** How many were found, where the list is narrowed. */
  #found() {
    const { found } = this.listing.shown;
    return found !== null && this.#isNarrow() && ` · ${t("queue.found", { count: number(found) })}`;
  }

  #isNarrow() {
    return Object.keys(this.listing.shown.query.filters).length > 0;
  }

  #nothing() {
    const isEmpty = this.listing.shown.query.state === "waiting" && !this.#isNarrow();
    const key = isEmpty ? "review.none" : "queue.nothing";
    return el("div.nothing", {}, el("h3", {}, t(`${key}.title`)), el("p.small", {}, t(key)));
  }

  /** What is shown, and what would be shown further down, as a file for a spreadsheet. */
  #export = unrepeated(async () => {
    try {
      const { state, cases } = await this.listing.everything();
      const { heads, rows } = exported(state, cases, this.model);
      download(`dubito-${state}.csv`, heads, rows);
    } catch (error) {
      this.on.refused(error);
    }
  });
}

/**
 * @param {string} key
 * @param {Attributes} attributes
 */
function button(key, attributes) {
  return el("button.small", { type: "button", ...attributes }, t(key));
}
