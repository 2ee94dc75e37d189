/** The list of cases: those that wait, that were decided, or all; searched, filtered, sorted, exported. */

import { tile } from "./answer.js";
import { el } from "./elements.js";
import { download } from "./export.js";
import { asked } from "./http.js";
import { remembered } from "./memory.js";
import { brief, fixed, list, number, percent, reason, t } from "./words.js";

const STATES = ["waiting", "decided", "all"];
const LIMIT = 50;
/** Versions of a model that a filter offers, the newest first. */
const MOST_VERSIONS = 20;
const LONGEST_SEARCH = 200;
/** Rows that an export has at most, and that are asked for at once. */
const [MOST_ROWS, MANY] = [5000, 500];
const REASONS = [
  "ambiguous",
  "epistemic",
  "unlikely",
  "out_of_range",
  "missing",
  "few_passes",
  "no_evidence",
];
const FIRST = { waiting: "oldest", decided: "newest", all: "newest" };
/** What a list may be narrowed by; an address may name them too. */
const FILTERS = ["reference", "reason", "grade", "version", "assignee", "action", "since", "until"];

/** Every column: its heading, its cell, its value in an export, and the orders that its heading goes through. */
const COLUMNS = {
  reference: {
    cell: (one) => one.reference ?? el("code", {}, one.id.slice(-12)),
    plain: (one) => one.reference,
    orders: ["reference"],
  },
  grade: {
    cell: (one, model) => tile(one.grade, model.classes, "chip"),
    plain: (one) => one.grade,
  },
  reasons: {
    cell: (one) => list(one.reasons.map((name) => reason(name, "short"))),
    plain: (one) => one.reasons.join(" "),
  },
  uncertainty: {
    cell: (one) => fixed(one.predictive_entropy, 2),
    plain: (one) => one.predictive_entropy,
    orders: ["doubtful"],
    isNumber: true,
  },
  likelihood: {
    cell: (one) => percent(one.likelihood),
    plain: (one) => one.likelihood,
    isNumber: true,
  },
  action: { cell: (one) => t(`queue.action.${one.action ?? "none"}`), plain: (one) => one.action },
  time: { cell: (one) => brief(one.time), plain: (one) => one.time, orders: ["oldest", "newest"] },
  decided: {
    cell: (one) => brief(one.decided),
    plain: (one) => one.decided,
    orders: ["newest", "oldest"],
  },
  verdict: {
    cell: (one, model) => tile(one.verdict, model.classes, "chip"),
    plain: (one) => one.verdict,
  },
  reviewer: { cell: (one) => one.reviewer ?? "–", plain: (one) => one.reviewer },
  assignee: { cell: (one) => one.assignee ?? "–", plain: (one) => one.assignee },
};
const SHOWN = {
  waiting: ["reference", "grade", "reasons", "uncertainty", "time", "assignee"],
  decided: ["reference", "grade", "verdict", "decided", "reviewer", "reasons"],
  all: ["reference", "grade", "likelihood", "action", "time"],
};

export class Queue {
  waiting = 0;
  cases = [];
  #found = null;
  #next = null;
  #state = "waiting";
  #order = FIRST.waiting;
  #filters = {};
  #current = null;
  #isFiltering = false;
  #asking = 0;

  /**
   * @param {object} model
   * @param {{refused: (problem: Error) => void, loaded: () => void, reload: () => void}} on
   */
  constructor(model, on) {
    this.model = model;
    this.on = on;
    this.head = el("div.queue-head");
    this.body = el("div.queue-body");
    this.whole = el("section.card.queue", {}, this.head, this.body);
    this.redraw();
  }

  redraw() {
    this.#frame();
    this.#list();
  }

  /** Show which case is open. */
  mark(id) {
    this.#current = id;
    this.body
      .querySelectorAll("tr[data-id]")
      .forEach((row) => row.setAttribute("aria-current", String(row.dataset.id === id)));
  }

