/** What every panel of the screen works with. */

import { el } from "../dom";
import type { Journal } from "../journal";
import type { Entry } from "../types";
import type { View } from "./fold";
import type { Room } from "./types";

export interface Desk {
  journal: Journal;
  room: Room;
  id: string;
  view: View;
  /** Milliseconds that the server's clock is ahead. */
  skewMs(): number;
  /** One tap: durable on the device, shown, and offered to be taken back. `said` names it. */
  record(kind: string, body: object, said: string): Promise<Entry | undefined>;
  /** A number or text being changed: pauses end the edit. */
  write(field: string, value: string): void;
  /** Take an item back, whoever made it. */
  takeBack(entry: Entry | undefined, part: string, id: string, said: string): Promise<void>;
}

export interface Panel {
  node: HTMLElement;
  show(view: View): void;
}

/** A titled part of the screen. */
export function panel(name: string, title: string, ...children: (Node | string)[]): HTMLElement {
  const heading = el("h2", { id: `${name}-title` }, title);
  return el("section", { class: `panel ${name}`, id: name, "aria-labelledby": `${name}-title` }, heading, ...children);
}

/** Keep the children in step with the items: what is there stays, so that no tap and no focus is lost. */
export function keyed<T>(parent: Element, items: T[], key: (item: T) => string, make: (item: T) => Element, show: (node: Element, item: T) => void): void {
  const there = new Map([...parent.children].map((node) => [(node as HTMLElement).dataset.key ?? "", node]));
  let before: Element | null = null;
  for (const item of items) {
    const name = key(item);
    let node = there.get(name);
    if (node) there.delete(name);
    else {
      node = make(item);
      (node as HTMLElement).dataset.key = name;
    }
    show(node, item);
    const place: Element | null = before ? before.nextElementSibling : parent.firstElementChild;
    if (place !== node) parent.insertBefore(node, place);
    before = node;
  }
  for (const node of there.values()) node.remove();
}

export function setText(node: Element | null, text: string): void {
  if (node && node.textContent !== text) node.textContent = text;
}

/** `14:03`, in the lab's zone. */
export function hourOf(instant: string | null, zone: string): string {
  if (!instant) return "";
  return new Intl.DateTimeFormat("en-GB", { timeZone: zone, hour: "2-digit", minute: "2-digit", hourCycle: "h23" }).format(new Date(instant));
}

/** The same, with the date where it is not today. */
export function momentOf(instant: number, now: number, zone: string): string {
  const day = (at: number): string => new Intl.DateTimeFormat("en-CA", { timeZone: zone }).format(new Date(at));
  const hour = hourOf(new Date(instant).toISOString(), zone);
  return day(instant) === day(now) ? hour : `${day(instant)} ${hour}`;
}

/** `1:04 h` or `12 min`. */
export function lasting(ms: number): string {
  const minutes = Math.max(0, Math.floor(ms / 60_000));
  return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, "0")} min`;
}
