import assert from "node:assert/strict";
import { test } from "node:test";
import { drawnUp, plain, signed, stepped, volumeOf } from "../src/surgery/dose";
import { fold, unsure } from "../src/surgery/fold";
import { checkDays, missingAtEnd } from "../src/surgery/missing";
import { doubted, minutesOf, momentAt } from "../src/surgery/moment";
import type { Room, Surgery } from "../src/surgery/types";
import type { Entry } from "../src/types";

const ID = "11111111-1111-4111-8111-111111111111";
let seq = 0;

function entry(kind: string, body: Record<string, unknown>, more: Partial<Entry> = {}): Entry {
  seq += 1;
  const key = `key-${seq}`;
  return { key, kind, about: kind.startsWith("journal.") ? null : ID, body, made_at: `2026-03-09T10:00:${String(seq % 60).padStart(2, "0")}.000Z`, seq, user: "me", state: "local", ...more };
}

function done(made: Entry, result: Record<string, unknown> = {}): Entry {
  return { ...made, state: "confirmed", answer: { state: "done", result, message: "", fields: {}, at: made.made_at } };
}

const room = {
  user: { id: "u1", name: "anna" },
  labs: [{ id: "l1", name: "lab", zone: "Europe/London" }],
  animals: [{ id: "s1", nickname: "M1", lab: "l1", implant_g: 0.5 }],
  running: [],
  templates: [{ id: "t1", lab: "l1", name: "headplate", drugs: [], parts: [], events: [], procedures: ["p1"], implant_weight: 1.4, outcome_type: "", anaesthetic: "", narrative: "", post_op_days: [1, 2] }],
  drugs: [{ id: "d1", lab: null, name: "carprofen", use: "analgesic", route: "SC", concentration_mg_per_ml: 1, dose_mg_per_kg: 5, dose_percent: null, max_dose_mg_per_kg: 10 }],
} as unknown as Room;

function server(more: Partial<Surgery>): Surgery {
  return { applied: [], read_at: "", id: ID, zone: "Europe/London", withdrawn: false, subject: room.animals[0], template: "t1", template_name: "headplate", post_op_days: [1], plan: [], fields: { narrative: "", users: ["u1"], procedures: ["p1"], start_time: "2026-03-09T10:00:00Z", end_time: null, implant_weight: 1.4 }, events: [], drugs: [], parts: [], photos: [], checks: [], missing: {}, implant_before_g: 0, may: true, ...more } as Surgery;
}

const start = (): Entry => entry("surgery.start", { subject: "s1", nickname: "M1", template: "t1", plan: [{ id: "c1", part: "craniotomy", ap_mm: -2 }] });

test("a volume is what the server computes", () => {
  assert.deepEqual([volumeOf(5, 24, 1)?.ml, volumeOf(5, 25, 1)?.ml, volumeOf(0.1, 24, 0.03)?.ml], [0.12, 0.13, 0.08]);
  assert.equal(volumeOf(5, 24, 1)?.explained, "5 mg/kg × 24 g / 1000 / 1 mg/mL = 0.12 mL");
  for (const nothing of [null, 0, -1]) assert.equal(volumeOf(nothing, 24, 1), undefined);
  assert.deepEqual([drawnUp(0.125), drawnUp(0.1249), plain(0.30000000000000004)], [0.13, 0.12, "0.3"]);
});

test("steps leave no crumbs, signs are real ones", () => {
  assert.deepEqual([stepped(0.1, 0.2), stepped(1.4, -0.1), stepped(1.25, 0.1)], [0.3, 1.3, 1.35]);
  assert.deepEqual([signed(-2), signed(1.5), signed(0), signed(2.25)], ["−2.0", "+1.5", "0.0", "+2.25"]);
});

test("without the server all comes from the journal", () => {
  const view = fold(ID, room, undefined, [start(), entry("surgery.event", { id: "e1", what: "drilling", value: null, unit: "" }), entry("surgery.field", { field: "narrative", value: "ok", base: "" })]);
  assert.deepEqual([view.nickname, view.zone, view.plan.length, view.fields.implant_weight?.value], ["M1", "Europe/London", 1, 1.4]);
  assert.deepEqual([view.events.map((one) => one.what), view.fields.narrative?.value], [["drilling"], "ok"]);
});