  /** List what an address names, as a chart's bar does. */
  take(query) {
    const named = new URLSearchParams(query);
    this.#state = STATES.includes(named.get("state")) ? named.get("state") : "all";
    this.#order = FIRST[this.#state];
    this.#filters = Object.fromEntries(
      FILTERS.filter((name) => named.get(name)).map((name) => [name, named.get(name)]),
    );
    this.#isFiltering = Object.keys(this.#filters).length > 0;
    this.#frame();
    return this.load();
  }

  focusSearch() {
    this.head.querySelector("#queue-search").focus();
  }

  /** The list from its start, or with `after` what follows. */
  async load(after = null) {
    const mine = ++this.#asking;
    try {
      const page = await this.#page(LIMIT, after);
      if (mine !== this.#asking) return;
      this.cases = after === null ? page.cases : [...this.cases, ...page.cases];
      this.#next = page.next;
      this.#found = after === null ? page.found : this.#found;
      this.waiting = page.waiting ?? this.waiting;
      this.#list();
      this.on.loaded();
    } catch (problem) {
      if (mine === this.#asking) this.on.refused(problem);
    }
  }

  async #page(limit, after) {
    const query = new URLSearchParams({
      limit,
      ...this.#filters,
      ...(after === null ? {} : { after }),
    });
    if (this.#state === "all") {
      const { predictions, next } = await asked(`predictions?${query}`);
      return { cases: predictions, next, found: null, waiting: null };
    }
    query.delete("action");
    query.set("state", this.#state);
    query.set("order", this.#order);
    const { reviews, next, found, waiting } = await asked(`reviews?${query}`);
    return { cases: reviews, next, found, waiting };
  }

  #frame() {
    const states = el(
      "fieldset.segments",
      {},
      el("legend.hidden", {}, t("queue.states")),
      STATES.map((name) =>
        el(
          "label",
          {},
          el("input", {
            type: "radio",
            name: "state",
            value: name,
            checked: name === this.#state,
            onchange: () => this.#turn(name),
          }),
          el("span", {}, t(`queue.${name}`)),
        ),
      ),
    );
    const search = el("input", {
      id: "queue-search",
      type: "search",
      maxlength: LONGEST_SEARCH,
      value: this.#filters.reference ?? "",
      placeholder: t("queue.search"),
      "aria-label": t("queue.search"),
    });
    const button = (key, attributes, action) =>
      el("button.small", { type: "button", ...attributes, onclick: action }, t(key));
    this.head.replaceChildren(
      el(
        "div.heading",
        {},
        states,
        el(
          "div.buttons",
          {},
          button("review.reload", { id: "reload" }, () => this.on.reload()),
          button("queue.export", { id: "export" }, () => this.#export()),
        ),
      ),
      el(
        "form.search",
        {
          role: "search",
          onsubmit: (event) => {
            event.preventDefault();
            this.#filter("reference", search.value.trim());
          },
        },
        search,
        el("button.small", { type: "submit" }, t("queue.find")),
      ),
      this.#filterForm(),
    );
  }

  #filterForm() {
    const choice = (name, options) =>
      el(
        "label.stack",
        {},
        el("span", {}, t(`queue.by.${name}`)),
        el(
          "select",
          { id: `filter-${name}`, onchange: ({ target }) => this.#filter(name, target.value) },
          el("option", { value: "" }, t("queue.any")),
          options.map(([value, text]) =>
            el("option", { value, selected: this.#filters[name] === String(value) }, text),
          ),
        ),
      );
    const time = (name) =>
      el(
        "label.stack",
        {},
        el("span", {}, t(`queue.by.${name}`)),
        el("input", {
          type: "datetime-local",
          id: `filter-${name}`,
          value: local(this.#filters[name]),
          onchange: ({ target }) =>
            this.#filter(name, target.value && new Date(target.value).toISOString()),
        }),
      );
    const versions = Array.from(
      { length: Math.min(this.model.version, MOST_VERSIONS) },
      (_, at) => [this.model.version - at, String(this.model.version - at)],
    );
    const me = remembered("reviewer");
    const mine =
      this.#state === "waiting" &&
      me &&
      el(
        "label.check",
        {},
        el("input", {
          type: "checkbox",
          id: "filter-mine",
          checked: this.#filters.assignee === me,
          onchange: ({ target }) => this.#filter("assignee", target.checked ? me : ""),
        }),
        t("queue.mine"),
      );
    const folded = el(
      "details.more",
      { open: this.#isFiltering, ontoggle: () => (this.#isFiltering = folded.open) },
      el("summary", {}, t("queue.filter")),
      el(
        "div.filters",
        {},
        choice(
          "reason",
          REASONS.map((name) => [name, reason(name, "short")]),
        ),
        choice(
          "grade",
          this.model.classes.map((name) => [name, name]),
        ),
        choice("version", versions),
        time("since"),
        time("until"),
        mine || "",
      ),
    );
    return folded;
  }

  #turn(state) {
    this.#state = state;
    this.#order = FIRST[state];
    if (state !== "waiting") delete this.#filters.assignee;
    if (state !== "all") delete this.#filters.action;
    this.#frame();
    this.load();
  }

  #filter(name, value) {
    if (value) this.#filters[name] = value;
    else delete this.#filters[name];
    this.load();
  }

  #list() {
    const isLimited = Object.keys(this.#filters).length > 0;
    const count =
      this.#found === null ? "" : isLimited ? t("queue.found", { count: number(this.#found) }) : "";
    const waits = el(
      "p.over",
      { id: "waiting", "data-waiting": this.waiting, role: "status" },
      t("review.waiting", { count: number(this.waiting) }),
      count && ` · ${count}`,
    );
    const more =
      this.#next !== null &&
      el(
        "button.small",
        { type: "button", onclick: () => this.load(this.#next) },
        t("review.more"),
      );
    this.body.replaceChildren(
      waits,
      this.cases.length ? this.#table() : this.#nothing(isLimited),
      more || "",
    );
  }

  #nothing(isLimited) {
    const key = isLimited || this.#state !== "waiting" ? "queue.nothing" : "review.none";
    return el("div.nothing", {}, el("h3", {}, t(`${key}.title`)), el("p.small", {}, t(key)));
  }

  #table() {
    const names = SHOWN[this.#state];
    const heads = names.map((name) =>
      el(
        "th",
        {
          scope: "col",
          class: `${COLUMNS[name].isNumber ? "number " : ""}col-${name}`,
          "aria-sort": this.#sorted(name),
        },
        this.#heading(name),
      ),
    );
    const rows = this.cases.map((one) =>
      el(
        "tr",
        {
          "data-id": one.id,
          "aria-current": String(one.id === this.#current),
          onclick: () => (location.hash = `review/${one.id}`),
        },
        names.map((name, at) => this.#cell(one, name, at)),
      ),
    );
    return el(
      "div.scroll",
      { tabindex: "0", role: "group", "aria-label": t("review.title") },
      el(
        "table.cases",
        {},
        el("caption.hidden", {}, t("review.title")),
        el("thead", {}, el("tr", {}, heads)),
        el("tbody", {}, rows),
      ),
    );
  }

  #cell(one, name, at) {
    const { cell, isNumber } = COLUMNS[name];
    const content = cell(one, this.model);
    if (at > 0) return el("td", { class: `${isNumber ? "number " : ""}col-${name}` }, content);
    return el(
      "th",
      { scope: "row", class: `col-${name}` },
      el("a.item", { href: `#review/${one.id}`, "data-id": one.id }, content),
    );
  }

  #heading(name) {
    const { orders } = COLUMNS[name];
    const text = t(`queue.col.${name}`);
    if (!orders || this.#state === "all") return text;
    const next = orders[(orders.indexOf(this.#order) + 1) % orders.length];
    const sign = { ascending: " ↑", descending: " ↓" }[this.#sorted(name)] ?? "";
    return el(
      "button.sort",
      {
        type: "button",
        "data-order": next,
        onclick: () => {
          this.#order = next;
          this.load();
        },
      },
      text,
      el("span", { "aria-hidden": "true" }, sign),
    );
  }

  #sorted(name) {
    if (this.#state === "all" || !COLUMNS[name].orders?.includes(this.#order)) return null;
    return ["newest", "doubtful"].includes(this.#order) ? "descending" : "ascending";
  }

  /** What is shown, and what would be shown further down, as a file for a spreadsheet. */
  async #export() {
    const names = ["id", ...SHOWN[this.#state]];
    const plain = (one, name) => (name === "id" ? one.id : COLUMNS[name].plain(one));
    try {
      let [cases, after] = [[], null];
      do {
        const page = await this.#page(MANY, after);
        [cases, after] = [[...cases, ...page.cases], page.next];
      } while (after !== null && cases.length < MOST_ROWS);
      download(
        `dubito-${this.#state}.csv`,
        names,
        cases.map((one) => names.map((name) => plain(one, name))),
      );
    } catch (problem) {
      this.on.refused(problem);
    }
  }
}

/** A moment as a field of a form has it, by this machine's clock. */
function local(time) {
  if (!time) return "";
  const date = new Date(time);
  return new Date(date.getTime() - date.getTimezoneOffset() * 60000).toISOString().slice(0, 16);
}
