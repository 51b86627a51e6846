/** One-tap events, the parts of the template that have no place on the skull, and the isoflurane. */

import { el } from "../dom";
import { uuid } from "../ids";
import type { Desk, Panel } from "./desk";
import { hourOf, keyed, panel, setText } from "./desk";
import { plain, stepped } from "./dose";
import type { View } from "./fold";
import type { EventItem } from "./types";

export const ISOFLURANE = "isoflurane";
const LEVELS = [1, 1.5, 2, 2.5, 3, 4, 5];
const CORRECTION_MS = 60_000;
const WORDS: Record<string, string> = { headplate: "Headplate on", perfusion: "Perfused" };
/** Parts that are somewhere on the skull. */
export const PLACED = new Set(["craniotomy", "injection", "implant"]);

interface Step {
  key: string;
  label: string;
  /** What is planned: a part with its columns. */
  plan?: View["plan"][number];
}

export function stepsPanel(desk: Desk): Panel {
  const grid = el("div", { class: "taps", role: "group", "aria-label": "What happens now" });
  const other = el("input", { id: "other-event", type: "text", maxlength: "255", autocomplete: "off", placeholder: "Something else", "aria-label": "Something else that happens now" });
  const note = el("button", { type: "submit", class: "quiet" }, "Note it");
  const form = el("form", { class: "other" }, other, note);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const what = other.value.trim();
    if (!what) return;
    other.value = "";
    void desk.record("surgery.event", { id: uuid(), what, value: null, unit: "" }, what);
  });
  const node = panel("steps", "Events", grid, form);
  return {
    node,
    show(view) {
      keyed(
        grid,
        stepsOf(desk, view),
        (step) => step.key,
        (step) => {
          const tap = el("button", { type: "button", class: step.plan ? "tap part" : "tap" }, el("span", { class: "tap-label" }, step.label), el("span", { class: "tap-note" }));
          tap.addEventListener("click", () => void happens(desk, step));
          return tap;
        },
        (tap, step) => {
          const last = lastOf(view, step);
          setText(tap.querySelector(".tap-note"), last ? `✓ ${hourOf(last, view.zone)}` : "");
          tap.classList.toggle("done", last !== null);
        },
      );
    },
  };
}

function stepsOf(desk: Desk, view: View): Step[] {
  const template = desk.room.templates.find((one) => one.id === view.template);
  const names = template?.events.length ? template.events : desk.room.events;
  const plan = view.plan.filter((one) => !PLACED.has(one.part));
  const parts = plan.map((one): Step => ({ key: one.id, label: WORDS[one.part] ?? one.part, plan: one }));
  const events = names.map((name): Step => ({ key: `event ${name}`, label: name }));
  const headplate = plan.some((one) => one.part === "headplate") || !view.known ? [] : [{ key: "headplate", label: "Headplate on" }];
  const at = events.findIndex((step) => /clos|sutur|awake/i.test(step.label));
  const before = at < 0 ? events.length : at;
  return [...events.slice(0, before), ...parts, ...headplate, ...events.slice(before)];
}

function lastOf(view: View, step: Step): string | null {
  if (step.plan || step.key === "headplate") {
    const done = step.plan ? view.parts.find((part) => part.id === step.key) : view.parts.find((part) => part.part === "headplate");
    return done ? (done.at ?? view.startedAt) : null;
  }
  return view.events.filter((event) => event.what === step.label).at(-1)?.at ?? null;
}

async function happens(desk: Desk, step: Step): Promise<void> {
  if (step.plan) {
    const { id, part, entry: _entry, ...values } = step.plan;
    if (desk.view.parts.some((one) => one.id === id)) return; // once; the timeline takes it back
    await desk.record("surgery.part", { id, part, values }, step.label);
  } else if (step.key === "headplate") {
    if (desk.view.parts.some((one) => one.part === "headplate")) return;
    await desk.record("surgery.part", { id: uuid(), part: "headplate", values: {} }, step.label);
  } else {
    await desk.record("surgery.event", { id: uuid(), what: step.label, value: null, unit: "" }, step.label);
  }
}

/** The last level that was set, and since when it has been running. */
export function isoflurane(view: View): { level: number | null; since: string | null; last: (EventItem & { entry?: unknown }) | undefined } {
  const set = view.events.filter((event) => event.what === ISOFLURANE && event.value !== null);
  const last = set.at(-1);
  let since: string | null = null;
  for (const event of set) {
    if (event.value === 0) since = null;
    else since ??= event.at;
  }
  return { level: last?.value ?? null, since, last };
}

export function isofluranePanel(desk: Desk): Panel {
  const shown = el("output", { class: "level", id: "iso-level" }, "off");
  const levels = el("div", { class: "levels", role: "group", "aria-label": "Isoflurane level" });
  const set = (value: number): void => void desk.record("surgery.event", { id: uuid(), what: ISOFLURANE, value, unit: "%" }, value ? `isoflurane ${plain(value)} %` : "isoflurane off");
  const level = (value: number, label: string): HTMLElement =>
    el("button", { type: "button", class: "level-tap", "data-level": value, "aria-pressed": "false", onclick: () => set(value) }, label);
  levels.append(level(0, "Off"), ...LEVELS.map((value) => level(value, plain(value))));
  const nudge = (by: number): void => {
    const { level: now, last } = isoflurane(desk.view);
    const value = Math.max(0, stepped(now ?? 2, by));
    const fresh = last !== undefined && Date.now() + desk.skewMs() - Date.parse(last.at) < CORRECTION_MS && last.value !== 0;
    if (fresh) void desk.record("surgery.event", { id: last.id, value, base: { value: last.value } }, `isoflurane ${plain(value)} %`);
    else set(value);
  };
  const less = el("button", { type: "button", class: "step", "aria-label": "Isoflurane: less", onclick: () => nudge(-0.25) }, "−");
  const more = el("button", { type: "button", class: "step", "aria-label": "Isoflurane: more", onclick: () => nudge(0.25) }, "+");
  const node = panel("isoflurane", "Isoflurane (%)", el("div", { class: "iso" }, less, shown, more), levels);
  return {
    node,
    show(view) {
      const { level: now } = isoflurane(view);
      setText(shown, now ? `${plain(now)} %` : "off");
      for (const tap of levels.querySelectorAll<HTMLElement>("[data-level]")) tap.setAttribute("aria-pressed", String(now !== null && Number(tap.dataset.level) === now));
    },
  };
}
