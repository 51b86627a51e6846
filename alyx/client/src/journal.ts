/** The journal: whatever is typed or tapped is durable on this device before the network hears of it. */

import { type Change, Cache } from "./cache";
import { Drafts } from "./drafts";
import { hexOf, uuid } from "./ids";
import { IdbStore } from "./idb_store";
import { type Fetch, Net, type Pulse } from "./net";
import { HERE, Sender } from "./sender";
import { OverflowStore } from "./overflow";
import { MemoryStore, type Picture, type Store } from "./store";
import { type Entry, explained, JournalUnavailable, type Status } from "./types";

export type { Answer, Entry, State, Status } from "./types";
export { JournalUnavailable } from "./types";

/** What tests replace. */
export interface Parts {
  /** Of the database, the lock and the channel; default: the user. */
  name?: string;
  store?: Store;
  fetch?: Fetch;
  clock?: () => number;
  /** How long a pause ends an edit, ms. */
  pauseMs?: number;
  /** False: nothing is sent until `send()` is called. */
  sends?: boolean;
  /** The shortest wait after a failed attempt, ms. */
  retryMs?: number;
}

export const PAUSE_MS = 2_000;
const KEPT_FOR_MS = 3 * 24 * 3600 * 1000;

export class Journal {
  private readonly drafts: Drafts;
  private readonly sender: Sender;
  private trouble = "";
  private readonly leaving: () => void;

  private constructor(
    readonly user: string,
    private readonly store: Store,
    private readonly cache: Cache,
    readonly net: Net,
    private readonly clock: () => number,
    private readonly tab: string,
    parts: Parts,
  ) {
    this.sender = new Sender(store, cache, net, `alyx-sender-${parts.name ?? user}`, parts.retryMs);
    this.drafts = new Drafts(store, cache, {
      user,
      tab,
      clock,
      pauseMs: parts.pauseMs ?? PAUSE_MS,
      closed: () => this.wake(),
      failed: (error) => this.failed(error),
    });
    this.sends = parts.sends ?? true;
    this.leaving = () => void this.drafts.close().catch(() => {});
    if (typeof document !== "undefined") {
      addEventListener("pagehide", this.leaving);
      addEventListener("focusout", this.leaving);
      addEventListener("online", this.wake);
      document.addEventListener("visibilitychange", this.seen);
    }
  }

  private sends: boolean;

  /** The journal of this person on this device. Raises JournalUnavailable with words for a person. */
  static async open(user: string, parts: Parts = {}): Promise<Journal> {
    const store = parts.store ?? (await IdbStore.open(parts.name ?? user));
    try {
      return await Journal.on(store, user, parts);
    } catch (error) {
      throw explained(error);
    }
  }

  /** Where the device keeps nothing: entries are sent at once, and are gone with the page. Say so on the screen. */
  static async openUnsafe(user: string, parts: Parts = {}): Promise<Journal> {
    return Journal.on(parts.store ?? new MemoryStore(), user, { ...parts, pauseMs: parts.pauseMs ?? 500 });
  }

  private static async on(kept: Store, user: string, parts: Parts): Promise<Journal> {
    const store = new OverflowStore(kept);
    const clock = parts.clock ?? Date.now;
    const fetched: Fetch = parts.fetch ?? ((address, options) => fetch(address, options));
    const tab = uuid();
    await held(`alyx-tab-${tab}`);
    await store.sweep(new Date(clock() - KEPT_FOR_MS).toISOString());
    const cache = await Cache.load(store, parts.name ?? user);
    const journal = new Journal(user, store, cache, new Net(user, fetched, clock), clock, tab, parts);
    store.onSpill = (error) => journal.spilled(error);
    await journal.drafts.recover();
    journal.wake();
    return journal;
  }

  /** Record one thing; resolves when it is durable on the device, or, if that takes no more, in memory (`status().durable`). Open edits about the same come before it. */
  async add(kind: string, about: string | null, body: object): Promise<Entry> {
    return this.record(kind, about, body);
  }

