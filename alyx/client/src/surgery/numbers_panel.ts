/** Weights: before, of the implant, after. */

import { el } from "../dom";
import type { Desk, Panel } from "./desk";
import { panel } from "./desk";
import { asNumber } from "./missing";
import { type Stepper, stepper } from "./stepper";
import { mark } from "../states";

const FIELDS = [
  { field: "weight_before", label: "Body weight before", step: 0.1 },
  { field: "implant_weight", label: "Implant, with cement", step: 0.1 },
  { field: "weight_after", label: "Body weight after", step: 0.1 },
];

export function numbersPanel(desk: Desk): Panel {
  const steppers = new Map<string, Stepper>();
  for (const { field, label, step } of FIELDS) {
    const changed = (value: number | null): void => desk.write(field, value === null ? "" : String(value));
    const from = (): number => (field === "implant_weight" ? 1 : (desk.view.subject?.weight_g ?? 25));
    steppers.set(field, stepper({ name: `field-${field}`, label, unit: "g", step, from, least: 0, changed }));
  }
  return {
    node: panel("numbers", "Weights", el("div", { class: "steppers" }, ...[...steppers.values()].map((one) => one.node))),
    show(view) {
      for (const [field, one] of steppers) {
        one.set(asNumber(view.fields[field]?.value));
        const entry = view.fields[field]?.entry;
        if (entry) mark(one.node, entry);
      }
    },
  };
}
