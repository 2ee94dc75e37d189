/** What a shadow version disagrees on: how often, by how much, and on which cases of late. */

/** @import { DisagreeingShare, ShadowAnswer, ShadowDescription } from "../types/wire.js" */

import { card, el, figures, table } from "./elements.js";
import { asked, LatestRequest, problemOf } from "./http.js";
import { hasShadow, ofModel } from "./models.js";
import { brief, fixed, number, percent, t } from "./words.js";

const LOOK_MS = 10_000;

export class ShadowCard {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  #requests = new LatestRequest();

  /** @param {boolean} isNumber whether the model predicts a number */
  constructor(isNumber) {
    this.isNumber = isNumber;
    this.whole = el("div", { id: "shadow", hidden: true });
  }

  /** Look now and then, if the model has a shadow. */
  start() {
    this.stop();
    if (hasShadow()) this.#look(this.#requests.begin());
  }

  stop() {
    this.#requests.abort();
    clearTimeout(this.#timer);
  }

  /** @param {AbortSignal} signal */
  async #look(signal) {
    try {
      this.#show(await asked(ofModel("shadow"), { signal }));
    } catch (error) {
      if (signal.aborted) return;
      // What was shown stays while nothing answers; a shadow that is gone has nothing to show.
      if (problemOf(error).status === 404) this.whole.hidden = true;
    }
    this.#timer = setTimeout(() => this.#look(signal), LOOK_MS);
  }

  /** @param {ShadowDescription} found */
  #show(found) {
    const { served, shadow, rows, skipped } = found;
    this.whole.hidden = false;
    this.whole.dataset.rows = String(rows);
    // A link in the table that somebody is at stays there.
    if (this.whole.contains(document.activeElement)) return;
    const open = [...this.whole.querySelectorAll("details")].map((one) => one.open);
    this.whole.replaceChildren(
      card(
        t("shadow.title"),
        el("p.small", {}, t("shadow.intro", { version: served.version, other: shadow.version })),
        el("p", {}, t("shadow.rows", { rows, skipped: number(skipped) })),
        this.#shares(found),
        figures(t("shadow.differences"), differences(found)),
        found.newest.length > 0 && this.#newest(found),
      ),
    );
    const folded = this.whole.querySelectorAll("details");
    for (const [at, one] of [...folded].entries()) one.open = open[at] ?? false;
  }

  /** @param {ShadowDescription} found */
  #shares({ disagreements }) {
    const kinds = Object.entries(disagreements).filter(
      ([kind]) => kind !== "class" || !this.isNumber,
    );
    const heads = [t("shadow.kind"), t("rows"), t("shadow.share"), t("shadow.interval")];
    return table(
      t("shadow.title"),
      heads,
      kinds.map(([kind, one]) => [this.#named(kind), ...shareCells(one)]),
    );
  }

  /** @param {ShadowDescription} found */
  #newest({ newest }) {
    const heads = ["time", "shadow.kind", "shadow.answer", "shadow.other", "shadow.difference"];
    const rows = newest.map((one) => [
      el("a", { href: `#review/${one.prediction}` }, brief(one.time)),
      one.kinds.map((kind) => this.#named(kind)).join(", "),
      told(one.answer),
      told(one.other),
      fixed(one.difference),
    ]);
    const titles = heads.map((head) => t(head));
    return figures(
      t("shadow.newest"),
      table(t("shadow.newest"), titles, rows, { words: [1, 2, 3] }),
    );
  }

  /** @param {string} kind */
  #named(kind) {
    return t(this.isNumber && kind === "set" ? "shadow.kind.interval" : `shadow.kind.${kind}`);
  }
}

/** @param {ShadowDescription} found */
function differences({ differences: { edges, rows } }) {
  const heads = [t("shadow.difference"), t("rows")];
  const lines = rows.map((count, at) => [
    at < edges.length
      ? t("shadow.upto", { edge: number(edges[at]) })
      : t("shadow.above", { edge: number(edges[at - 1]) }),
    number(count),
  ]);
  return table(t("shadow.differences"), heads, lines);
}

/**
 * @param {DisagreeingShare} one
 * @returns {string[]}
 */
function shareCells({ rows, share, lower, upper }) {
  const interval = share === null ? "–" : `${percent(lower, 2)} – ${percent(upper, 2)}`;
  return [number(rows), percent(share, 2), interval];
}

/** @param {ShadowAnswer} answer */
function told({ predicted, action }) {
  const what = typeof predicted === "number" ? number(predicted) : predicted;
  if (action === null) return what;
  return `${what}, ${t(action === "automate" ? "automated" : "referred")}`;
}
