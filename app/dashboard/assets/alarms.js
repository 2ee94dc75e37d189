/** Alarms: quiet lines while all is well, clear banners once one is raised. */

import { el } from "./elements.js";
import { label, moment, number, t } from "./words.js";

const LOWEST = 0.01;
const HEADROOM = 10;
/** Above this many times the threshold digits tell nothing more. */
const FAR = 1000;
const BADGES = { raised: "bad", calm: "good", unknown: "plain" };

/** Bring the banners up to date; what did not change is left, so that it is not read out again. */
export function showAlarms(root, alarms, model) {
  alarms.forEach((alarm, at) => {
    const fresh = banner(alarm, model);
    const old = root.children[at];
    if (!old) root.append(fresh);
    else if (old.dataset.said !== fresh.dataset.said) old.replaceWith(fresh);
    else old.querySelector(".meter").replaceWith(fresh.querySelector(".meter"));
  });
  while (root.children.length > alarms.length) root.lastElementChild.remove();
}

function banner(alarm, model) {
  const text = sentence(alarm, model);
  const state = stateOf(alarm);
  return el("section", { class: `card alarm ${state}`, id: `alarm-${alarm.name}`, "data-said": state + text },
    el("div", {}, el("h3", {}, t(`alarm.${alarm.name}`), " ", el("span", { class: `badge ${BADGES[state]}` }, t(`alarm.${state}`))), el("p", {}, text)),
    meter(alarm));
}

/** An alarm that has not seen a row is neither raised nor calm. */
function stateOf({ raised, rows }) {
  if (raised) return "raised";
  return rows ? "calm" : "unknown";
}

function sentence(alarm, model) {
  const since = alarm.raised && alarm.raised_at ? ` ${t("alarm.since", { time: moment(alarm.raised_at) })}` : "";
  return t(`alarm.${alarm.name}.${stateOf(alarm)}`, { feature: named(alarm.largest_feature, model) }) + since;
}

/** A feature of the signature, or a figure that is watched like one. */
export function named(name, model) {
  const feature = model.features.find((one) => one.name === name);
  return feature ? label(feature) : t(`feature.${name}`).replace(/^feature\./, "").replaceAll("_", " ");
}

/** Evidence on a scale of powers of ten, its largest so far, and the threshold. */
function meter(alarm) {
  const top = Math.max(alarm.threshold, alarm.largest, alarm.evidence) * HEADROOM;
  const place = (value) => Math.log(Math.max(value, LOWEST) / LOWEST) / Math.log(top / LOWEST);
  const texts = {
    evidence: told(alarm.evidence, alarm), largest: told(alarm.largest, alarm),
    threshold: number(alarm.threshold), rows: number(alarm.rows),
  };
  const style = { "--evidence": place(alarm.evidence), "--largest": place(alarm.largest), "--threshold": place(alarm.threshold) };
  return el("div.meter", { "aria-live": "off" },
    el("div.scale", { role: "img", "aria-label": t("alarm.evidence", texts), style }, el("span.evidence"), el("span.largest"), el("span.threshold")),
    el("p.small", {}, t("alarm.evidence.short", texts)));
}

/** Evidence as a number, where its digits tell something. */
function told(evidence, { threshold }) {
  if (evidence > FAR * threshold) return t("alarm.far");
  return evidence < LOWEST ? t("alarm.near", { limit: number(LOWEST) }) : number(evidence, 2);
}
