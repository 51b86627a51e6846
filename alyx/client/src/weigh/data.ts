// What the server knows of a round's animals, as it last said so: fetched, and kept for when there is no network.
import type { Journal } from "../journal";
import type { Case, Rules } from "./rules";

/** A weighing or water of today that the server has. `value` in grams or millilitres. */
export interface Stored {
  id: string;
  at_wall: string;
  at: string;
  value: number | null;
  by: string | null;
  reward: boolean;
}

export interface Animal {
  id: string;
  nickname: string;
  cage: string;
  lab: string;
  zone: string;
  responsible: string | null;
  day: string;
  most_g: number;
  species: string;
  last: { id: string; g: number; at_wall: string } | null;
  weighings: Stored[];
  waters: Stored[];
  case: Case;
  why_not: Record<string, string>;
  sources: Record<string, string>;
  /** Only its name is known: its numbers were never read on this tablet. */
  bare?: boolean;
}

export interface Known {
  id: string;
  nickname: string;
  cage: string;
  lab: string;
  zone: string;
}

export interface RoundData {
  now: string;
  user: string;
  cage: string;
  lab: string;
  rules: Rules;
  animals: Animal[];
  left_off: number;
  known: Known[];
  /** Keys of entries that were confirmed before this was asked for: what is not listed of theirs was taken back by somebody. */
  settled?: string[];
}

/** Which animals: a cage (else the restricted ones), a lab (else all of mine), and those scanned besides. */
export interface Asked {
  cage: string;
  lab: string;
  also: string[];
}

const PATIENCE_MS = 10_000;

/** The server's answer; undefined when it cannot be reached or does not answer well. */
export async function fetched(asked: Asked): Promise<RoundData | undefined> {
  const query = new URLSearchParams({ cage: asked.cage, lab: asked.lab, also: asked.also.join(",") });
  try {
    const answer = await fetch(`/bench/data/round?${query}`, { headers: { Accept: "application/json" }, credentials: "same-origin", cache: "no-store", signal: AbortSignal.timeout(PATIENCE_MS) });
    if (!answer.ok) return undefined;
    return (await answer.json()) as RoundData;
  } catch {
    return undefined;
  }
}

const NAME = "weigh.round";

/** Kept under the round's name, and each animal under its own, so that a cage scanned offline has its numbers. */
export async function keep(journal: Journal, data: RoundData): Promise<void> {
  const before = (await journal.snapshot<RoundData>(NAME)) ?? data;
  const animals = new Map(before.animals.map((one) => [one.id, one]));
  for (const one of data.animals) animals.set(one.id, one);
  const known = new Set(data.known.map((one) => one.id));
  const fresh = new Set(data.animals.map((one) => one.id));
  const kept = [...animals.values()].filter((one) => fresh.has(one.id) || known.has(one.id));
  await journal.keepSnapshot(`${NAME} ${data.lab} ${data.cage}`, { ids: data.animals.map((one) => one.id) });
  await journal.keepSnapshot(NAME, { ...data, animals: kept });
}

/** The round as last known, from what was kept; undefined when this tablet has never read any. */
export async function remembered(journal: Journal, asked: Asked): Promise<RoundData | undefined> {
  const all = await journal.snapshot<RoundData>(NAME);
  if (!all) return undefined;
  const listed = await journal.snapshot<{ ids: string[] }>(`${NAME} ${asked.lab} ${asked.cage}`);
  const ofCage = asked.cage ? all.known.filter((one) => one.cage.toLowerCase() === asked.cage.toLowerCase()) : [];
  const ids = [...new Set([...(listed?.ids ?? ofCage.map((one) => one.id)), ...asked.also])];
  const animals = ids.map((id) => animalOf(all, id)).filter((one): one is Animal => one !== undefined);
  return { ...all, cage: asked.cage, lab: asked.lab, animals };
}

/** With all that is known of it, or by its name alone. */
export function animalOf(data: RoundData, id: string): Animal | undefined {
  const full = data.animals.find((one) => one.id === id);
  if (full) return full;
  const named = data.known.find((one) => one.id === id);
  return named && bare(named);
}

function bare(named: Known): Animal {
  const nothing: Case = {
    weight_g: null, implant_g: 0, is_restricted: false, is_first_day: false, reference_g: null, reference_is_entered: false,
    reference_implant_g: 0, mean_then: null, sd_then: null, mean_now: null, sd_now: null, reference_pct: 0, zscore_pct: 0,
    floor: 0, reward_ml: 0, supplement_ml: 0, is_adlib: false,
  };
  const why = "its numbers were never read on this tablet";
  return {
    ...named, responsible: null, day: "", most_g: 100, species: "a mouse", last: null, weighings: [], waters: [], case: nothing,
    why_not: { percentage: why, expected_g: why, remaining_ml: why, expected_ml: why, min_g: why }, sources: {}, bare: true,
  };
}
