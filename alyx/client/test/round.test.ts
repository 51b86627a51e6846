import assert from "node:assert/strict";
import { test } from "node:test";
import type { Entry } from "../src/journal";
import type { Animal, RoundData } from "../src/weigh/data";
import { stateOf, WATER, WEIGHT } from "../src/weigh/round";

const NOW = new Date("2026-04-23T09:00:00Z");
const RULES = { more_ml_per_g: 0.05, less_ml_per_g: 0.04, warning_margin: 0.02, hair: 1e-9, heavy: 0.2, jump: 0.08, jump_days: 7, least_g: 0.5 };

function animal(more: Partial<Animal> = {}): Animal {
  return {
    id: "m1", nickname: "M1", cage: "7", lab: "a", zone: "Europe/London", responsible: null, day: "2026-04-23", most_g: 100, species: "a mouse",
    last: { id: "w0", g: 24, at_wall: "2026-04-22T10:00:00" }, weighings: [], waters: [], why_not: {}, sources: {},
    case: {
      weight_g: 24, implant_g: 0, is_restricted: true, is_first_day: false, reference_g: 26, reference_is_entered: true, reference_implant_g: 0,
      mean_then: null, sd_then: null, mean_now: null, sd_now: null, reference_pct: 0.85, zscore_pct: 0, floor: 0.75, reward_ml: 0, supplement_ml: 0, is_adlib: false,
    },
    ...more,
  };
}

function data(one: Animal, settled: string[] = []): RoundData {
  return { now: NOW.toISOString(), user: "kate", cage: "", lab: "", rules: RULES, animals: [one], left_off: 0, known: [], settled };
}

let seq = 0;
function entry(kind: string, body: Record<string, unknown>, more: Partial<Entry> = {}): Entry {
  seq += 1;
  const about = kind.startsWith("journal.") ? null : "m1";
  return { key: `e${seq}`, kind, about, body, made_at: "2026-04-23T08:30:00Z", seq, user: "u", state: "local", ...more };
}

function done(one: Entry, id: string): Entry {
  return { ...one, state: "confirmed", answer: { state: "done", result: { id }, message: "", fields: {}, at: "2026-04-23T08:30:00Z" } };
}

test("a weight that is only on the tablet counts, and water is worked out from it", () => {
  const state = stateOf(data(animal()), [entry(WEIGHT, { weight: 22.09 }), entry(WATER, { water: 0.5 })], NOW);
  const [row] = state.rows;
  assert.equal(state.weighed, 1);
  assert.equal(row?.numbers.status, "failed");
  assert.ok(Math.abs((row?.numbers.remaining_ml ?? 0) - (22.09 * 0.05 - 0.5)) < 1e-9);
});

test("what the server has listed is not counted again", () => {
  const stored = { id: "s1", at_wall: "2026-04-23T09:30:00", at: "2026-04-23T08:30:00Z", value: 0.5, by: "kate", reward: false };
  const listed = animal({ waters: [stored], case: { ...animal().case, supplement_ml: 0.5 } });
  const given = done(entry(WATER, { water: 0.5 }), "s1");
  assert.equal(stateOf(data(listed, [given.key]), [given], NOW).rows[0]?.numbers.given_ml, 0.5);
  assert.equal(stateOf(data(animal()), [given], NOW).rows[0]?.numbers.given_ml, 0.5, "listed before it was done");
  assert.equal(stateOf(data(animal(), [given.key]), [given], NOW).rows[0]?.numbers.given_ml, 0, "taken back by somebody");
});

test("doubts are known before the server is asked, and end with the answer", () => {
  const doubted = entry(WEIGHT, { weight: 19 });
  const asked = stateOf(data(animal()), [doubted], NOW);
  assert.equal(asked.weighed, 0);
  assert.match(asked.rows[0]?.asked[0]?.reason ?? "", /−21 % since 24 g/);
  const right = entry("journal.confirm", { of: doubted.key });
  assert.equal(stateOf(data(animal()), [doubted, right], NOW).weighed, 1);
  const refused: Entry = { ...right, state: "kept" };
  assert.equal(stateOf(data(animal()), [{ ...doubted, state: "asked" }, refused], NOW).weighed, 0);
  const undone = entry("journal.undo", { of: doubted.key });
  assert.equal(stateOf(data(animal()), [doubted, undone], NOW).rows[0]?.asked.length, 0);
});

test("a correction is judged against the weight before, not against what was corrected", () => {
  const slip = entry(WEIGHT, { weight: 2.4 });
  const state = stateOf(data(animal()), [slip, entry("journal.undo", { of: slip.key }), entry(WEIGHT, { weight: 24.1 })], NOW);
  assert.equal(state.weighed, 1);
  assert.equal(state.rows[0]?.asked.length, 0);
});

test("another one's weight of today is asked about; one of yesterday is history", () => {
  const theirs = { id: "s1", at_wall: "2026-04-23T09:10:00", at: "2026-04-23T08:10:00Z", value: 23.9, by: "omar", reward: false };
  const seen = animal({ weighings: [theirs] });
  assert.equal(stateOf(data(seen), [], NOW).weighed, 1);
  assert.match(stateOf(data(seen), [entry(WEIGHT, { weight: 23.8 })], NOW).rows[0]?.asked[0]?.reason ?? "", /omar weighed it today at 09:10/);
  const old = entry(WEIGHT, { weight: 23.8 }, { made_at: "2026-04-22T08:30:00Z" });
  assert.equal(stateOf(data(animal()), [old], NOW).weighed, 0);
});

test("a tablet whose clock is a day slow weighs today", () => {
  const slow = entry(WEIGHT, { weight: 23.8 }, { made_at: "2026-04-22T08:30:00Z" });
  assert.equal(stateOf(data(animal()), [slow], NOW, 86_400_000).weighed, 1);
});
