/** The end: what is missing, how it ended, what the implant changes, which checks come. Two taps. */

import { el } from "../dom";
import type { Desk } from "./desk";
import { setText } from "./desk";
import { plain } from "./dose";
import type { View } from "./fold";
import { asNumber, checkDays, missingAtEnd } from "./missing";
import { stepper } from "./stepper";

const OUTCOMES: [string, string, string][] = [
  ["r", "Recovery", "it wakes up and lives on"],
  ["a", "Acute", "recorded under anaesthesia, then killed"],
  ["n", "Non-recovery", "it did not wake up"],
];

/** `over`: it has ended; where the focus goes then. */
export function endDialog(desk: Desk, over: () => void): { open(): void } {
  const template = (): string => desk.room.templates.find((one) => one.id === desk.view.template)?.outcome_type ?? "";
  let outcome = "r";
  const missing = el("ul", { class: "missing-list" });
  const none = el("p", { class: "status fine" }, "✓ All is said.");
  const outcomes = el("div", { class: "outcomes", role: "group", "aria-label": "How it ended" });
  const preview = el("ul", { class: "preview" });
  const fault = el("p", { class: "fault", role: "alert" });
  const implant = stepper({
    name: "end-implant",
    label: "Implant, with cement",
    unit: "g",
    step: 0.1,
    from: () => 1,
    least: 0,
    changed: (value) => {
      desk.write("implant_weight", value === null ? "" : String(value));
      weighed = value;
      show();
    },
  });
  let weighed: number | null = null;
  for (const [value, word, means] of OUTCOMES) {
    const choose = (): void => {
      outcome = value;
      show();
    };
    outcomes.append(el("button", { type: "button", class: "outcome", "data-outcome": value, "aria-pressed": "false", onclick: choose }, el("strong", {}, word), el("span", {}, means)));
  }
  const finish = el("button", { type: "button", class: "finish", id: "end-now" }, "End surgery");
  const back = el("button", { type: "button", class: "second" }, "Not yet");
  const dialog = el("dialog", { class: "end", "aria-labelledby": "end-title" }, el("h2", { id: "end-title" }, "End of the surgery"), outcomes, implant.node, el("div", {}, el("h3", {}, "Still to be said"), missing, none), el("div", {}, el("h3", {}, "What follows"), preview), fault, el("div", { class: "end-buttons" }, back, finish));
  document.body.append(dialog);
  back.addEventListener("click", () => dialog.close());
  finish.addEventListener("click", () => void end());

  const show = (): void => {
    const view: View = { ...desk.view, fields: { ...desk.view.fields, implant_weight: { value: weighed, base: null } } };
    for (const tap of outcomes.querySelectorAll<HTMLElement>("[data-outcome]")) tap.setAttribute("aria-pressed", String(tap.dataset.outcome === outcome));
    const left = missingAtEnd(view, outcome);
    missing.replaceChildren(...[...left].map(([field, words]) => el("li", { "data-field": field }, `${words}${field === "implant_weight" ? " (needed to end)" : ""}`)));
    none.hidden = left.size > 0;
    preview.replaceChildren(...consequences(view, outcome, weighed).map((words) => el("li", {}, words)));
    const blocked = left.has("implant_weight");
    finish.disabled = blocked;
    setText(fault, blocked ? "Something stays in the animal: say what it weighs, with − and + above." : "");
  };

  const end = async (): Promise<void> => {
    const body: Record<string, unknown> = { outcome_type: outcome };
    if (weighed !== null) body.implant_weight = weighed;
    const made = await desk.record("surgery.end", body, "Surgery ended");
    if (!made) return;
    dialog.close();
    over();
  };

  return {
    open() {
      outcome = String(desk.view.fields.outcome_type?.value || template() || "r");
      weighed = asNumber(desk.view.fields.implant_weight?.value);
      implant.set(weighed);
      show();
      dialog.showModal();
    },
  };
}

/** What ending it so would mean, in sentences. */
export function consequences(view: View, outcome: string, implant: number | null): string[] {
  const said: string[] = [];
  const days = outcome === "r" ? checkDays(new Date(), view.zone, view.postOpDays) : [];
  said.push(days.length ? `Checks on ${days.join(", ")}.` : "No checks: it does not recover.");
  const card = view.subject;
  const after = implant ?? view.implantBefore;
  const shift = after - view.implantBefore;
  if (Math.abs(shift) < 1e-9) said.push(`The implant weight stays ${plain(after)} g; expected and minimum weight do not change.`);
  else {
    const by = `${shift > 0 ? "up" : "down"} by ${plain(Math.abs(Number(shift.toFixed(3))))} g`;
    const numbers = card?.is_restricted && card.expected_g !== null && card.min_g !== null ? `: expected ${card.expected_g.toFixed(1)} → ${(card.expected_g + shift).toFixed(1)} g, minimum ${card.min_g.toFixed(1)} → ${(card.min_g + shift).toFixed(1)} g` : "";
    said.push(`Implant ${plain(view.implantBefore)} → ${plain(after)} g: reference and minimum weight go ${by}${numbers}.`);
  }
  if (card && card.weight_g && implant && implant >= 0.2 * card.weight_g) said.push(`▲ ${plain(implant)} g is ${Math.round((100 * implant) / card.weight_g)} % of the body weight: this will be asked back.`);
  return said;
}
