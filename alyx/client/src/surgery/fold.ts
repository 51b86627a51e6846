/** The surgery as this tablet sees it: what the server said last, and over it what is in the journal and not yet in that. Pure. */

import type { Entry } from "../types";
import type { Card, DrugItem, EventItem, FieldValue, Happened, PartItem, PhotoItem, PlanItem, Room, Surgery, Values } from "./types";

export interface Field {
  value: FieldValue;
  /** As the server has it, so far as this tablet knows. */
  base: FieldValue;
  entry?: Entry;
}

type Own = { entry?: Entry };

export interface Change {
  field: string;
  from: FieldValue;
  to: FieldValue;
  at: string;
  entry: Entry;
}

export interface View {
  id: string;
  zone: string;
  subject: Card | undefined;
  nickname: string;
  template: string | null;
  templateName: string;
  postOpDays: number[];
  known: boolean;
  withdrawn: boolean;
  may: boolean;
  startedAt: string | null;
  endedAt: string | null;
  start: Entry | undefined;
  end: Entry | undefined;
  plan: (PlanItem & Own)[];
  fields: Record<string, Field>;
  events: (EventItem & Own)[];
  drugs: (DrugItem & Own)[];
  parts: (PartItem & Own)[];
  photos: (PhotoItem & Own & { sha256?: string })[];
  changes: Change[];
  checks: { due_on: string; done: boolean }[];
  implantBefore: number;
  /** What could not be applied or is asked back. */
  open: Entry[];
}

/** `entries`: the whole journal, in order. `skewMs`: how much the server's clock is ahead. */
export function fold(id: string, room: Room | undefined, server: Surgery | undefined, entries: Entry[], skewMs = 0): View {
  const mine = entries.filter((entry) => entry.about === id && entry.kind.startsWith("surgery."));
  const undos = new Map(entries.filter(undoes).map((entry) => [String(entry.body.of), entry]));
  const view = base(id, room, server, mine, skewMs);
  const applied = new Set(server?.applied);
  const absorbed = (entry: Entry): boolean => applied.has(entry.key);
  for (const entry of mine) {
    if (entry.ended === "discarded") continue;
    const undo = undos.get(entry.key);
    if (undo || entry.ended === "undone") {
      if (absorbed(entry) && !(undo && absorbed(undo)) && undo) take(view, entry);
      continue;
    }
    if (entry.state === "asked" || entry.state === "kept") {
      view.open.push(entry);
      continue;
    }
    if (absorbed(entry)) own(view, entry);
    else put(view, room, entry, skewMs);
  }
  const order = (one: { at: string | null }, other: { at: string | null }): number => Date.parse(one.at ?? "") - Date.parse(other.at ?? "");
  for (const list of [view.events, view.drugs, view.parts, view.photos] as { at: string | null }[][]) list.sort(order);
  return view;
}

/** Confirmed, and nobody has said yet that the server's state has them. */
export function unsure(id: string, server: Surgery | undefined, entries: Entry[]): string[] {
  const applied = new Set(server?.applied);
  const mine = new Set(entries.filter((entry) => entry.about === id).map((entry) => entry.key));
  const about = (entry: Entry): boolean => entry.about === id || mine.has(String(entry.body.of));
  return entries.filter((entry) => entry.state === "confirmed" && about(entry) && !applied.has(entry.key)).map((entry) => entry.key);
}

function undoes(entry: Entry): boolean {
  return entry.kind === "journal.undo" && entry.state !== "kept" && entry.state !== "asked";
}

export function madeAt(entry: Entry, skewMs: number): string {
  const said = typeof entry.body.happened_at === "string" ? entry.body.happened_at : undefined;
  return said ?? new Date(Date.parse(entry.made_at) + skewMs).toISOString();
}

