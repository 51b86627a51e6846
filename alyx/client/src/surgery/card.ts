/** Who is on the table: age, weight, restriction, genotype, what to look out for. */

import { el } from "../dom";
import type { Desk, Panel } from "./desk";
import { keyed, panel } from "./desk";
import { plain } from "./dose";
import type { View } from "./fold";
import type { Card } from "./types";

const SEXES: Record<string, string> = { M: "male", F: "female", U: "sex unknown" };
const SHAPES: Record<string, string> = { fine: "●", neutral: "○", warning: "▲", failed: "■", critical: "◆" };
const WORDS: Record<string, string> = { fine: "fine", neutral: "", warning: "warning", failed: "below", critical: "critical" };

export function ageOf(card: Card): string {
  return card.age_weeks === null ? "age unknown" : `${card.age_weeks} weeks`;
}

export function weightOf(card: Card): string {
  return card.weight_g === null ? "never weighed" : `${plain(card.weight_g)} g`;
}

/** The facts, one a line; also on the start screen. */
export function facts(card: Card): HTMLElement {
  const rows: [string, string | HTMLElement][] = [
    ["Age, sex", `${ageOf(card)}, ${SEXES[card.sex] ?? card.sex}`],
    ["Weight", `${weightOf(card)}${card.weighed ? `, ${card.weighed.slice(0, 16).replace("T", " ")}` : ""}`],
    ["Cage", [card.cage || "none", card.ear_mark && `ear ${card.ear_mark}`].filter(Boolean).join(", ")],
    ["Genotype", card.genotype.join(", ") || card.line || "not known"],
  ];
  if (card.is_restricted) {
    const word = WORDS[card.status];
    const status = word ? el("span", { class: `status ${card.status}` }, `${SHAPES[card.status] ?? ""} ${word}`) : "";
    rows.push(["Water", el("span", {}, `restricted${card.percentage === null ? "" : `, ${card.percentage.toFixed(0)} % of expected`} `, status)]);
  }
  if (card.implant_g) rows.push(["Implant", `${plain(card.implant_g)} g`]);
  if (card.surgeries.length) rows.push(["Operated", card.surgeries.map((one) => one.slice(0, 10)).join(", ")]);
  if (card.responsible) rows.push(["Of", `${card.responsible}, ${card.lab_name}`]);
  return el("dl", { class: "facts" }, ...rows.flatMap(([name, value]) => [el("dt", {}, name), el("dd", {}, value)]));
}

export function remarksOf(card: Card): string[] {
  return [card.adverse, card.description, ...card.notes].filter((one) => one.trim());
}

/** What somebody has written about the animal: allergies, remarks, adverse effects. */
export function remarks(card: Card): HTMLElement {
  const said = remarksOf(card);
  const dead = card.died_on ? `It died on ${card.died_on}: what is entered for later is kept and not applied.` : "";
  return el(
    "div",
    { class: "remarks" },
    dead && el("p", { class: "status critical" }, `◆ ${dead}`),
    card.to_be_culled && el("p", { class: "status warning" }, "▲ It is to be culled."),
    ...said.map((one) => el("p", { class: "remark" }, el("span", { class: "status warning", "aria-hidden": "true" }, "▲ "), one)),
  );
}

export function cardPanel(desk: Desk): Panel {
  const place = el("div", {});
  const people = el("div", { class: "chips", role: "group", "aria-label": "Who operates" });
  const node = panel("animal", "Animal", place, el("h3", {}, "Who operates"), people);
  const procedures = el("div", { class: "chips", role: "group", "aria-label": "Procedures" });
  const more = el("select", { id: "more-procedures", "aria-label": "Add a procedure" }, el("option", { value: "" }, "Add a procedure …"), ...desk.room.procedures.map((one) => el("option", { value: one.id }, one.name)));
  more.addEventListener("change", () => {
    if (more.value) void toggleProcedure(desk, more.value);
    more.value = "";
  });
  node.append(el("h3", {}, "Procedures"), procedures, more);
  let last = "";
  for (const [name, id] of desk.room.people) {
    people.append(
      el("button", { type: "button", class: "chip", "data-user": id, "aria-pressed": "false", onclick: () => void toggle(desk, id, name) }, name),
    );
  }
  return {
    node,
    show(view: View) {
      const card = view.subject;
      const now = JSON.stringify(card);
      if (card && now !== last) place.replaceChildren(remarks(card), facts(card));
      last = now;
      const chosen = (view.fields.procedures?.value ?? []) as string[];
      keyed(
        procedures,
        chosen,
        (id) => id,
        (id) => el("button", { type: "button", class: "chip", "aria-pressed": "true", onclick: () => void toggleProcedure(desk, id) }, desk.room.procedures.find((one) => one.id === id)?.name ?? "a procedure"),
        () => {},
      );
      const operating = view.fields.users?.value ?? [];
      for (const chip of people.querySelectorAll<HTMLElement>("[data-user]"))
        chip.setAttribute("aria-pressed", String(Array.isArray(operating) && operating.includes(chip.dataset.user ?? "")));
    },
  };
}

async function toggleProcedure(desk: Desk, id: string): Promise<void> {
  const before = (desk.view.fields.procedures?.value ?? []) as string[];
  const value = before.includes(id) ? before.filter((one) => one !== id) : [...before, id];
  const name = desk.room.procedures.find((one) => one.id === id)?.name ?? "Procedure";
  await desk.record("surgery.field", { field: "procedures", value, base: before }, before.includes(id) ? `Not ${name}` : name);
}

async function toggle(desk: Desk, id: string, name: string): Promise<void> {
  const before = (desk.view.fields.users?.value ?? []) as string[];
  const there = before.includes(id);
  const value = there ? before.filter((one) => one !== id) : [...before, id];
  await desk.record("surgery.field", { field: "users", value, base: before }, there ? `${name} does not operate` : `${name} operates`);
}
