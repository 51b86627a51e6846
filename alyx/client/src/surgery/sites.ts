/** Sites on the skull: planned and done, their coordinates from bregma, one tap when it is done. */

import { el } from "../dom";
import { uuid } from "../ids";
import type { Desk, Panel } from "./desk";
import { hourOf, keyed, panel, setText } from "./desk";
import { plain, signed } from "./dose";
import type { View } from "./fold";
import { type Mark, skull } from "./skull";
import { type Stepper, stepper } from "./stepper";
import { PLACED } from "./steps";
import type { Values } from "./types";

interface Site {
  id: string;
  part: string;
  values: Values;
  done: boolean;
  at: string | null;
}

interface Column {
  name: string;
  label: string;
  unit: string;
  step: number;
  least?: number;
}

const AP: Column = { name: "ap_mm", label: "AP", unit: "mm", step: 0.1 };
const ML: Column = { name: "ml_mm", label: "ML", unit: "mm", step: 0.1 };
const DV: Column = { name: "dv_mm", label: "DV", unit: "mm", step: 0.1 };
const COLUMNS: Record<string, Column[]> = {
  craniotomy: [AP, ML, { name: "size_mm", label: "Size", unit: "mm", step: 0.1, least: 0.1 }],
  injection: [AP, ML, DV, { name: "volume_nl", label: "Volume", unit: "nL", step: 10, least: 10 }],
  implant: [AP, ML, { name: "depth_mm", label: "Depth", unit: "mm", step: 0.1, least: 0.1 }],
};
/** Part → the column that names a record, its label, and where the records are. */
const NAMED: Record<string, [string, string, "probe_models" | "virus_batches"]> = {
  implant: ["probe_model", "Model", "probe_models"],
  injection: ["virus_batch", "Virus batch", "virus_batches"],
};
const NEW: [string, string, Values][] = [
  ["Craniotomy", "craniotomy", { size_mm: 2 }],
  ["Injection", "injection", {}],
  ["Probe", "implant", { kind: "probe" }],
  ["Fibre", "implant", { kind: "fibre" }],
];

export function sitesOf(view: View): Site[] {
  const done = view.parts.filter((part) => PLACED.has(part.part));
  const planned = view.plan.filter((item) => PLACED.has(item.part));
  const sites = planned.map((item): Site => {
    const { id, part, entry: _entry, ...values } = item;
    const made = done.find((one) => one.id === id);
    return { id, part, values: made?.values ?? values, done: made !== undefined, at: made?.at ?? null };
  });
  const more = done.filter((one) => !planned.some((item) => item.id === one.id));
  return [...sites, ...more.map((one): Site => ({ id: one.id, part: one.part, values: one.values, done: true, at: one.at }))];
}

export function nameOf(part: string, values: Values): string {
  const kind = part === "implant" ? String(values.kind ?? "implant") : part;
  return [kind, values.name, values.target].filter(Boolean).join(" ");
}

export function placeOf(values: Values): string {
  const said: string[] = [];
  if (typeof values.ap_mm === "number") said.push(`AP ${signed(values.ap_mm)}`);
  if (typeof values.ml_mm === "number") said.push(`ML ${signed(values.ml_mm)}`);
  if (typeof values.dv_mm === "number") said.push(`DV ${signed(values.dv_mm)}`);
  const mm = said.length ? `${said.join(" ")} mm` : "";
  const depth = typeof values.depth_mm === "number" ? `${plain(values.depth_mm)} mm deep` : "";
  const size = typeof values.size_mm === "number" ? `⌀ ${plain(values.size_mm)} mm` : "";
  const volume = typeof values.volume_nl === "number" ? `${plain(values.volume_nl)} nL` : "";
  return [mm, depth, size, volume].filter(Boolean).join(", ");
}

