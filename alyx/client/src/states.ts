/** What each state is called, always with a shape beside the word. */

import type { Entry } from "./types";

export interface Shown {
  word: string;
  shape: string;
  name: string;
}

const STATES: Record<string, Shown> = {
  local: { word: "on this tablet", shape: "●", name: "local" },
  sending: { word: "being sent", shape: "◐", name: "sending" },
  confirmed: { word: "saved", shape: "✓", name: "confirmed" },
  asked: { word: "is it right?", shape: "?", name: "asked" },
  kept: { word: "kept: look at it", shape: "!", name: "kept" },
  undone: { word: "undone", shape: "↶", name: "ended" },
  discarded: { word: "put aside", shape: "–", name: "ended" },
};

export function shown(entry: Entry): Shown {
  return STATES[entry.ended && entry.state !== "local" && entry.state !== "sending" ? entry.ended : entry.state] as Shown;
}

/** Write the state beside a field: `<span class="state">` is made when it is missing. */
export function mark(element: HTMLElement, entry: Entry): void {
  let badge = element.querySelector<HTMLElement>(":scope > .state");
  if (!badge) {
    badge = document.createElement("span");
    badge.className = "state";
    element.append(badge);
  }
  const { word, shape, name } = shown(entry);
  if (badge.dataset.state === name) return;
  badge.dataset.state = name;
  badge.textContent = `${shape} ${word}`;
}
