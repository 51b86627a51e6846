/** What needs a decision: two versions side by side, doubts that are asked back, what could not be applied. */

import { conflict } from "../conflicts";
import { el } from "../dom";
import { isClash } from "../journal";
import { HERE } from "../sender";
import type { Entry } from "../types";
import type { Desk, Panel } from "./desk";
import { keyed, panel, setText } from "./desk";
import type { View } from "./fold";

const WORDS: Record<string, string> = {
  "surgery.start": "Start of the surgery",
  "surgery.field": "Field",
  "surgery.event": "Event",
  "surgery.drug": "Drug",
  "surgery.part": "Part",
  "surgery.plan": "Planned site",
  "surgery.column": "Coordinate",
  "surgery.photo": "Photo",
  "surgery.end": "End of the surgery",
  "surgery.take": "Taking back",
  "surgery.time": "Time of",
};

export function troublesPanel(desk: Desk): Panel {
  const list = el("div", { class: "troubles-list" });
  const all = el("button", { type: "button", class: "second" }, "Try all of them again");
  all.addEventListener("click", () => void again(desk));
  const node = panel("troubles", "Needs a decision", list, all);
  node.hidden = true;
  return {
    node,
    show(view: View) {
      const open = latest(view.open);
      node.hidden = open.length === 0;
      all.hidden = open.filter((entry) => entry.state === "kept" && !isClash(entry)).length < 2;
      keyed(
        list,
        open,
        (entry) => `${entry.key} ${entry.state} ${isClash(entry) ? "clash" : ""}`,
        (entry) => (isClash(entry) ? conflict(desk.journal, entry) : doubt(desk, entry)),
        (row, entry) => setText(row.querySelector(".reason"), entry.answer?.message ?? ""),
      );
    },
  };
}

/** Of several edits of one field that clashed, the last has all that was typed. */
function latest(open: Entry[]): Entry[] {
  const field = (entry: Entry): string => `${entry.kind} ${String(entry.body.field)}`;
  return open.filter((entry, at) => !isClash(entry) || !open.slice(at + 1).some((later) => isClash(later) && field(later) === field(entry)));
}

function title(entry: Entry): string {
  const what = entry.body.field ?? entry.body.what ?? entry.body.part ?? "";
  const column = entry.kind === "surgery.column" ? String(entry.body.column) : String(what);
  return `${WORDS[entry.kind] ?? entry.kind} ${column.replaceAll("_", " ")}`.trim();
}

function doubt(desk: Desk, entry: Entry): HTMLElement {
  const asked = entry.state === "asked";
  const right = el("button", { type: "button", onclick: () => void settle(desk, entry) }, "It is right");
  const aside = el("button", { type: "button", class: "second", onclick: () => void desk.journal.discard(entry.key, asked ? "corrected at the table" : "put aside at the table") }, asked ? "Correct it" : "Put aside");
  const more = asked ? null : el("a", { class: "button second", href: "/bench/kept/" }, "All kept entries");
  return el("div", { class: "doubt", role: "alert" }, el("h3", {}, title(entry)), el("p", { class: "reason" }), el("div", { class: "buttons" }, right, aside, more));
}

/** A person has looked: apply it. With the start goes what hangs on it. */
async function settle(desk: Desk, entry: Entry): Promise<void> {
  const others = desk.view.open.filter((one) => one.state === "kept" && one.key !== entry.key && !isClash(one));
  if (entry.answer?.result[HERE]) await desk.journal.again(entry.key); // the server never had it
  else await desk.journal.confirm(entry.key);
  if (entry.kind === "surgery.start") for (const one of others) await desk.journal.again(one.key);
}

/** In order: when the start goes through, what hangs on it does too. */
async function again(desk: Desk): Promise<void> {
  for (const entry of desk.view.open) if (entry.state === "kept" && !isClash(entry)) await desk.journal.again(entry.key);
}
