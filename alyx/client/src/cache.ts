/** The entries of the last days in memory, the same in all tabs of this person. */

import { inOrder, type Store } from "./store";
import type { Entry } from "./types";

export type Change = (entry: Entry) => void;

/** When one of these fails, it is the entry that it names that waits. */
const DECISIONS = new Set(["journal.confirm", "journal.again", "journal.discard"]);

export class Cache {
  private readonly known = new Map<string, Entry>();
  private readonly changes = new Set<Change>();
  private readonly statuses = new Set<() => void>();
  private readonly channel: BroadcastChannel | undefined;
  private last = 0;

  private constructor(user: string) {
    if (typeof BroadcastChannel === "undefined") return;
    this.channel = new BroadcastChannel(`alyx-journal-${user}`);
    (this.channel as { unref?: () => void }).unref?.(); // Node's would keep the tests alive
    this.channel.onmessage = ({ data }: MessageEvent<{ entries: Entry[]; gone: string[] }>) => {
      this.accept(data.entries, data.gone);
    };
  }

  static async load(store: Store, user: string): Promise<Cache> {
    const cache = new Cache(user); // listens before it reads
    for (const entry of [...(await store.all()), ...(await store.drafts())])
      if (!cache.known.has(entry.key)) cache.keep(entry); // what a tab told meanwhile is newer
    return cache;
  }

  /** An entry with the next place in the journal. Not yet in it. */
  made(entry: Omit<Entry, "seq">): Entry {
    return { ...entry, seq: this.next() };
  }

  next(): number {
    this.last = Math.max(this.last + 1, Date.now());
    return this.last;
  }

  get(key: string): Entry | undefined {
    return this.known.get(key);
  }

  entries(about?: string | null): Entry[] {
    const found = [...this.known.values()].filter((entry) => about === undefined || entry.about === about);
    return found.sort((one, other) => Number(one.tab !== undefined) - Number(other.tab !== undefined) || inOrder(one, other));
  }

  /** These are in the store now; `gone`: drafts that were nothing. Told here and in the other tabs. */
  put(entries: Entry[], gone: string[] = []): void {
    this.channel?.postMessage({ entries, gone });
    this.accept(entries, gone);
  }

  onChange(listener: Change): () => void {
    this.changes.add(listener);
    return () => this.changes.delete(listener);
  }

  onStatus(listener: () => void): () => void {
    this.statuses.add(listener);
    return () => this.statuses.delete(listener);
  }

  statusChanged(): void {
    for (const listener of this.statuses) listener();
  }

  counts(): { unsent: number; asked: number; kept: number } {
    const found = { unsent: 0, asked: 0, kept: 0 };
    for (const entry of this.known.values()) {
      if (entry.state === "local" || entry.state === "sending") found.unsent += 1;
      else if (entry.ended === undefined && entry.state !== "confirmed" && !DECISIONS.has(entry.kind)) found[entry.state] += 1;
    }
    return found;
  }

  stop(): void {
    this.channel?.close();
    this.changes.clear();
    this.statuses.clear();
  }

  private keep(entry: Entry): void {
    this.known.set(entry.key, entry);
    this.last = Math.max(this.last, entry.seq);
  }

  private accept(entries: Entry[], gone: string[]): void {
    for (const key of gone) this.known.delete(key);
    for (const entry of entries) {
      const before = this.known.get(entry.key);
      if (before && before.tab === undefined && entry.tab !== undefined) continue; // a draft's last word that comes late
      this.keep(entry);
      for (const listener of this.changes) listener(entry);
    }
    this.statusChanged();
  }
}
