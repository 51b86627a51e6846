/** Entries in IndexedDB, a database for each person. Every write is one transaction, asked for whole and committed at once. */

import { type DBSchema, type IDBPDatabase, openDB } from "idb";
import { uuid } from "./ids";
import { type Commit, inOrder, isOver, isPending, type Picture, type Store } from "./store";
import { type Entry, explained, JournalUnavailable } from "./types";

/** As it is stored: `todo` is its place while it waits to be sent, so that the index holds only what waits. */
type Row = Entry & { todo?: number };

interface Schema extends DBSchema {
  entries: { key: string; value: Row; indexes: { todo: number } };
  drafts: { key: string; value: Entry };
  pictures: { key: string; value: Picture };
  snapshots: { key: string; value: { name: string; data: unknown } };
  meta: { key: string; value: { name: string; value: string } };
}

export const PREFIX = "alyx-journal-";
const STRICT: IDBTransactionOptions = { durability: "strict" };
const OPEN_WAIT_MS = 10_000;

function row(entry: Entry): Row {
  return isPending(entry) ? { ...entry, todo: entry.seq } : entry;
}

function plain(found: Row): Entry {
  const { todo: _todo, ...entry } = found;
  return entry;
}

function ignored(): void {} // a request's failure is its transaction's too

export class IdbStore implements Store {
  readonly durable = true;

  private constructor(
    private readonly db: IDBPDatabase<Schema>,
    private readonly id: string,
  ) {}

  /** Raises JournalUnavailable. */
  static async open(user: string): Promise<IdbStore> {
    try {
      if (typeof indexedDB === "undefined" || indexedDB === null) throw new DOMException("", "SecurityError");
      const opening = openDB<Schema>(PREFIX + user, 1, {
        upgrade(db) {
          db.createObjectStore("entries", { keyPath: "key" }).createIndex("todo", "todo");
          db.createObjectStore("drafts", { keyPath: "key" });
          db.createObjectStore("pictures", { keyPath: "sha256" });
          db.createObjectStore("snapshots", { keyPath: "name" });
          db.createObjectStore("meta", { keyPath: "name" });
        },
        blocking(_now, _wanted, event) {
          (event.target as IDBDatabase).close(); // a newer page changes the shape; this one is told at its next write
        },
      });
      const late = new Promise<never>((_, refuse) => setTimeout(() => refuse(new Error("it does not answer")), OPEN_WAIT_MS));
      const db = await Promise.race([opening, late]);
      return new IdbStore(db, await deviceOf(db)); // a first write: a full or blocked device says so before anybody types
    } catch (error) {
      throw error instanceof JournalUnavailable ? error : explained(error);
    }
  }

  async device(): Promise<string> {
    return this.id;
  }

  async putDraft(draft: Entry): Promise<boolean> {
    const tx = this.db.transaction(["drafts", "entries"], "readwrite", STRICT);
    const taken = tx.objectStore("entries").getKey(draft.key);
    const put = tx.objectStore("drafts").put(draft);
    put.catch(ignored);
    tx.commit();
    await tx.done;
    if ((await taken) === undefined) return true;
    await this.db.delete("drafts", draft.key);
    return false;
  }

  async commit({ entries, closed, picture }: Commit): Promise<void> {
    const stores: ("drafts" | "entries" | "pictures")[] = picture ? ["drafts", "entries", "pictures"] : ["drafts", "entries"];
    const tx = this.db.transaction(stores, "readwrite", STRICT);
    const asked: Promise<unknown>[] = [];
    if (picture) asked.push(tx.objectStore("pictures").put(picture));
    for (const key of closed ?? []) asked.push(tx.objectStore("drafts").delete(key));
    for (const entry of entries) asked.push(tx.objectStore("entries").put(row(entry)));
    for (const one of asked) one.catch(ignored);
    tx.commit();
    await tx.done;
  }

  async drafts(): Promise<Entry[]> {
    return this.db.getAll("drafts");
  }

  async all(): Promise<Entry[]> {
    return (await this.db.getAll("entries")).map(plain).sort(inOrder);
  }

  async pending(most: number): Promise<Entry[]> {
    return (await this.db.getAllFromIndex("entries", "todo", undefined, most)).map(plain);
  }

  async picture(sha256: string): Promise<Blob | undefined> {
    return (await this.db.get("pictures", sha256))?.data;
  }

  async dropPictures(sha256: string[]): Promise<void> {
    const tx = this.db.transaction("pictures", "readwrite");
    await Promise.all([...sha256.map((one) => tx.store.delete(one)), tx.done]);
  }

  async snapshot(name: string): Promise<unknown> {
    return (await this.db.get("snapshots", name))?.data;
  }

  async keepSnapshot(name: string, data: unknown): Promise<void> {
    await this.db.put("snapshots", { name, data });
  }

  async sweep(before: string): Promise<void> {
    const tx = this.db.transaction("entries", "readwrite");
    const old = (await tx.store.getAll()).filter((entry) => isOver(entry) && entry.made_at < before);
    await Promise.all([...old.map((entry) => tx.store.delete(entry.key)), tx.done]);
  }

  close(): void {
    this.db.close();
  }
}

async function deviceOf(db: IDBPDatabase<Schema>): Promise<string> {
  const tx = db.transaction("meta", "readwrite", STRICT);
  const value = (await tx.store.get("device"))?.value ?? uuid();
  await Promise.all([tx.store.put({ name: "device", value }), tx.done]);
  return value;
}
