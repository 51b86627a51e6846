/** Whose journals are on this device. */

import { openDB } from "idb";
import { PREFIX } from "./idb_store";

export interface Waiting {
  name: string;
  unsent: number;
}

const NAMES = "alyx-bench-people";

/** Note that this person works here; who else has entries here that were not sent. */
export async function remembered(user: { id: string; name: string }): Promise<Waiting[]> {
  try {
    const people = JSON.parse(localStorage.getItem(NAMES) ?? "{}") as Record<string, string>;
    localStorage.setItem(NAMES, JSON.stringify({ ...people, [user.id]: user.name }));
    const there = new Set((await indexedDB.databases()).map((one) => one.name));
    const others = Object.entries(people).filter(([id]) => id !== user.id && there.has(PREFIX + id));
    const found = await Promise.all(others.map(async ([id, name]) => ({ name, unsent: await waiting(PREFIX + id) })));
    return found.filter((one) => one.unsent > 0);
  } catch {
    return [];
  }
}

async function waiting(database: string): Promise<number> {
  const db = await openDB(database);
  try {
    return (await db.countFromIndex("entries", "todo")) + (await db.count("drafts"));
  } finally {
    db.close();
  }
}
