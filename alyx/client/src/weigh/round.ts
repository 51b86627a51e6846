// The state of a round: what the server knew, and what this tablet's journal says since. Nothing is kept here: after a reload the
// same is worked out again from the same two.
import type { Entry } from "../journal";
import type { Animal, RoundData, Stored } from "./data";
import { weightIsAbsurd, weightJumps } from "./plausible";
import { type Case, judge, type Numbers, type Rules, withWater, withWeight } from "./rules";
import { wallAt } from "./times";

export const WEIGHT = "weighing.weight";
export const WATER = "weighing.water";

export interface Row {
  animal: Animal;
  /** The weight that stands for today: this tablet's last one, else the server's. */
  weight: { g: number; by: string | null; at_wall: string; entry?: Entry } | null;
  /** This tablet's entries about it today that were not taken back, the oldest first. */
  weights: Entry[];
  waters: Entry[];
  /** What is asked about, and what could not be applied. */
  asked: { entry: Entry; reason: string }[];
  kept: { entry: Entry; reason: string }[];
  case: Case;
  numbers: Numbers;
  isWeighed: boolean;
}

export interface State {
  rows: Row[];
  weighed: number;
  asks: number;
  last: Entry | undefined;
}

/** The round at an instant of the server's clock. `entries`: all of the journal, in order; the tablet's clock is `skew_ms` behind. */
export function stateOf(data: RoundData, entries: Entry[], now: Date, skew_ms = 0): State {
  const over = new Set<string>();
  const right = new Set<string>();
  for (const one of entries) {
    const of = typeof one.body["of"] === "string" ? one.body["of"] : "";
    if (of && one.state !== "kept" && (one.kind === "journal.undo" || one.kind === "journal.discard")) over.add(of);
    if (of && one.kind === "journal.confirm" && one.state !== "kept" && one.state !== "asked") right.add(of);
  }
  const live = entries.filter((one) => (one.kind === WEIGHT || one.kind === WATER) && !over.has(one.key) && !isEnded(one));
  const rows = data.animals.map((animal) => rowOf(animal, live.filter((one) => one.about === animal.id), right, data, now, skew_ms));
  return {
    rows,
    weighed: rows.filter((row) => row.isWeighed).length,
    asks: rows.filter((row) => row.asked.length > 0 || row.kept.length > 0).length,
    last: rows.flatMap((row) => [...row.weights, ...row.waters, ...row.asked.map((one) => one.entry)]).sort((one, other) => one.seq - other.seq).at(-1),
  };
}

/** Undone or discarded elsewhere: the server's answer says so. */
function isEnded(entry: Entry): boolean {
  const ended = entry.ended ?? entry.answer?.result["ended"];
  return ended === "undone" || ended === "discarded";
}

/** When it was typed, by the wall clock of the animal's lab. */
function wallOf(entry: Entry, animal: Animal, skew_ms: number): string {
  return wallAt(new Date(Date.parse(entry.made_at) + skew_ms), animal.zone);
}

function rowOf(animal: Animal, entries: Entry[], right: Set<string>, data: RoundData, now: Date, skew_ms: number): Row {
  const today = wallAt(now, animal.zone).slice(0, 10);
  const mine = entries.filter((one) => wallOf(one, animal, skew_ms).slice(0, 10) === today);
  const asked: Row["asked"] = [];
  const kept: Row["kept"] = [];
  const standing: Entry[] = [];
  let previous = animal.last;
  for (const entry of mine) {
    const isKnown = isStored(animal, entry);
    if (entry.state === "kept") {
      kept.push({ entry, reason: entry.answer?.message ?? "could not be applied" });
    } else if (entry.state === "asked" && !right.has(entry.key)) {
      asked.push({ entry, reason: entry.answer?.message ?? "is it right?" });
    } else if (entry.state !== "confirmed" && !entry.confirmed && !right.has(entry.key) && !isKnown) {
      const reason = entry.kind === WEIGHT ? doubtOf(animal, entry, previous, standing, data.rules, skew_ms) : "";
      if (reason) asked.push({ entry, reason });
      else standing.push(entry);
    } else if (entry.state !== "confirmed" || isKnown || !isOlder(entry, data)) {
      standing.push(entry);
    }
    if (entry.kind === WEIGHT && standing.at(-1) === entry) {
      previous = { id: entry.key, g: grams(entry), at_wall: wallOf(entry, animal, skew_ms) };
    }
  }
  const weights = standing.filter((one) => one.kind === WEIGHT);
  const waters = standing.filter((one) => one.kind === WATER);
  const weight = weightOf(animal, weights, today, data.user, skew_ms);
  const typed = weights.at(-1) ?? asked.find((one) => one.entry.kind === WEIGHT)?.entry;
  let known = animal.day === today || animal.bare ? animal.case : { ...animal.case, reward_ml: 0, supplement_ml: 0 };
  if (typed) known = withWeight(known, grams(typed));
  for (const one of waters) if (!isStored(animal, one)) known = withWater(known, millilitres(one));
  return { animal, weight, weights, waters, asked, kept, case: known, numbers: judge(known, data.rules), isWeighed: weight !== null };
}