  /** The same with a picture, whose bytes are kept here and arrive before the entry. */
  async addPicture(kind: string, about: string | null, body: object, file: Blob): Promise<Entry> {
    const bytes = await file.arrayBuffer();
    if (!crypto.subtle) throw new JournalUnavailable("insecure", "Pictures need a page that is served over https.");
    const sha256 = hexOf(new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)));
    const data = new Blob([bytes], { type: file.type }); // a file may vanish from the device; these bytes do not
    return this.record(kind, about, { ...body, picture: sha256 }, { sha256, data });
  }

  /** A keystroke: the field's open edit is written anew at once, closed by a pause, by leaving the field or the page. `more` goes into the body. */
  write(kind: string, about: string | null, field: string, value: string, base: string, more: object = {}): void {
    this.drafts.write(kind, about, field, value, base, more);
  }

  /** Close open edits now (the field was left). */
  async flush(): Promise<void> {
    await this.drafts.close();
  }

  async undo(key: string): Promise<Entry> {
    return this.add("journal.undo", null, { of: key });
  }

  async confirm(key: string): Promise<Entry> {
    return this.add("journal.confirm", null, { of: key });
  }

  async discard(key: string, why: string): Promise<Entry> {
    const entry = this.cache.get(key);
    if (!entry?.answer?.result[HERE]) return this.add("journal.discard", null, { of: key, why });
    const aside: Entry = { ...entry, ended: "discarded", answer: { ...entry.answer, message: why } };
    await this.kept([aside]);
    return aside;
  }

  /** Try a kept entry once more; with `about` for another animal. */
  async again(key: string, about: string | null = null): Promise<Entry> {
    const entry = this.cache.get(key);
    if (entry?.answer?.result[HERE]) {
      const { answer: _, ...rest } = entry;
      const back: Entry = { ...rest, state: "local", ...(about ? { about } : {}) };
      await this.kept([back]);
      return back;
    }
    return this.add("journal.again", null, { of: key, ...(about ? { about } : {}) });
  }

  /** Settle a conflict of a field: `value` on top of what the server has; the entries that clashed are put aside. */
  async resolve(key: string, value: string): Promise<Entry> {
    const kept = this.cache.get(key);
    const theirs = kept?.answer?.result.theirs;
    if (!kept || typeof theirs !== "string") throw new Error("this entry has no conflict");
    const { field, base: _base, value: _value, ...more } = kept.body;
    const same = this.cache.entries(kept.about).filter((entry) => isClash(entry) && entry.kind === kept.kind && entry.body.field === field);
    const made = this.cache.made(this.base(kept.kind, kept.about, { ...more, field, value, base: theirs }));
    const aside = same.map((entry) =>
      this.cache.made(this.base("journal.discard", null, { of: entry.key, why: "settled: the texts were compared side by side" })),
    );
    await this.kept(value === theirs ? aside : [made, ...aside]);
    return value === theirs ? (aside[0] as Entry) : made;
  }

  /** In order: confirmed ones stay for three days, open edits are last. */
  async entries(about?: string): Promise<Entry[]> {
    return this.cache.entries(about);
  }

  /** Also of other tabs. Returns how to stop. */
  onChange(listener: Change): () => void {
    return this.cache.onChange(listener);
  }

  /** When `status()` may say something else. Returns how to stop. */
  onStatus(listener: () => void): () => void {
    return this.cache.onStatus(listener);
  }

  status(): Status {
    return {
      ...this.cache.counts(),
      ...this.sender.standing,
      durable: this.store.durable,
      skew: this.net.skewMs === undefined ? undefined : this.net.skewMs / 1000,
      trouble: this.trouble,
    };
  }

  /** Log in again; empty: it went well. */
  async login(username: string, password: string): Promise<string> {
    const { pulse, message } = await this.net.login(username, password);
    if (pulse) await this.sender.loggedIn(pulse);
    return message;
  }

  /** Ask the server who is logged in, and its time. Raises NotSent. */
  async pulse(): Promise<Pulse> {
    return this.net.pulse();
  }

  async snapshot<T>(name: string): Promise<T | undefined> {
    return (await this.store.snapshot(name)) as T | undefined;
  }

  async keepSnapshot(name: string, data: unknown): Promise<void> {
    await this.store.keepSnapshot(name, data).catch((error: unknown) => this.failed(error));
  }

  /** Bytes of a picture that is still on this device. */
  async picture(sha256: string): Promise<Blob | undefined> {
    return this.store.picture(sha256);
  }

  /** Send what waits, once; resolves when it has been tried. */
  async send(): Promise<void> {
    await this.sender.drain();
  }

  /** Let go of everything; open edits are closed first. */
  async close(): Promise<void> {
    await this.drafts.close();
    this.abandon();
  }

  /** As if the page had vanished: nothing is closed. For tests. */
  abandon(): void {
    this.sends = false;
    this.drafts.stop();
    this.sender.stop();
    this.cache.stop();
    released(`alyx-tab-${this.tab}`);
    if (typeof document !== "undefined") {
      removeEventListener("pagehide", this.leaving);
      removeEventListener("focusout", this.leaving);
      removeEventListener("online", this.wake);
      document.removeEventListener("visibilitychange", this.seen);
    }
    this.store.close();
  }

  private base(kind: string, about: string | null, body: object): Omit<Entry, "seq"> {
    return {
      key: uuid(),
      kind,
      about,
      body: structuredClone(body) as Record<string, unknown>,
      made_at: new Date(this.clock()).toISOString(),
      user: this.user,
      state: "local",
    };
  }

  private async record(kind: string, about: string | null, body: object, picture?: Picture): Promise<Entry> {
    const closing = this.drafts.take((draft) => about === null || draft.about === about);
    const made = this.cache.made({ ...this.base(kind, about, body), ...(picture ? { picture: picture.sha256 } : {}) });
    await this.kept([...closing.entries, made], closing.keys, picture);
    return made;
  }

  private async kept(entries: Entry[], closed: string[] = [], picture?: Picture): Promise<void> {
    try {
      await this.store.commit({ entries, closed, picture });
    } catch (error) {
      throw this.failed(error);
    }
    this.cache.put(entries);
    this.wake();
  }

  /** The device took something no more, which is in memory and sent from there; or it has all again. */
  private spilled(error: unknown): void {
    if (error !== undefined) this.failed(error);
    else this.cache.statusChanged();
  }

  private failed(error: unknown): Error {
    const said = explained(error);
    this.trouble = said.message;
    this.cache.statusChanged();
    return said;
  }

  private readonly wake = (): void => {
    if (this.sends) this.sender.wake();
  };

  private readonly seen = (): void => {
    if (document.visibilityState === "hidden") this.leaving();
    else this.wake();
  };
}

/** Both texts are kept, and somebody has to choose. */
export function isClash(entry: Entry): boolean {
  return entry.state === "kept" && entry.ended === undefined && typeof entry.answer?.result.theirs === "string";
}

const holding = new Map<string, () => void>();

/** Show other tabs that this one lives: a lock that goes with the page. */
async function held(name: string): Promise<void> {
  if (typeof navigator === "undefined" || !navigator.locks) return;
  await new Promise<void>((got) => {
    void navigator.locks.request(name, () => {
      got();
      return new Promise<void>((release) => holding.set(name, release));
    });
  });
}

function released(name: string): void {
  holding.get(name)?.();
  holding.delete(name);
}