function base(id: string, room: Room | undefined, server: Surgery | undefined, mine: Entry[], skewMs: number): View {
  const start = mine.find((entry) => entry.kind === "surgery.start");
  const body = start?.body ?? {};
  const subject = server?.subject ?? room?.animals.find((one) => one.id === body.subject);
  const template = room?.templates.find((one) => one.id === (server?.template ?? body.template));
  const first: Record<string, FieldValue> = server?.fields ?? {
    narrative: template?.narrative ?? "",
    implant_weight: template?.implant_weight ?? null,
    anaesthetic: template?.anaesthetic ?? "",
    procedures: template?.procedures ?? [],
    users: room ? [room.user.id] : [],
    outcome_type: "",
    weight_before: null,
    weight_after: null,
  };
  const zone = server?.zone ?? room?.labs.find((lab) => lab.id === subject?.lab)?.zone ?? "UTC";
  return {
    id,
    zone,
    subject,
    nickname: subject?.nickname ?? String(body.nickname ?? ""),
    template: template?.id ?? server?.template ?? null,
    templateName: template?.name ?? server?.template_name ?? "",
    postOpDays: server?.post_op_days ?? template?.post_op_days ?? [1, 2, 3],
    known: server !== undefined || start !== undefined,
    withdrawn: server?.withdrawn ?? false,
    may: server?.may ?? true,
    startedAt: (server?.fields.start_time as string | null | undefined) ?? (start ? madeAt(start, skewMs) : null),
    endedAt: (server?.fields.end_time as string | null | undefined) ?? null,
    start,
    end: undefined,
    plan: structuredClone(server?.plan ?? (body.plan as PlanItem[] | undefined) ?? []),
    fields: Object.fromEntries(Object.entries(first).map(([name, value]) => [name, { value, base: value }])),
    events: structuredClone(server?.events ?? []),
    drugs: structuredClone(server?.drugs ?? []),
    parts: structuredClone(server?.parts ?? []),
    photos: structuredClone(server?.photos ?? []),
    changes: [],
    checks: server?.checks ?? [],
    implantBefore: server?.implant_before_g ?? subject?.implant_g ?? 0,
    open: [],
  };
}

function upsert<T extends { id: string }>(list: T[], item: T): void {
  const at = list.findIndex((one) => one.id === item.id);
  if (at < 0) list.push(item);
  else list[at] = { ...list[at], ...item };
}

function without<T extends { id: string }>(list: T[], id: string): T[] {
  return list.filter((one) => one.id !== id);
}

/** What an entry does, over what is there. */
function put(view: View, room: Room | undefined, entry: Entry, skewMs: number): void {
  const body = entry.body;
  const at = madeAt(entry, skewMs);
  const id = String(body.id ?? "");
  const values = (body.values ?? {}) as Values;
  switch (entry.kind) {
    case "surgery.field": {
      const name = String(body.field);
      const before = view.fields[name];
      const value = (entry.answer?.result.value ?? body.value) as FieldValue;
      view.fields[name] = { value, base: before?.base ?? null, entry };
      if (entry.state === "confirmed") view.fields[name].base = value;
      note(view, entry, at);
      break;
    }
    case "surgery.event":
      if (body.base) {
        const there = view.events.find((one) => one.id === id);
        if (there) Object.assign(there, pick(body, ["what", "value", "unit"]), { entry });
      } else {
        upsert(view.events, { id, at, what: String(body.what), value: num(body.value), unit: String(body.unit ?? ""), user: "me", entry });
      }
      break;
    case "surgery.drug": {
      const drug = room?.drugs.find((one) => one.id === values.drug);
      const shown = { name: drug?.name ?? "drug", use: drug?.use ?? "", route: drug?.route ?? "SC", user: "me" };
      const empty = { dose_mg_per_kg: null, dose_percent: null, weight_g: null, concentration_mg_per_ml: null, volume_ml: null };
      upsert(view.drugs, { ...empty, ...shown, ...(values as object), id, at, entry } as DrugItem & Own);
      break;
    }
    case "surgery.part": {
      const there = view.parts.find((one) => one.id === id);
      if (body.base && there) Object.assign(there, { values: { ...there.values, ...values }, entry });
      else if (!body.base) upsert(view.parts, { id, part: String(body.part), at, values, user: "me", entry });
      break;
    }
    case "surgery.plan":
      if (body.remove) view.plan = without(view.plan, id);
      else upsert(view.plan, { ...values, id, part: String(body.part), entry } as PlanItem & Own);
      break;
    case "surgery.column": {
      const column = String(body.column);
      const said = entry.answer?.result.value ?? body.value;
      const value = typeof said === "string" && /^[+-]?[0-9.,]+$/.test(said.trim()) ? Number(said.trim().replace(",", ".")) : (said as string | number | null);
      const made = view.parts.find((one) => one.id === id);
      if (made) Object.assign(made, { values: { ...made.values, [column]: value } });
      const item = view.plan.find((one) => one.id === id);
      if (item && !made) item[column] = value === "" ? null : value;
      break;
    }
    case "surgery.photo": {
      const note = String(entry.answer?.result.note ?? entry.key);
      const url = String(entry.answer?.result.url ?? "");
      upsert(view.photos, { id: note, at, url, text: String(body.text ?? ""), user: "me", entry, sha256: String(body.picture) });
      break;
    }
    case "surgery.take":
      view.events = without(view.events, id);
      view.drugs = without(view.drugs, id);
      view.parts = without(view.parts, id);
      view.photos = without(view.photos, id);
      break;
    case "surgery.time":
      move(view, entry, String(body.at));
      note(view, entry, at);
      break;
    case "surgery.end":
      view.endedAt = at;
      view.end = entry;
      for (const name of ["outcome_type", "implant_weight", "weight_after"])
        if (name in body) view.fields[name] = { value: body[name] as FieldValue, base: view.fields[name]?.base ?? null, entry };
      break;
    default:
      break;
  }
}

