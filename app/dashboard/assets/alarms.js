/** Shows the alarms: a line each while quiet, a banner once raised; acknowledge and restart. */

/** @import { Alarm, ModelDescription } from "../types/wire.js" */

import { el } from "./elements.js";
import { explained } from "./faults.js";
import { asked, unrepeated } from "./http.js";
import { ofModel } from "./models.js";
import { settings } from "./settings.js";
import { nameField, textField } from "./textfield.js";
import { label, moment, number, t } from "./words.js";

const LOWEST = 0.01;
const HEADROOM = 10;
/** Above this many times the threshold digits tell nothing more. */
const FAR = 1000;
const BADGES = { raised: "bad", calm: "good", unknown: "plain" };
/** @typedef {"acknowledge" | "begin"} Act */
/** What a person can do about an alarm, and what the service calls it. */
const ACTS = { acknowledge: "acknowledgement", begin: "beginning" };

/**
 * Bring the banners up to date; what did not change is left, so that it is not read out again.
 * @param {HTMLElement} root
 * @param {Alarm[]} alarms
 * @param {ModelDescription} model
 */
export function showAlarms(root, alarms, model) {
  alarms.forEach((alarm, at) => {
    const fresh = banner(alarm, model);
    const old = /** @type {HTMLElement | undefined} */ (root.children[at]);
    if (!old) root.append(fresh);
    else if (old.dataset.said !== fresh.dataset.said) old.replaceWith(fresh);
    else old.querySelector(".meter")?.replaceWith(meter(alarm));
  });
  while (root.children.length > alarms.length) root.lastElementChild?.remove();
}

/**
 * @param {Alarm} alarm
 * @param {ModelDescription} model
 * @returns {HTMLElement}
 */
function banner(alarm, model) {
  const text = sentence(alarm, model);
  const state = stateOf(alarm);
  const known = acknowledged(alarm);
  const whole = el(
    "section",
    {
      class: `card alarm ${state}`,
      id: `alarm-${alarm.name}`,
      "data-said": state + text + known + alarm.past.length,
    },
    el(
      "div",
      {},
      el(
        "h3",
        {},
        t(`alarm.${alarm.name}`),
        " ",
        el("span", { class: `badge ${BADGES[state]}` }, t(`alarm.${state}`)),
      ),
      el("p", {}, text),
      known && el("p.small", { id: `known-${alarm.name}` }, known),
    ),
    meter(alarm),
    acts(alarm, (fresh) => whole.replaceWith(banner(fresh, model))),
    past(alarm),
  );
  return whole;
}

/**
 * An alarm that has not seen a row is neither raised nor calm.
 * @param {Alarm} alarm
 * @returns {"raised" | "calm" | "unknown"}
 */
function stateOf({ raised, rows }) {
  if (raised) return "raised";
  return rows ? "calm" : "unknown";
}

/**
 * @param {Alarm} alarm
 * @param {ModelDescription} model
 */
function sentence(alarm, model) {
  const since =
    alarm.raised && alarm.raised_at
      ? ` ${t("alarm.since", { time: moment(alarm.raised_at) })}`
      : "";
  return (
    t(`alarm.${alarm.name}.${stateOf(alarm)}`, { feature: named(alarm.largest_feature, model) }) +
    since
  );
}

/** @param {Alarm} alarm */
function acknowledged({ acknowledged: known }) {
  if (known === null) return "";
  return t("alarm.acknowledged", {
    name: known.name ?? t("case.erased"),
    time: moment(known.at),
    note: known.note ?? "",
  });
}

/**
 * What a person can do about it: say that it is known, and let it begin anew.
 * @param {Alarm} alarm
 * @param {(fresh: Alarm) => void} done
 */
function acts(alarm, done) {
  /** @type {Act[]} */
  const possible = [];
  if (alarm.raised && alarm.acknowledged === null) possible.push("acknowledge");
  if (alarm.rows) possible.push("begin");
  if (!possible.length) return "";
  return el(
    "div.acts",
    {},
    possible.map((act) =>
      el(
        "details",
        { id: `${act}-${alarm.name}` },
        el("summary", {}, t(`alarm.${act}`)),
        sayForm(alarm, act, done),
      ),
    ),
  );
}

