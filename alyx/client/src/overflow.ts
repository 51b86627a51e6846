/** The device's store; and what it cannot take any more (it is full, its database was closed) in this page's memory, from which it is sent as well. */

import { type Commit, inOrder, isPending, MemoryStore, type Store } from "./store";
import type { Entry } from "./types";

export class OverflowStore implements Store {
  private readonly memory = new MemoryStore();
  /** Something here is only in memory. */
  private spilled = false;
  /** Told when the device takes no more (its error), and when it has all again (undefined). */
  onSpill: (error: unknown) => void = () => {};

  constructor(private readonly kept: Store) {}

  get durable(): boolean {
    return this.kept.durable && !this.spilled;
  }

  async device(): Promise<string> {
    return this.kept.device();
  }

  async putDraft(draft: Entry): Promise<boolean> {
    try {
      const taken = await this.kept.putDraft(draft);
      await this.settled([draft.key]);
      return taken;
    } catch (error) {
      this.spill(error);
      return this.memory.putDraft(draft);
    }
  }

  async commit(what: Commit): Promise<void> {
    const left = this.spilled ? await this.movable() : [];
    if (left.length) {
      try {
        await this.kept.commit({ ...what, entries: [...left, ...what.entries] });
        await this.settled([...keysOf(what), ...left.map(({ key }) => key)]);
        return;
      } catch {
        // no room for all of it: perhaps for this
      }
    }
    try {
      await this.kept.commit(what);
      await this.settled(keysOf(what));
    } catch (error) {
      this.spill(error);
      await this.memory.commit(what);
    }
  }

  async drafts(): Promise<Entry[]> {
    return this.kept.drafts();
  }

  async all(): Promise<Entry[]> {
    return this.over(await this.kept.all());
  }

  async pending(most: number): Promise<Entry[]> {
    if (!this.spilled) return this.kept.pending(most);
    const more = (await this.memory.all()).length; // of the device's, so many may be older than what is here
    return (await this.over(await this.kept.pending(most + more))).filter(isPending).slice(0, most);
  }

  async picture(sha256: string): Promise<Blob | undefined> {
    return (await this.memory.picture(sha256)) ?? this.kept.picture(sha256);
  }

  async dropPictures(sha256: string[]): Promise<void> {
    await this.memory.dropPictures(sha256);
    await this.kept.dropPictures(sha256);
  }

  async snapshot(name: string): Promise<unknown> {
    return this.kept.snapshot(name);
  }

  async keepSnapshot(name: string, data: unknown): Promise<void> {
    await this.kept.keepSnapshot(name, data);
  }

  async sweep(before: string): Promise<void> {
    await this.kept.sweep(before);
  }

  close(): void {
    this.kept.close();
  }

  private spill(error: unknown): void {
    this.spilled = true;
    this.onSpill(error);
  }

  /** The device has these now, and newer than here. */
  private async settled(keys: string[]): Promise<void> {
    if (!this.spilled) return;
    await this.memory.forget(keys);
    this.spilled = [...(await this.memory.all()), ...(await this.memory.drafts())].length > 0;
    if (!this.spilled) this.onSpill(undefined);
  }

  /** What is here instead of on the device, but for pictures that have not arrived: their bytes are here only. */
  private async movable(): Promise<Entry[]> {
    return (await this.memory.all()).filter((entry) => entry.picture === undefined || !isPending(entry));
  }

  /** The device's entries, with what is newer here. */
  private async over(kept: Entry[]): Promise<Entry[]> {
    const here = await this.memory.all();
    const keys = new Set(here.map((entry) => entry.key));
    return [...kept.filter((entry) => !keys.has(entry.key)), ...here].sort(inOrder);
  }
}

function keysOf({ entries, closed }: Commit): string[] {
  return [...entries.map(({ key }) => key), ...(closed ?? [])];
}