test("what the server's state may not have yet is shown, and once it has it, only once", () => {
  const event = done(entry("surgery.event", { id: "e1", what: "drilling" }));
  const entries = [done(start()), event];
  assert.equal(fold(ID, room, server({}), entries).events.length, 1, "confirmed after the server was asked");
  const item = { id: "e1", at: "2026-03-09T10:00:00Z", what: "drilling", value: null, unit: "" };
  const known = server({ events: [item], applied: entries.map((one) => one.key) });
  assert.equal(fold(ID, room, known, entries).events.length, 1);
  assert.equal(fold(ID, room, known, entries).events[0]?.entry?.key, event.key, "it can be taken back here");
  assert.equal(fold(ID, room, server({ applied: known.applied }), entries).events.length, 0, "somebody else took it back");
});

test("an undo shows at once, before and after the server heard of it", () => {
  const event = done(entry("surgery.event", { id: "e1", what: "drilling" }));
  const undo = entry("journal.undo", { of: event.key });
  const item = { id: "e1", at: "2026-03-09T10:00:00Z", what: "drilling", value: null, unit: "" };
  const state = server({ events: [item], applied: [event.key] });
  assert.equal(fold(ID, room, state, [event, undo]).events.length, 0);
  const kept: Entry = { ...undo, state: "kept" };
  assert.equal(fold(ID, room, state, [event, kept]).events.length, 1, "an undo that was refused undoes nothing");
  const change = done(entry("surgery.field", { field: "implant_weight", value: "1.6", base: "1.4" }), { value: 1.6, before: 1.4 });
  const back = entry("journal.undo", { of: change.key });
  const weighed = server({ applied: [change.key], fields: { ...server({}).fields, implant_weight: 1.6 } });
  assert.equal(fold(ID, room, weighed, [change, back]).fields.implant_weight?.value, 1.4);
});

test("what is asked or kept changes nothing and is named", () => {
  const asked = entry("surgery.drug", { id: "g1", values: { drug: "d1" } }, { state: "asked" });
  const view = fold(ID, room, server({}), [asked]);
  assert.deepEqual([view.drugs.length, view.open.map((one) => one.key)], [0, [asked.key]]);
  assert.equal(fold(ID, room, server({}), [{ ...asked, ended: "discarded" }]).open.length, 0);
});

test("coordinates follow each other, planned and done", () => {
  const moved = entry("surgery.column", { id: "c1", part: "craniotomy", column: "ap_mm", value: "-2,5", base: "-2" });
  assert.equal(fold(ID, room, undefined, [start(), moved]).plan[0]?.ap_mm, -2.5);
  const made = entry("surgery.part", { id: "c1", part: "craniotomy", values: { ap_mm: -2 } });
  const after = entry("surgery.column", { id: "c1", part: "craniotomy", column: "ap_mm", value: "-2.1", base: "-2" });
  assert.equal(fold(ID, room, undefined, [start(), made, after]).parts[0]?.values.ap_mm, -2.1);
});

test("the server is asked for what is confirmed and not known to be in its state", () => {
  const [one, two, local] = [done(entry("surgery.event", { id: "e1", what: "a" })), done(entry("surgery.event", { id: "e2", what: "b" })), entry("surgery.event", { id: "e3", what: "c" })];
  const undo = done(entry("journal.undo", { of: one.key }));
  const elsewhere = done({ ...entry("surgery.event", { id: "e4", what: "d" }), about: "other" });
  assert.deepEqual(unsure(ID, server({ applied: [two.key] }), [one, two, local, undo, elsewhere]), [one.key, undo.key]);
});

test("what is missing at the end is what the server finds missing", () => {
  const bare = fold(ID, room, undefined, [entry("surgery.start", { subject: "s1", nickname: "M1", template: null, plan: [] })]);
  assert.deepEqual([...missingAtEnd(bare, "r").keys()], ["procedures", "drugs"]);
  const headplate = entry("surgery.part", { id: "h1", part: "headplate", values: {} });
  const drug = entry("surgery.drug", { id: "g1", values: { drug: "d1" } });
  const fixed = fold(ID, room, undefined, [entry("surgery.start", { subject: "s1", nickname: "M1", template: null, plan: [] }), headplate, drug]);
  assert.deepEqual([...missingAtEnd(fixed, "r").keys()], ["implant_weight"]);
  assert.deepEqual([...missingAtEnd(fixed, "n").keys()], []);
});

test("checks are on days of the lab's calendar", () => {
  assert.deepEqual(checkDays(new Date("2026-03-09T23:30:00Z"), "Europe/Berlin", [3, 1, 1]), ["2026-03-11", "2026-03-13"]);
});

