/** Alarms: quiet lines while all is well, clear banners once one is raised; a person acknowledges one, or begins it anew. */

import { el } from "./elements.js";
import { explained } from "./faults.js";
import { asked } from "./http.js";
import { remember, remembered } from "./memory.js";
import { label, moment, number, t } from "./words.js";

const LOWEST = 0.01;
const HEADROOM = 10;
/** Above this many times the threshold digits tell nothing more. */
const FAR = 1000;
const BADGES = { raised: "bad", calm: "good", unknown: "plain" };
const ACTS = { acknowledge: "acknowledgement", begin: "beginning" };
const [LONGEST_NAME, LONGEST_NOTE] = [200, 4000];

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

/** An alarm that has not seen a row is neither raised nor calm. */
function stateOf({ raised, rows }) {
  if (raised) return "raised";
  return rows ? "calm" : "unknown";
}

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

function acknowledged({ acknowledged: known }) {
  if (known === null) return "";
  return t("alarm.acknowledged", {
    name: known.name ?? t("case.erased"),
    time: moment(known.at),
    note: known.note ?? "",
  });
}

/** What a person can do about it: say that it is known, and let it begin anew. */
function acts(alarm, done) {
  const possible = [
    ...(alarm.raised && alarm.acknowledged === null ? ["acknowledge"] : []),
    ...(alarm.rows ? ["begin"] : []),
  ];
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

function sayForm({ name }, act, done) {
  const id = `${act}-${name}`;
  const who = el("input", {
    type: "text",
    id: `${id}-name`,
    maxlength: LONGEST_NAME,
    autocomplete: "name",
    "aria-required": "true",
    value: remembered("reviewer") ?? "",
  });
  const note = el("textarea", { id: `${id}-note`, maxlength: LONGEST_NOTE });
  const fault = el("p.fault", { role: "alert" });
  const say = async () => {
    if (who.value.trim() === "") {
      fault.textContent = t("review.name");
      who.focus();
      return;
    }
    remember("reviewer", who.value.trim());
    try {
      const body = { name: who.value.trim(), note: note.value };
      done(await asked(`alarms/${name}/${ACTS[act]}`, { method: "POST", body }));
    } catch (problem) {
      fault.textContent = explained(problem);
    }
  };
  return el(
    "form",
    {
      novalidate: true,
      onsubmit: (event) => {
        event.preventDefault();
        say();
      },
    },
    el("p.small", {}, t(`alarm.${act}.intro`)),
    el("div.stack", {}, el("label", { for: who.id }, t("review.reviewer")), who),
    el("div.stack", {}, el("label", { for: note.id }, t("review.note")), note),
    fault,
    el("div.buttons", {}, el("button", { type: "submit" }, t(`alarm.${act}.save`))),
  );
}

/** Runs that have ended: their evidence stays to be seen. */
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

/** A feature of the signature, or a figure that is watched like one. */
export function named(name, model) {
  const feature = model.features.find((one) => one.name === name);
  return feature
    ? label(feature)
    : t(`feature.${name}`)
        .replace(/^feature\./, "")
        .replaceAll("_", " ");
}

/** Evidence on a scale of powers of ten, its largest so far, and the threshold. */
function meter(alarm) {
  const top = Math.max(alarm.threshold, alarm.largest, alarm.evidence) * HEADROOM;
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

/** Evidence as a number, where its digits tell something. */
function told(evidence, { threshold }) {
  if (evidence > FAR * threshold) return t("alarm.far");
  return evidence < LOWEST ? t("alarm.near", { limit: number(LOWEST) }) : number(evidence, 2);
}