/**
 * @param {Alarm} alarm
 * @param {Act} act
 * @param {(fresh: Alarm) => void} done
 */
function sayForm({ name }, act, done) {
  const who = nameField(`${act}-${name}-name`);
  const note = textField(`${act}-${name}-note`, t("review.note"));
  const fault = el("p.fault", { role: "alert" });
  const say = unrepeated(async () => {
    if (who.value() === "") {
      fault.textContent = t("review.name");
      who.input.focus();
      return;
    }
    settings.set("reviewer", who.value());
    try {
      const body = { name: who.value(), note: note.input.value };
      done(await asked(ofModel(`alarms/${name}/${ACTS[act]}`), { method: "POST", body }));
    } catch (error) {
      fault.textContent = explained(error);
    }
  });
  return el(
    "form",
    {
      novalidate: true,
      onsubmit: (/** @type {Event} */ event) => {
        event.preventDefault();
        say();
      },
    },
    el("p.small", {}, t(`alarm.${act}.intro`)),
    who.whole,
    note.whole,
    fault,
    el("div.buttons", {}, el("button", { type: "submit" }, t(`alarm.${act}.save`))),
  );
}

/**
 * Runs that have ended: their evidence stays to be seen.
 * @param {Alarm} alarm
 */
function past({ past: runs, threshold }) {
  if (!runs.length) return "";
  return el(
    "details.past",
    {},
    el("summary", {}, t("alarm.past", { count: number(runs.length) })),
    el(
      "ul",
      {},
      runs.map((run) =>
        el(
          "li.small",
          {},
          t("alarm.run", {
            time: moment(run.ended_at),
            name: run.name ?? t("case.erased"),
            note: run.note ?? "",
            rows: number(run.rows),
            largest: told(run.largest, { threshold }),
            raised:
              run.raised_at === null
                ? t("alarm.run.calm")
                : t("alarm.since", { time: moment(run.raised_at) }),
          }),
        ),
      ),
    ),
  );
}

/**
 * A feature of the signature, or a figure that is watched like one.
 * @param {string | null} name
 * @param {ModelDescription} model
 */
export function named(name, model) {
  const feature = model.features.find((one) => one.name === name);
  return feature
    ? label(feature)
    : t(`feature.${name}`)
        .replace(/^feature\./, "")
        .replaceAll("_", " ");
}

/**
 * Evidence on a scale of powers of ten, its largest so far, and the threshold.
 * @param {Alarm} alarm
 */
function meter(alarm) {
  const top = Math.max(alarm.threshold, alarm.largest, alarm.evidence) * HEADROOM;
  /** @param {number} value */
  const place = (value) => Math.log(Math.max(value, LOWEST) / LOWEST) / Math.log(top / LOWEST);
  const texts = {
    evidence: told(alarm.evidence, alarm),
    largest: told(alarm.largest, alarm),
    threshold: number(alarm.threshold),
    rows: number(alarm.rows),
  };
  const style = {
    "--evidence": place(alarm.evidence),
    "--largest": place(alarm.largest),
    "--threshold": place(alarm.threshold),
  };
  return el(
    "div.meter",
    { "aria-live": "off" },
    el(
      "div.scale",
      { role: "img", "aria-label": t("alarm.evidence", texts), style },
      el("span.evidence"),
      el("span.largest"),
      el("span.threshold"),
    ),
    el("p.small", {}, t("alarm.evidence.short", texts)),
  );
}

/**
 * Evidence as a number, where its digits tell something.
 * @param {number} evidence
 * @param {{threshold: number}} alarm
 */
function told(evidence, { threshold }) {
  if (evidence > FAR * threshold) return t("alarm.far");
  return evidence < LOWEST ? t("alarm.near", { limit: number(LOWEST) }) : number(evidence, 2);
}
