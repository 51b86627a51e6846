/** Two texts of one field, side by side: keep one or join them, by a tap. Nobody's text is lost. */

import { el } from "./dom";
import { isClash, type Journal } from "./journal";
import type { Entry } from "./types";

/** Show the conflicts of what `about` (all, when it is undefined) into the place, and keep it up to date. Returns how to stop. */
export function mountConflicts(journal: Journal, place: HTMLElement, about?: string): () => void {
  const show = async (): Promise<void> => {
    const clashes = newest((await journal.entries(about)).filter(isClash));
    place.replaceChildren(...clashes.map((entry) => conflict(journal, entry)));
    place.hidden = clashes.length === 0;
  };
  void show();
  return journal.onChange(() => void show());
}

/** Of several edits of one field that clashed, the last says what its author wants. */
function newest(clashes: Entry[]): Entry[] {
  const found = new Map<string, Entry>();
  for (const entry of clashes) found.set(JSON.stringify([entry.kind, entry.about, entry.body.field]), entry);
  return [...found.values()];
}

export function conflict(journal: Journal, entry: Entry): HTMLElement {
  const result = entry.answer?.result ?? {};
  const mine = String(result.mine ?? entry.body.value ?? "");
  const theirs = String(result.theirs ?? "");
  const choose = (text: string) => () => void journal.resolve(entry.key, text);
  const side = (title: string, text: string, button: string): HTMLElement =>
    el("div", { class: "side" }, el("h3", {}, title), el("p", { class: "text" }, text || "(empty)"), el("button", { type: "button", onclick: choose(text) }, button));
  return el(
    "section",
    { class: "conflict", "data-key": entry.key, "aria-label": `Two texts of ${String(entry.body.field)}` },
    el("h2", {}, `! ${String(entry.body.field)}: somebody else changed it meanwhile`),
    el("div", { class: "sides" }, side("Yours", mine, "Keep yours"), side("On the server", theirs, "Keep theirs")),
    el("button", { type: "button", class: "second", onclick: choose(`${theirs}\n${mine}`) }, "Join both"),
  );
}
