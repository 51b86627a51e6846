/** Random histories of typing, cuts, reloads, crashes, two tabs, replays and wrong clocks, run in a page against the real server.
 *
 * Each history says what was typed; the test compares that with the server's tables. The network between is a switch.
 */

import { PREFIX } from "../src/idb_store";
import { Journal } from "../src/journal";
import type { Fetch } from "../src/net";
import type { Entry } from "../src/types";

interface Field {
  id: string;
  /** What each tab wrote last, and what it was given when it began. */
  by: Map<number, { given: string; value: string }>;
  /** Every text that was typed into it, in order. */
  said: string[];
}

export interface Told {
  seed: number;
  faults: string[];
  /** Texts of taps, each to be there once. */
  taps: string[];
  undone: string[];
  /** Note → the text it has to have. */
  fields: Record<string, string>;
  /** Note → texts of two tabs: each is in the note, or kept. */
  clashes: Record<string, string[]>;
  /** Keys of all entries that were made. */
  keys: string[];
  begun: number;
  ended: number;
}

type Mode = "on" | "cut" | "unanswered" | "twice" | "slow" | "busy" | "later";
const MODES: Mode[] = ["on", "on", "on", "cut", "unanswered", "unanswered", "twice", "slow", "busy", "later"];

/** mulberry32: the same seed is the same history. */
function random(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

class Network {
  mode: Mode = "on";
  /** Whose login it is does not change in a history: asked once, so that a thousand of them take a minute. */
  private pulse: object | undefined;
  private readonly replays: (() => Promise<unknown>)[] = [];

  constructor(private readonly chance: () => number) {}

  readonly fetch: Fetch = async (address, options) => {
    const posts = options?.method === "POST";
    if (this.mode === "cut") throw new TypeError("cut");
    if (this.mode === "busy") return new Response("{}", { status: 503 });
    if (this.mode === "slow") await wait(this.chance() * 20);
    if (address === "/bench/pulse" && this.pulse) return Response.json({ ...this.pulse, now: new Date().toISOString() });
    const answer = await fetch(address, options);
    if (address === "/bench/pulse") this.pulse = (await answer.clone().json()) as object;
    if (!posts) return answer;
    const { signal: _, ...same } = options ?? {};
    if (this.mode === "twice") return fetch(address, same);
    if (this.mode === "later") this.replays.push(() => fetch(address, same));
    if (this.mode === "unanswered") throw new TypeError("the answer was lost");
    return answer;
  };

  /** Requests of long ago arrive once more. */
  async replay(): Promise<void> {
    await Promise.all(this.replays.splice(0).map((again) => again()));
  }
}

const wait = (ms: number): Promise<void> => new Promise((done) => setTimeout(done, ms));

class History {
  private readonly chance: () => number;
  private readonly network: Network;
  private readonly tabs: (Journal | undefined)[] = [];
  private readonly fields: Field[] = [];
  private readonly taps = new Map<string, string>();
  private readonly undone: string[] = [];
  private readonly faults: string[] = [];
  private readonly shift: number;
  private readonly name: string;
  private typed = 0;

  constructor(
    private readonly seed: number,
    private readonly user: string,
    private readonly session: string,
  ) {
    this.chance = random(seed);
    this.network = new Network(this.chance);
    this.shift = this.chance() < 0.5 ? 0 : Math.round((this.chance() - 0.5) * 12 * 3600e3);
    this.name = `history-${seed}-${crypto.randomUUID()}`;
  }

  async run(): Promise<Told> {
    const begun = Date.now();
    await this.open(0);
    const steps = 6 + Math.floor(this.chance() * 8);
    for (let step = 0; step < steps; step += 1) await this.step();
    await this.network.replay();
    const keys = await this.heal();
    const clashes: Record<string, string[]> = {};
    const fields: Record<string, string> = {};
    for (const { id, by } of this.fields) {
      const values = [...by.values()].map(({ value }) => value);
      if (values.length > 1) clashes[id] = values;
      else if (values[0]) fields[id] = values[0];
    }
    const kept = [...this.taps.keys()].filter((text) => !this.undone.includes(text));
    return { seed: this.seed, faults: this.faults, taps: kept, undone: this.undone, fields, clashes, keys, begun, ended: Date.now() };
  }

  private async open(tab: number): Promise<Journal> {
    const journal = await Journal.open(this.user, {
      name: this.name,
      fetch: this.network.fetch,
      clock: () => Date.now() + this.shift,
      pauseMs: this.chance() < 0.2 ? 5 : 60_000,
      sends: this.chance() < 0.2,
      retryMs: 5,
    });
    this.tabs[tab] = journal;
    return journal;
  }

  private async step(): Promise<void> {
    const which = this.chance();
    const tab = this.tabs.length > 1 && this.chance() < 0.5 ? 1 : 0;
    const journal = this.tabs[tab] ?? (await this.open(tab));
    if (which < 0.3) await this.type(journal, tab);
    else if (which < 0.5) await this.tap(journal);
    else if (which < 0.68) this.network.mode = MODES[Math.floor(this.chance() * MODES.length)] ?? "on";
    else if (which < 0.8) await journal.send().catch(() => {});
    else if (which < 0.83) await journal.flush();
    else if (which < 0.88) await this.leave(tab, true);
    else if (which < 0.94) await this.leave(tab, false);
    else if (which < 0.97) await this.network.replay();
    else if (this.tabs.length < 2) await this.open(1);
    else await this.undo(journal);
  }

  private async type(journal: Journal, tab: number): Promise<void> {
    const other = this.fields.find((field) => !field.by.has(tab));
    let field = this.fields.find((one) => one.by.has(tab) && this.chance() < 0.6);
    if (!field && other && this.chance() < 0.25) field = other; // the other tab's: both texts have to survive
    if (!field) {
      field = { id: crypto.randomUUID(), by: new Map(), said: [] };
      this.fields.push(field);
    }
    const shown = await this.shown(journal, field.id);
    const mine = field.by.get(tab) ?? { given: shown, value: shown };
    field.by.set(tab, mine);
    const keys = 1 + Math.floor(this.chance() * 5);
    for (let key = 0; key < keys; key += 1) {
      this.typed += 1;
      mine.value += `${mine.value ? " " : ""}${tab}.${this.typed}`;
      field.said.push(mine.value);
      journal.write("session.note.text", field.id, "text", mine.value, mine.given, { session: this.session });
      if (this.chance() < 0.3) await wait(0);
    }
  }

  private async tap(journal: Journal): Promise<void> {
    this.typed += 1;
    const text = `${this.name} tap ${this.typed}`;
    const entry = await journal.add("session.note", this.session, { text });
    this.taps.set(text, entry.key);
  }

  private async undo(journal: Journal): Promise<void> {
    const left = [...this.taps].filter(([text]) => !this.undone.includes(text));
    const found = left[Math.floor(this.chance() * left.length)];
    if (!found) return;
    await journal.undo(found[1]);
    this.undone.push(found[0]);
  }

  /** The page goes: in order, or at once. What the next page shows is what was typed, at most the last keystrokes short. */
  private async leave(tab: number, inOrder: boolean): Promise<void> {
    const journal = this.tabs[tab];
    if (!journal) return;
    const durable = new Map<string, string>();
    for (const { id, by } of this.fields) durable.set(id, by.size > 1 ? await this.kept(journal, id, tab) : await this.shown(journal, id));
    if (inOrder) await journal.close();
    else journal.abandon();
    const next = await this.open(tab);
    for (const { id, by, said } of this.fields) {
      const mine = by.get(tab);
      if (!mine) continue;
      const shown = by.size > 1 ? await this.kept(next, id, tab) : await this.shown(next, id);
      const least = inOrder ? mine.value : (durable.get(id) ?? "");
      if (said.indexOf(shown) < said.indexOf(least)) this.faults.push(`after ${inOrder ? "a reload" : "a crash"} ${JSON.stringify(shown)} instead of ${JSON.stringify(least)}`);
      by.set(tab, { given: by.size > 1 ? mine.given : shown, value: shown });
    }
  }

  /** Of a note that both tabs write: how much of what this one typed the device has. */
  private async kept(journal: Journal, id: string, tab: number): Promise<string> {
    const mine = this.fields.find((field) => field.id === id)?.by.get(tab);
    if (!mine) return "";
    const texts = (await journal.entries(id)).filter((entry) => entry.kind === "session.note.text").map((entry) => String(entry.body.value));
    return texts.filter((text) => text.length > mine.given.length && mine.value.startsWith(text)).reduce((one, other) => (other.length > one.length ? other : one), mine.given);
  }

  /** The text of a note, as a page would show it: the last that this device typed. */
  private async shown(journal: Journal, id: string): Promise<string> {
    const mine = (await journal.entries(id)).filter((entry) => entry.kind === "session.note.text");
    return String(mine.at(-1)?.body.value ?? "");
  }

  /** The network is back, everything is closed, one page sends what is left. */
  private async heal(): Promise<string[]> {
    for (const tab of this.tabs) await tab?.close();
    this.network.mode = "on";
    const journal = await this.open(0);
    for (let attempt = 0; attempt < 20 && journal.status().unsent > 0; attempt += 1) await journal.send().then(() => wait(attempt), () => wait(20));
    const { unsent } = journal.status();
    if (unsent) this.faults.push(`${unsent} entries could not be sent`);
    const entries = await journal.entries();
    for (const entry of entries) if (entry.state === "kept" && !this.mayBeKept(entry)) this.faults.push(`kept: ${entry.kind} ${entry.answer?.message}`);
    await journal.close();
    indexedDB.deleteDatabase(PREFIX + this.name);
    return entries.map((entry) => entry.key);
  }

  private mayBeKept(entry: Entry): boolean {
    return this.fields.some((field) => field.id === entry.about && field.by.size > 1);
  }
}

/** Run histories, some at a time; what each says was typed. */
export async function histories(seeds: number[], user: string, session: string, atOnce: number): Promise<Told[]> {
  const left = [...seeds];
  const told: Told[] = [];
  const lane = async (): Promise<void> => {
    for (let seed = left.shift(); seed !== undefined; seed = left.shift()) told.push(await new History(seed, user, session).run());
  };
  await Promise.all(Array.from({ length: atOnce }, lane));
  return told;
}

(globalThis as { histories?: typeof histories }).histories = histories;
