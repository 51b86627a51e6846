/** Edits that are being typed: one open draft for each field, written at each keystroke, an entry after a pause. */

import type { Cache } from "./cache";
import { uuid } from "./ids";
import { asEntry, isNothing, type Store } from "./store";
import type { Entry } from "./types";

interface Options {
  user: string;
  tab: string;
  clock: () => number;
  pauseMs: number;
  /** Drafts became entries. */
  closed: () => void;
  failed: (error: unknown) => void;
}

interface Open {
  draft: Entry;
  timer: ReturnType<typeof setTimeout> | undefined;
  /** A write is on its way; another value waits for it. */
  writing: boolean;
  dirty: boolean;
}

/** What an edit of this tab left in a field: the next edit begins there, whatever the screen was told before. */
interface Left {
  given: string;
  value: string;
}

export class Drafts {
  private readonly open = new Map<string, Open>();
  private readonly left = new Map<string, Left>();

  constructor(
    private readonly store: Store,
    private readonly cache: Cache,
    private readonly options: Options,
  ) {}

  write(kind: string, about: string | null, field: string, value: string, given: string, more: object): void {
    const name = JSON.stringify([kind, about, field]);
    let open = this.open.get(name);
    if (!open) {
      const left = this.left.get(name);
      const base = left && left.given === given ? left.value : given;
      open = { draft: this.fresh(kind, about, { ...more, field, value, base }), timer: undefined, writing: false, dirty: false };
      this.open.set(name, open);
      if (!left || left.given !== given) this.left.set(name, { given, value: base });
    }
    open.draft = { ...open.draft, body: { ...open.draft.body, ...more, field, value } };
    clearTimeout(open.timer);
    open.timer = setTimeout(() => void this.close((draft) => draft.key === open.draft.key), this.options.pauseMs);
    if (open.writing) open.dirty = true;
    else void this.put(open);
  }

  /** Drafts to be closed with the next entry: what they become, and their keys. The caller commits both. */
  take(which: (draft: Entry) => boolean = () => true): { entries: Entry[]; keys: string[] } {
    const taken: { entries: Entry[]; keys: string[] } = { entries: [], keys: [] };
    for (const [name, { draft, timer }] of this.open) {
      if (!which(draft)) continue;
      clearTimeout(timer);
      this.open.delete(name);
      const left = this.left.get(name);
      if (left) left.value = String(draft.body.value);
      taken.keys.push(draft.key);
      if (!isNothing(draft)) taken.entries.push(asEntry(draft, this.cache.next()));
    }
    return taken;
  }

  async close(which?: (draft: Entry) => boolean): Promise<void> {
    const { entries, keys } = this.take(which);
    if (keys.length) await this.commit(entries, keys);
  }

  /** Drafts of tabs that are gone become entries. */
  async recover(): Promise<void> {
    const alive = await living();
    const orphans = (await this.store.drafts()).filter((draft) => draft.user === this.options.user && !alive.has(draft.tab ?? ""));
    const lost = orphans.filter((draft) => !isNothing(draft) && this.cache.get(draft.key)?.tab !== undefined);
    const keys = orphans.map((draft) => draft.key);
    if (keys.length) await this.commit(lost.map((draft) => asEntry(draft, this.cache.next())), keys);
    for (const entry of this.cache.entries()) this.remember(entry);
  }

  stop(): void {
    for (const { timer } of this.open.values()) clearTimeout(timer);
    this.open.clear();
  }

  /** What the page shows after a reload is what was typed here before: the next edit begins there. */
  private remember(entry: Entry): void {
    const { field, value, base } = entry.body;
    if (typeof field !== "string" || typeof value !== "string" || typeof base !== "string") return;
    if (entry.tab !== undefined || entry.state === "asked" || entry.state === "kept") return;
    const name = JSON.stringify([entry.kind, entry.about, field]);
    const before = this.left.get(name);
    this.left.set(name, { given: before && before.value === base ? before.given : base, value });
  }

  private fresh(kind: string, about: string | null, body: Record<string, unknown>): Entry {
    const { user, tab, clock } = this.options;
    const made_at = new Date(clock()).toISOString();
    return { key: uuid(), kind, about, body, made_at, seq: 0, user, state: "local", tab };
  }

  private async put(open: Open): Promise<void> {
    open.writing = true;
    open.dirty = false;
    const draft = structuredClone(open.draft);
    try {
      if (await this.store.putDraft(draft)) {
        if (this.isOpen(open)) this.cache.put([draft]);
      } else if (this.isOpen(open)) {
        // Another tab took this one for dead and sent what it had: the edit goes on from there.
        const sent = this.cache.get(draft.key)?.body.value ?? draft.body.base;
        open.draft = { ...open.draft, key: uuid(), body: { ...open.draft.body, base: sent } };
        open.dirty = true;
      }
    } catch (error) {
      this.options.failed(error);
    }
    open.writing = false;
    if (open.dirty && this.isOpen(open)) await this.put(open);
  }

  private isOpen(open: Open): boolean {
    for (const one of this.open.values()) if (one === open) return true;
    return false;
  }

  private async commit(entries: Entry[], keys: string[]): Promise<void> {
    try {
      await this.store.commit({ entries, closed: keys });
    } catch (error) {
      this.options.failed(error);
      return;
    }
    const made = new Set(entries.map((entry) => entry.key));
    this.cache.put(entries, keys.filter((key) => !made.has(key)));
    this.options.closed();
  }
}

async function living(): Promise<Set<string>> {
  if (typeof navigator === "undefined" || !navigator.locks) return new Set();
  const { held = [] } = await navigator.locks.query();
  return new Set(held.map((lock) => (lock.name ?? "").replace("alyx-tab-", "")));
}