/** The server has it: only whose tap it was is added, so that it can be taken back here. */
function own(view: View, entry: Entry): void {
  if (entry.kind === "surgery.time") return note(view, entry, entry.answer?.at ?? entry.made_at);
  if (["surgery.column", "surgery.plan", "surgery.take"].includes(entry.kind)) return; // no tap that made the line
  const id = entry.kind === "surgery.photo" ? entry.answer?.result.note : entry.body.id;
  const lists: (Happened & Own)[][] = [view.events, view.drugs, view.photos, view.parts as (Happened & Own)[]];
  for (const list of lists) for (const item of list) if (item.id === id) item.entry = entry;
  if (entry.kind === "surgery.end" && view.endedAt) view.end = entry;
  if (entry.kind === "surgery.field") note(view, entry, entry.answer?.at ?? entry.made_at);
}

/** The server has it, and here it was taken back since. */
function take(view: View, entry: Entry): void {
  const id = String(entry.kind === "surgery.photo" ? entry.answer?.result.note : entry.body.id);
  if (entry.kind === "surgery.field") {
    const name = String(entry.body.field);
    const before = entry.answer?.result.before as FieldValue;
    view.fields[name] = { value: before, base: view.fields[name]?.base ?? null };
  } else if (entry.kind === "surgery.time") {
    move(view, entry, String(entry.answer?.result.before ?? entry.body.base));
  } else if (entry.kind === "surgery.end") {
    view.endedAt = null;
  } else if (!entry.body.base) {
    view.events = without(view.events, id);
    view.drugs = without(view.drugs, id);
    view.parts = without(view.parts, id);
    view.photos = without(view.photos, id);
  }
}

/** The line of a `surgery.time` was at another time. */
function move(view: View, entry: Entry, at: string): void {
  const { part, id } = entry.body;
  if (part === "start") view.startedAt = at;
  else if (part === "end") view.endedAt = view.endedAt && at;
  const lists: (Own & { id: string; at: string | null })[][] = [view.events, view.drugs, view.parts];
  for (const list of lists) for (const item of list) if (item.id === id) item.at = at;
}

function note(view: View, entry: Entry, at: string): void {
  if (entry.kind === "surgery.time") {
    view.changes.push({ field: "time", from: String(entry.body.base), to: String(entry.body.at), at, entry });
    return;
  }
  const { field, base: from, value: to } = entry.body;
  if (field === "narrative" || entry.tab !== undefined) return;
  view.changes.push({ field: String(field), from: from as FieldValue, to: to as FieldValue, at, entry });
}

function pick(body: Record<string, unknown>, names: string[]): Record<string, unknown> {
  return Object.fromEntries(names.filter((name) => name in body).map((name) => [name, body[name]]));
}

function num(value: unknown): number | null {
  return typeof value === "number" ? value : null;
}
