/** All that happened, newest first; each line says whether it is saved and can be taken back. */

import { el } from "../dom";
import { mark, shown } from "../states";
import type { Entry } from "../types";
import type { Desk, Panel } from "./desk";
import { hourOf, keyed, panel, setText } from "./desk";
import { plain } from "./dose";
import type { View } from "./fold";
import { nameOf, placeOf } from "./sites";
import { timeEditor } from "./time_editor";

interface Line {
  key: string;
  at: string;
  text: string;
  detail: string;
  user: string;
  part: string;
  id: string;
  entry: Entry | undefined;
  takes: boolean;
}

const FIELDS: Record<string, string> = {
  implant_weight: "Implant weight",
  weight_before: "Weight before",
  weight_after: "Weight after",
  outcome_type: "Outcome",
  users: "Who operates",
  procedures: "Procedures",
  time: "Time",
};
/** Its lines have no time that can be corrected. */
const FIXED = new Set(["field", "photo"]);
const OUTCOMES: Record<string, string> = { r: "recovery", a: "acute", n: "non-recovery" };

export function timelinePanel(desk: Desk): Panel {
  const list = el("ol", { class: "timeline-list" });
  const empty = el("p", { class: "quiet" }, "Nothing yet: each tap is a line here, with its time.");
  const whole = panel("timeline", "Timeline", empty, list);
  const heading = whole.querySelector("h2") as HTMLElement;
  heading.tabIndex = -1;
  const edit = (node: HTMLElement, open: HTMLElement, key: string): void => {
    const there = node.querySelector(".time-editor");
    const line = linesOf(desk.view).find((one) => one.key === key);
    const close = (): void => {
      node.querySelector(".time-editor")?.remove();
      open.setAttribute("aria-expanded", "false");
      open.focus();
    };
    if (there || !line) return close();
    const id = line.part === "start" || line.part === "end" ? desk.id : line.id;
    const editor = timeEditor(desk, { id, part: line.part, at: line.at, text: line.text }, close);
    node.append(editor);
    open.setAttribute("aria-expanded", "true");
    editor.querySelector("input")?.focus();
    editor.scrollIntoView({ block: "nearest" });
  };
  return {
    node: whole,
    show(view) {
      const lines = linesOf(view);
      empty.hidden = lines.length > 0;
      keyed(
        list,
        lines,
        (line) => line.key,
        (line) => {
          const undo = el("button", { type: "button", class: "undo", "aria-label": `Undo: ${line.text}` }, "Undo");
          undo.addEventListener("click", () => {
            const now = linesOf(desk.view).find((one) => one.key === line.key);
            if (now) void desk.takeBack(now.entry, now.part, now.id, now.text).then(() => document.activeElement === document.body && heading.focus());
          });
          const words = el("div", { class: "line-words" }, el("strong", {}), el("span", { class: "quiet line-detail" }), el("span", { class: "line-state" }));
          const time = el("time", {});
          if (FIXED.has(line.part)) return el("li", { class: "line-item" }, time, words, undo);
          const open = el("button", { type: "button", class: "line-time", "aria-expanded": "false" }, time);
          const node = el("li", { class: "line-item" }, open, words, undo);
          open.addEventListener("click", () => edit(node, open, line.key));
          return node;
        },
        (node, line) => {
          const time = node.querySelector("time") as HTMLTimeElement;
          time.dateTime = line.at;
          time.title = `${line.at} (${view.zone})`;
          setText(time, hourOf(line.at, view.zone));
          node.querySelector(".line-time")?.setAttribute("aria-label", `${hourOf(line.at, view.zone)}, correct the time of ${line.text}`);
          setText(node.querySelector("strong"), line.text);
          setText(node.querySelector(".line-detail"), [line.detail, !line.user || line.user === "me" || line.user === desk.room.user.name ? "" : `by ${line.user}`].filter(Boolean).join("; "));
          const state = node.querySelector(".line-state") as HTMLElement;
          if (line.entry) mark(state, line.entry);
          else if (!state.firstChild) state.append(el("span", { class: "state", "data-state": "confirmed" }, "✓ saved"));
          const undo = node.querySelector(".undo") as HTMLButtonElement;
          undo.hidden = !line.takes;
          (node as HTMLElement).dataset.state = line.entry ? shown(line.entry).name : "confirmed";
        },
      );
    },
  };
}

export function linesOf(view: View): Line[] {
  const lines: Line[] = [];
  const add = (line: Partial<Line> & Pick<Line, "key" | "at" | "text">): void => {
    lines.push({ detail: "", user: "", part: "", id: line.key, entry: undefined, takes: true, ...line });
  };
  if (view.startedAt)
    add({ key: "start", at: view.startedAt, text: "Surgery started", detail: view.templateName, part: "start", entry: view.start, takes: view.start !== undefined && view.endedAt === null });
  for (const one of view.events)
    add({ key: one.id, at: one.at, text: `${one.what}${one.value === null ? "" : one.value === 0 && one.unit === "%" ? " off" : ` ${plain(one.value)} ${one.unit}`}`, user: one.user ?? "", part: "event", entry: one.entry });
  for (const one of view.drugs) {
    const dose = one.dose_mg_per_kg !== null ? `${plain(one.dose_mg_per_kg)} mg/kg` : one.dose_percent !== null ? `${plain(one.dose_percent)} %` : "";
    const weight = one.weight_g ? `for ${plain(one.weight_g)} g` : "";
    const volume = one.volume_ml === null ? "" : ` ${one.volume_ml.toFixed(2)} mL`;
    add({ key: one.id, at: one.at, text: `${one.name}${volume}`, detail: [dose, one.route, weight].filter(Boolean).join(" "), user: one.user ?? "", part: "drug", entry: one.entry });
  }
  for (const one of view.parts)
    add({ key: one.id, at: one.at ?? view.startedAt ?? "", text: nameOf(one.part, one.values), detail: placeOf(one.values) || String(one.values.cement ?? ""), user: one.user ?? "", part: one.part, entry: one.entry });
  for (const one of view.photos)
    add({ key: one.entry?.key ?? one.id, id: one.id, at: one.at, text: "Photo", detail: one.text, user: one.user ?? "", part: "photo", entry: one.entry });
  for (const one of view.changes)
    add({ key: one.entry.key, at: one.at, text: `${FIELDS[one.field] ?? one.field}${one.field === "time" ? ` of ${String(one.entry.body.what)}` : ""}`, detail: one.field === "time" ? `${hourOf(String(one.from), view.zone)} → ${hourOf(String(one.to), view.zone)}` : changed(one.field, one.from, one.to), part: "field", entry: one.entry });
  if (view.endedAt) {
    const outcome = String(view.fields.outcome_type?.value ?? "");
    add({ key: "end", at: view.endedAt, text: "Surgery ended", detail: OUTCOMES[outcome] ?? "", part: "end", entry: view.end, takes: view.end !== undefined });
  }
  const order = (line: Line): number => (line.key === "end" ? 1 : line.key === "start" ? -1 : 0);
  return lines.sort((one, other) => Date.parse(other.at) - Date.parse(one.at) || order(other) - order(one));
}

function changed(field: string, from: unknown, to: unknown): string {
  if (Array.isArray(to)) return `${to.length} named`;
  const said = (value: unknown): string => (value === null || value === "" || value === undefined ? "not said" : (field === "outcome_type" && OUTCOMES[String(value)]) || `${String(value)}${field.includes("weight") ? " g" : ""}`);
  return `${said(from)} → ${said(to)}`;
}