export function sitesPanel(desk: Desk): Panel {
  let selected = "";
  const list = el("div", { class: "sites-list" });
  const picture = skull((ap, ml) => {
    const site = sitesOf(desk.view).find((one) => one.id === selected);
    if (!site) return;
    write(desk, site, "ap_mm", ap);
    write(desk, site, "ml_mm", ml);
  });
  const hint = el("p", { class: "quiet" }, "From bregma: AP + is anterior, ML + is right, DV + is down. With a site open, a tap on the skull moves it.");
  const add = el("div", { class: "chips add", role: "group", "aria-label": "Plan another site" });
  for (const [label, part, first] of NEW) {
    const plan = async (): Promise<void> => {
      selected = uuid();
      await desk.record("surgery.plan", { id: selected, part, values: { reference: "bregma", ap_mm: 0, ml_mm: 0, ...first } }, `${label} planned`);
    };
    add.append(el("button", { type: "button", class: "chip", onclick: () => void plan() }, `+ ${label}`));
  }
  const node = panel("sites", "Sites", el("div", { class: "sites-body" }, el("figure", {}, picture.node), el("div", {}, list, add)), hint);
  const open = new Map<string, Map<string, Stepper>>();
  const show = (view: View): void => {
    const sites = sitesOf(view);
    keyed(
      list,
      sites,
      (site) => site.id,
      (site) => {
        const tell = el("button", { type: "button", class: "site-done" }, "Done");
        tell.addEventListener("click", () => void done(desk, site.id));
        const edit = el("button", { type: "button", class: "site-open", "aria-expanded": "false" }, el("span", { class: "site-number" }), el("span", { class: "site-words" }, el("strong", {}), el("span", { class: "site-place" })));
        edit.addEventListener("click", () => {
          selected = selected === site.id ? "" : site.id;
          show(desk.view);
        });
        const drop = el("button", { type: "button", class: "quiet drop" }, "Take out of the plan");
        drop.addEventListener("click", () => {
          selected = "";
          void desk.record("surgery.plan", { id: site.id, part: site.part, values: {}, remove: true }, "Site taken out of the plan");
        });
        const steppers = new Map<string, Stepper>();
        const columns = COLUMNS[site.part] ?? [];
        for (const column of columns) {
          const changed = (value: number | null): void => {
            const now = sitesOf(desk.view).find((one) => one.id === site.id);
            if (now && value !== null) write(desk, now, column.name, value);
          };
          steppers.set(column.name, stepper({ ...column, name: `${column.name}-${site.id}`, changed }));
        }
        open.set(site.id, steppers);
        const named = chooser(desk, site);
        const body = el("div", { class: "site-edit", hidden: true }, ...[...steppers.values()].map((one) => one.node), named, drop);
        return el("div", { class: "site" }, edit, tell, body);
      },
      (row, site) => {
        const number = sites.indexOf(site) + 1;
        setText(row.querySelector(".site-number"), String(number));
        setText(row.querySelector("strong"), nameOf(site.part, site.values));
        setText(row.querySelector(".site-place"), placeOf(site.values) || "no coordinates yet");
        const tell = row.querySelector<HTMLButtonElement>(".site-done");
        setText(tell, site.done ? `✓ ${hourOf(site.at, view.zone)}` : "Done");
        if (tell) tell.disabled = site.done;
        row.classList.toggle("done", site.done);
        const body = row.querySelector<HTMLElement>(".site-edit");
        if (body) body.hidden = selected !== site.id;
        row.querySelector(".site-open")?.setAttribute("aria-expanded", String(selected === site.id));
        const chosen = row.querySelector<HTMLSelectElement>(".site-edit select");
        if (chosen && document.activeElement !== chosen) chosen.value = String(site.values[chosen.name] ?? "");
        const drop = row.querySelector<HTMLElement>(".drop");
        if (drop) drop.hidden = site.done;
        for (const [name, one] of open.get(site.id) ?? []) one.set(typeof site.values[name] === "number" ? (site.values[name] as number) : null);
      },
    );
    picture.show(
      sites.flatMap((site, at): Mark[] =>
        typeof site.values.ap_mm === "number" && typeof site.values.ml_mm === "number"
          ? [{ id: site.id, number: at + 1, ap: site.values.ap_mm, ml: site.values.ml_mm, done: site.done, selected: site.id === selected, label: nameOf(site.part, site.values) }]
          : [],
      ),
    );
  };
  return { node, show };
}

/** Which probe, which virus: from the lab's lists. */
function chooser(desk: Desk, { id, part }: Site): HTMLElement | null {
  const [column, label, records] = NAMED[part] ?? [];
  if (!column || !label || !records || !desk.room[records].length) return null;
  const select = el("select", { name: column, "aria-label": label }, el("option", { value: "" }, `${label}: not said`), ...desk.room[records].map((one) => el("option", { value: one.id }, one.name)));
  select.addEventListener("change", () => {
    const base = String(sitesOf(desk.view).find((one) => one.id === id)?.values[column] ?? "");
    const body = { id, part, column, field: `${id}.${column}`, value: select.value, base };
    void desk.record("surgery.column", body, `${label}: ${select.selectedOptions[0]?.textContent ?? ""}`);
  });
  return select;
}

function write(desk: Desk, site: Site, column: string, value: number): void {
  const before = site.values[column];
  const more = { id: site.id, part: site.part, column };
  desk.journal.write("surgery.column", desk.id, `${site.id}.${column}`, String(value), typeof before === "number" ? String(before) : "", more);
}

async function done(desk: Desk, id: string): Promise<void> {
  const site = sitesOf(desk.view).find((one) => one.id === id);
  if (!site || site.done) return;
  const values = Object.fromEntries(Object.entries(site.values).filter(([, value]) => value !== null));
  await desk.record("surgery.part", { id, part: site.part, values }, `${nameOf(site.part, site.values)} done`);
}
