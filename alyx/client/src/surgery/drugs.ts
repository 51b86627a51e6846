/** Drugs: the volume to draw up stands on the button, its formula below it. */

import { el } from "../dom";
import { uuid } from "../ids";
import type { Desk, Panel } from "./desk";
import { hourOf, keyed, panel, setText } from "./desk";
import { plain, volumeOf } from "./dose";
import type { View } from "./fold";
import { asNumber } from "./missing";
import { type Stepper, stepper } from "./stepper";
import type { Drug } from "./types";

interface Offered {
  drug: Drug;
  dose: number | null;
  percent: number | null;
  route: string;
}

export function weightForDose(view: View): { grams: number | null; from: string } {
  const before = asNumber(view.fields.weight_before?.value);
  if (before) return { grams: before, from: "weighed before the surgery" };
  const last = view.subject?.weight_g ?? null;
  return { grams: last, from: last ? `last weighed ${(view.subject?.weighed ?? "").slice(0, 10)}` : "never weighed" };
}

export function drugsPanel(desk: Desk): Panel {
  const list = el("div", { class: "drugs-list" });
  const basis = el("p", { class: "quiet basis" });
  const more = el("select", { id: "other-drug", "aria-label": "Another drug of the lab" });
  const node = panel("drugs", "Drugs", list, el("div", { class: "other" }, more), basis);
  const doses = new Map<string, number | null>();
  const steppers = new Map<string, Stepper>();
  const added = new Set<string>();
  more.append(el("option", { value: "" }, "Another drug …"), ...desk.room.drugs.map((one) => el("option", { value: one.id }, `${one.name}${one.concentration_mg_per_ml ? ` ${plain(one.concentration_mg_per_ml)} mg/mL` : ""}`)));
  more.addEventListener("change", () => {
    if (more.value) added.add(more.value);
    more.value = "";
    panelOf.show(desk.view);
  });
  const panelOf: Panel = {
    node,
    show(view) {
      const weight = weightForDose(view);
      setText(basis, weight.grams ? `Volumes for ${plain(weight.grams)} g, ${weight.from}.` : "Without a weight there is no volume: enter the weight before.");
      keyed(
        list,
        offered(desk, view, added),
        (one) => one.drug.id,
        (one) => {
          const dosed = stepper({
            name: `dose-${one.drug.id}`,
            label: "Dose",
            unit: one.percent !== null ? "%" : "mg/kg",
            step: one.percent !== null ? 0.25 : nice(one.dose),
            least: 0,
            changed: (value) => {
              doses.set(one.drug.id, value);
              panelOf.show(desk.view);
            },
          });
          steppers.set(one.drug.id, dosed);
          doses.set(one.drug.id, one.percent ?? one.dose);
          const give = el("button", { type: "button", class: "give" }, el("span", { class: "give-name" }), el("strong", { class: "give-volume" }), el("span", { class: "tap-note" }));
          give.addEventListener("click", () => void given(desk, one, doses.get(one.drug.id) ?? null));
          return el("div", { class: "drug", "data-drug": one.drug.name }, give, dosed.node, el("p", { class: "formula", "aria-live": "polite" }));
        },
        (row, one) => {
          const dose = doses.get(one.drug.id) ?? null;
          steppers.get(one.drug.id)?.set(dose);
          const volume = one.percent === null ? volumeOf(dose, weight.grams, one.drug.concentration_mg_per_ml) : undefined;
          const last = view.drugs.filter((done) => done.drug === one.drug.id).at(-1);
          const over = one.percent === null && dose !== null && one.drug.max_dose_mg_per_kg !== null && dose > one.drug.max_dose_mg_per_kg;
          setText(row.querySelector(".give-name"), `${one.drug.name} ${dose === null ? "" : `${plain(dose)} ${one.percent === null ? "mg/kg" : "%"}`} ${one.route}`);
          setText(row.querySelector(".give-volume"), volume ? `${volume.ml.toFixed(2)} mL` : one.percent === null ? "no volume" : "Give");
          setText(row.querySelector(".tap-note"), last ? `✓ ${hourOf(last.at, view.zone)}` : "");
          row.querySelector(".give")?.classList.toggle("done", last !== undefined);
          const why = one.drug.concentration_mg_per_ml ? "" : "the drug has no concentration: ask whoever keeps the lab's list";
          const words = over ? `▲ above the highest dose, ${plain(one.drug.max_dose_mg_per_kg ?? 0)} mg/kg; ` : "";
          setText(row.querySelector(".formula"), words + (volume?.explained ?? (one.percent === null ? why : "")));
          row.querySelector(".formula")?.classList.toggle("over", over);
        },
      );
    },
  };
  return panelOf;
}

function offered(desk: Desk, view: View, added: Set<string>): Offered[] {
  const template = desk.room.templates.find((one) => one.id === view.template);
  const planned = template?.drugs ?? [];
  const given = view.drugs.map((one) => one.drug);
  const usual = planned.length ? [] : desk.room.drugs.filter((one) => one.use === "analgesic" || one.use === "anti-inflammatory").map((one) => one.id);
  const keys = [...new Set([...planned.map((one) => one.drug), ...usual, ...given, ...added])];
  return keys.flatMap((key) => {
    const drug = desk.room.drugs.find((one) => one.id === key);
    const said = planned.find((one) => one.drug === key);
    if (!drug) return [];
    return [{ drug, dose: said?.dose_mg_per_kg ?? drug.dose_mg_per_kg, percent: said?.dose_percent ?? drug.dose_percent, route: said?.route ?? drug.route }];
  });
}

/** A step that fits the dose. */
function nice(dose: number | null): number {
  if (!dose || dose >= 4) return dose && dose >= 40 ? 5 : 0.5;
  return dose >= 0.4 ? 0.05 : 0.01;
}

async function given(desk: Desk, { drug, percent, route }: Offered, dose: number | null): Promise<void> {
  const weight = weightForDose(desk.view).grams;
  const volume = percent === null ? volumeOf(dose, weight, drug.concentration_mg_per_ml) : undefined;
  const values: Record<string, string | number> = { drug: drug.id, route };
  if (percent !== null && dose) values.dose_percent = dose;
  if (percent === null && dose) values.dose_mg_per_kg = dose;
  if (percent === null && weight) values.weight_g = weight;
  if (drug.concentration_mg_per_ml) values.concentration_mg_per_ml = drug.concentration_mg_per_ml;
  if (volume) values.volume_ml = volume.ml;
  await desk.record("surgery.drug", { id: uuid(), values }, `${drug.name}${volume ? ` ${volume.ml.toFixed(2)} mL` : ""}`);
}