test("a corrected time shows at once, goes back with its undo, and leaves the line's own undo alone", () => {
  const event = done(entry("surgery.event", { id: "e1", what: "drilling" }));
  const item = { id: "e1", at: "2026-03-09T10:20:00Z", what: "drilling", value: null, unit: "" };
  const time = entry("surgery.time", { part: "event", id: "e1", at: "2026-03-09T10:05:00Z", base: item.at, what: "drilling" });
  const old = server({ events: [item], applied: [event.key] });
  const moved = fold(ID, room, old, [event, time]);
  assert.deepEqual([moved.events[0]?.at, moved.changes[0]?.from, moved.changes[0]?.to], ["2026-03-09T10:05:00Z", item.at, "2026-03-09T10:05:00Z"]);
  const sent = done(time, { before: item.at });
  const known = server({ events: [{ ...item, at: "2026-03-09T10:05:00Z" }], applied: [event.key, time.key] });
  assert.equal(fold(ID, room, known, [event, sent]).events[0]?.entry?.key, event.key, "its undo takes the event back, not the time");
  const undo = entry("journal.undo", { of: time.key });
  assert.equal(fold(ID, room, known, [event, sent, undo]).events[0]?.at, item.at);
  assert.equal(fold(ID, room, old, [event, { ...time, state: "asked" }]).events[0]?.at, item.at, "what is asked changes nothing");
  const start = entry("surgery.time", { part: "start", id: ID, at: "2026-03-09T09:50:00Z", base: null, what: "Surgery started" });
  assert.equal(fold(ID, room, old, [start]).startedAt, "2026-03-09T09:50:00Z");
});

test("whose tap it was is not taken from a plan or a coordinate of the same part", () => {
  const part = { id: "c1", part: "craniotomy", at: null, values: {} };
  const plan = done(entry("surgery.plan", { id: "c1", part: "craniotomy", values: {} }));
  const column = done(entry("surgery.column", { id: "c1", part: "craniotomy", column: "ap_mm", value: "1", base: "" }));
  const view = fold(ID, room, server({ parts: [part], applied: [plan.key, column.key] }), [plan, column]);
  assert.equal(view.parts[0]?.entry, undefined, "somebody else did it: it is taken back, not the plan");
});

test("another's photo is taken back", () => {
  const photo = { id: "n1", at: "2026-03-09T10:00:00Z", url: "/media/x.jpg", text: "", user: "ben" };
  assert.equal(fold(ID, room, server({ photos: [photo] }), [entry("surgery.take", { part: "photo", id: "n1" })]).photos.length, 0);
});

test("a time of the day is the moment that fits", () => {
  assert.deepEqual(["14:03", "9:05", "1403", "14.03", " 0:00 ", "24:00", "12:60", "12", "", "x"].map(minutesOf), [843, 545, 843, 843, 0, undefined, undefined, undefined, undefined, undefined]);
  const at = (said: string, near: string, from: string, until: string, zone = "Europe/London"): string => new Date(momentAt(minutesOf(said) ?? -1, zone, Date.parse(near), Date.parse(from), Date.parse(until))).toISOString();
  assert.equal(at("14:03", "2026-07-09T13:30:00Z", "2026-07-09T09:00:00Z", "2026-07-09T15:00:00Z"), "2026-07-09T13:03:00.000Z", "summer time");
  assert.equal(at("23:50", "2026-03-10T00:10:00Z", "2026-03-09T22:00:00Z", "2026-03-10T01:00:00Z"), "2026-03-09T23:50:00.000Z", "before midnight");
  assert.equal(at("21:30", "2026-03-09T09:00:00Z", "2026-03-09T08:00:00Z", "2026-03-09T22:00:00Z"), "2026-03-09T21:30:00.000Z", "not yesterday's, which is nearer");
  assert.equal(at("08:00", "2026-03-09T10:00:00Z", "2026-03-09T08:00:30Z", "2026-03-09T11:00:00Z"), "2026-03-09T08:00:00.000Z", "the minute of the start");
  assert.equal(at("03:15", "2026-03-29T01:30:00Z", "2026-03-28T22:00:00Z", "2026-03-29T03:00:00Z", "Europe/Berlin"), "2026-03-29T01:15:00.000Z", "the hour after the clocks change");
});

test("what the server would ask about is said before", () => {
  const [start, now] = [Date.parse("2026-03-09T10:00:40Z"), Date.parse("2026-03-09T11:00:00Z")];
  const says = (kind: string, at: string): string => doubted(kind, Date.parse(at), start, now);
  assert.deepEqual([says("event", "2026-03-09T10:00:00Z"), says("event", "2026-03-09T09:59:00Z"), says("start", "2026-03-09T09:00:00Z"), says("event", "2026-03-09T11:05:00Z")], ["", "before the start of the surgery", "", "in the future"]);
});
