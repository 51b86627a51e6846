/** Where entries are kept. The real one is IndexedDB (idb_store.ts); this one forgets with the page. */

import { uuid } from "./ids";
import type { Entry } from "./types";

export interface Picture {
  sha256: string;
  data: Blob;
}

/** What is written in one transaction. */
export interface Commit {
  entries: Entry[];
  /** Drafts that are entries now, or nothing. */
  closed?: string[];
  picture?: Picture | undefined;
}

export interface Store {
  readonly durable: boolean;
  /** This device's own id. */
  device(): Promise<string>;
  /** Write a draft; resolves when it is durable. False: its key is an entry already (another tab closed it). */
  putDraft(draft: Entry): Promise<boolean>;
  /** Resolves when durable. All of it is asked of the device before this returns, so that a page that goes away leaves all or nothing. */
  commit(what: Commit): Promise<void>;
  drafts(): Promise<Entry[]>;
  all(): Promise<Entry[]>;
  /** The first entries that are not answered, in order. */
  pending(most: number): Promise<Entry[]>;
  picture(sha256: string): Promise<Blob | undefined>;
  dropPictures(sha256: string[]): Promise<void>;
  snapshot(name: string): Promise<unknown>;
  keepSnapshot(name: string, data: unknown): Promise<void>;
  /** Forget entries that are over and were made before. */
  sweep(before: string): Promise<void>;
  close(): void;
}

/** An entry that nobody has to see any more. */
export function isOver(entry: Entry): boolean {
  return entry.state === "confirmed" || (entry.ended !== undefined && !isPending(entry));
}

export function isPending(entry: Entry): boolean {
  return entry.tab === undefined && (entry.state === "local" || entry.state === "sending");
}

/** A draft that says what stood there before is no edit. */
export function isNothing(draft: Entry): boolean {
  return typeof draft.body.value === "string" && draft.body.value === draft.body.base;
}

/** A draft as the entry that it becomes. */
export function asEntry(draft: Entry, seq: number): Entry {
  const { tab: _tab, ...rest } = draft;
  return { ...rest, seq };
}

export function inOrder(one: Entry, other: Entry): number {
  return one.seq - other.seq || (one.key < other.key ? -1 : 1);
}

export class MemoryStore implements Store {
  readonly durable: boolean = false;
  private readonly id = uuid();
  private readonly open = new Map<string, Entry>();
  private readonly entries = new Map<string, Entry>();
  private readonly pictures = new Map<string, Blob>();
  private readonly snapshots = new Map<string, unknown>();

  async device(): Promise<string> {
    return this.id;
  }

  async putDraft(draft: Entry): Promise<boolean> {
    if (this.entries.has(draft.key)) return false;
    this.open.set(draft.key, structuredClone(draft));
    return true;
  }

  async commit({ entries, closed, picture }: Commit): Promise<void> {
    if (picture) this.pictures.set(picture.sha256, picture.data);
    for (const key of closed ?? []) this.open.delete(key);
    for (const entry of entries) this.entries.set(entry.key, structuredClone(entry));
  }

  /** These are kept elsewhere now. */
  async forget(keys: string[]): Promise<void> {
    for (const key of keys) {
      this.entries.delete(key);
      this.open.delete(key);
    }
  }

  async drafts(): Promise<Entry[]> {
    return structuredClone([...this.open.values()]);
  }

  async all(): Promise<Entry[]> {
    return structuredClone([...this.entries.values()]).sort(inOrder);
  }

  async pending(most: number): Promise<Entry[]> {
    return (await this.all()).filter(isPending).slice(0, most);
  }

  async picture(sha256: string): Promise<Blob | undefined> {
    return this.pictures.get(sha256);
  }

  async dropPictures(sha256: string[]): Promise<void> {
    for (const one of sha256) this.pictures.delete(one);
  }

  async snapshot(name: string): Promise<unknown> {
    return this.snapshots.get(name);
  }

  async keepSnapshot(name: string, data: unknown): Promise<void> {
    this.snapshots.set(name, data);
  }

  async sweep(before: string): Promise<void> {
    for (const [key, entry] of this.entries) if (isOver(entry) && entry.made_at < before) this.entries.delete(key);
  }

  close(): void {}
}