/** The numbers of a row for a weight that is being typed. */
export function preview(row: Row, weight_g: number, rules: Rules): Numbers {
  return judge(withWeight(row.case, weight_g), rules);
}

export function grams(entry: Entry): number {
  return Number(entry.body["weight"]);
}

export function millilitres(entry: Entry): number {
  return Number(entry.body["water"]);
}

/** Why a weight is worth a second look, before the server is asked. */
export function doubtOf(animal: Animal, entry: Entry, previous: Animal["last"], earlier: Entry[], rules: Rules, skew_ms: number): string {
  const g = grams(entry);
  const wall = wallOf(entry, animal, skew_ms);
  const reasons: string[] = [];
  const roundCage = entry.body["round_cage"];
  if (typeof roundCage === "string" && roundCage.toLowerCase() !== animal.cage.toLowerCase()) {
    reasons.push(`${animal.nickname} is ${cageWords(animal.cage)}, and ${cageWords(roundCage)} was at work`);
  }
  const before = animal.weighings.filter((one) => one.at_wall.slice(0, 10) === wall.slice(0, 10)).at(-1);
  if (earlier.some((one) => one.kind === WEIGHT)) {
    reasons.push(`you weighed it today already: ${grams(earlier.filter((one) => one.kind === WEIGHT).at(-1)!)} g`);
  } else if (before && isBefore(before, entry, skew_ms)) {
    reasons.push(`${before.by ?? "somebody"} weighed it today at ${before.at_wall.slice(11, 16)} (${animal.zone}): ${before.value} g`);
  }
  const absurd = weightIsAbsurd(g, animal.most_g, animal.species, rules);
  const jump = absurd || weightJumps(g, wall, previous?.g ?? null, previous?.at_wall ?? null, rules);
  if (jump) reasons.push(jump);
  return reasons.join("; ");
}

function cageWords(cage: string): string {
  return cage ? `in cage ${cage}` : "in no cage";
}

function isBefore(stored: Stored, entry: Entry, skew_ms: number): boolean {
  return Date.parse(stored.at) <= Date.parse(entry.made_at) + skew_ms + 60_000;
}

function weightOf(animal: Animal, weights: Entry[], today: string, user: string, skew_ms: number): Row["weight"] {
  const own = weights.at(-1);
  const stored = animal.weighings.filter((one) => one.at_wall.slice(0, 10) === today).at(-1);
  if (own) {
    return { g: grams(own), by: user, at_wall: wallOf(own, animal, skew_ms), entry: own };
  }
  return stored && stored.value !== null ? { g: stored.value, by: stored.by, at_wall: stored.at_wall } : null;
}

/** Whether what the entry made is among what the server listed. */
function isStored(animal: Animal, entry: Entry): boolean {
  const id = entry.answer?.result["id"];
  return typeof id === "string" && (animal.weighings.some((one) => one.id === id) || animal.waters.some((one) => one.id === id));
}

/** Done before the server made its list: not being on it, it was taken back by somebody. */
function isOlder(entry: Entry, data: RoundData): boolean {
  return data.settled?.includes(entry.key) ?? false;
}
