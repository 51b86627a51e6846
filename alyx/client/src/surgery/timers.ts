/** What runs and what is due: since the start, isoflurane, analgesia. */

import { el } from "../dom";
import type { Desk, Panel } from "./desk";
import { hourOf, lasting, momentOf, panel, setText } from "./desk";
import type { View } from "./fold";
import { isoflurane } from "./steps";

export interface Due {
  /** ms; undefined: nothing was given yet. */
  at: number | undefined;
  name: string;
  hours: number;
  why: string;
}

/** When analgesia is due again: the longest-lasting of what was given counts. */
export function analgesiaDue(view: View, desk: Pick<Desk, "room">): Due {
  const template = desk.room.templates.find((one) => one.id === view.template);
  const usual = desk.room.analgesia_again_h;
  const due = view.drugs
    .filter((drug) => drug.use === "analgesic" || drug.use === "anti-inflammatory")
    .map((drug): Due => {
      const said = template?.drugs.find((one) => one.drug === drug.drug)?.repeat_h;
      const hours = said ?? usual;
      return { at: Date.parse(drug.at) + hours * 3_600_000, name: drug.name, hours, why: said ? "as the template says" : "the template says no interval" };
    });
  return due.sort((one, other) => (other.at ?? 0) - (one.at ?? 0))[0] ?? { at: undefined, name: "", hours: usual, why: "" };
}

export function timersPanel(desk: Desk): Panel {
  const running = el("output", { class: "timer-value" });
  const iso = el("output", { class: "timer-value" });
  const analgesia = el("output", { class: "timer-value" });
  const line = (name: string, label: string, value: HTMLElement): HTMLElement => el("div", { class: "timer", id: `timer-${name}` }, el("span", {}, label), value, el("small", {}));
  const rows = [line("surgery", "Surgery", running), line("iso", "Isoflurane", iso), line("analgesia", "Analgesia due", analgesia)];
  const tick = (): void => {
    const view = desk.view;
    const now = Date.now() + desk.skewMs();
    const note = (at: number, text: string): void => setText(rows[at]?.querySelector("small") ?? null, text);
    const until = view.endedAt ? Date.parse(view.endedAt) : now;
    setText(running, view.startedAt ? lasting(until - Date.parse(view.startedAt)) : "–");
    note(0, view.startedAt ? `since ${hourOf(view.startedAt, view.zone)}${view.endedAt ? ` to ${hourOf(view.endedAt, view.zone)}` : ""} (${view.zone})` : "");
    const { level, since } = isoflurane(view);
    setText(iso, since ? lasting(until - Date.parse(since)) : "off");
    note(1, since ? `${level} %, since ${hourOf(since, view.zone)}` : "");
    const due = analgesiaDue(view, desk);
    const late = due.at !== undefined && due.at <= now;
    setText(analgesia, due.at === undefined ? "none given yet" : late ? `▲ ${lasting(now - due.at)} ago` : `in ${lasting(due.at - now)}`);
    note(2, due.at === undefined ? "" : `${momentOf(due.at, now, view.zone)}, ${due.name} every ${due.hours} h (${due.why})`);
    rows[2]?.classList.toggle("warning", late || due.at === undefined);
    rows[1]?.classList.toggle("on", since !== null && !view.endedAt);
  };
  setInterval(tick, 1_000);
  return { node: panel("timers", "Timers", ...rows), show: tick };
}
