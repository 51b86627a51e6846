// The end of the list: how many are weighed, who is not, what waits for an answer, and the way back.
import type { Entry } from "../journal";
import { button, h, say } from "./dom";
import { grams, millilitres, type State, WEIGHT } from "./round";
import { plain } from "./words";

export class Done {
  readonly element: HTMLElement;
  private readonly title = h("h2", { tabindex: "-1" });
  private readonly left = h("div", { class: "left" });
  private readonly undo: HTMLButtonElement;
  private shown = "";

  constructor(private readonly go: (id: string) => void, undo: () => void) {
    this.undo = button("Undo last", "button undo", undo);
    this.element = h("section", { class: "done", "aria-label": "The round" }, this.title, this.left, this.undo);
  }

  focus(): void {
    this.title.focus({ preventScroll: true });
    this.element.scrollIntoView({ block: "nearest" });
  }

  update(state: State): void {
    const { rows, weighed, last } = state;
    this.element.classList.toggle("all", rows.length > 0 && weighed === rows.length && state.asks === 0);
    say(this.title, rows.length ? `${weighed} of ${rows.length} weighed${weighed === rows.length ? " ✓" : ""}` : "");
    const groups: [string, string[]][] = [
      ["Waits for your answer", rows.filter((row) => row.asked.length + row.kept.length > 0).map((row) => row.animal.id)],
      ["Not weighed", rows.filter((row) => !row.isWeighed && row.asked.length + row.kept.length === 0).map((row) => row.animal.id)],
    ];
    const names = new Map(rows.map((row) => [row.animal.id, row.animal.nickname]));
    const now = JSON.stringify(groups.map(([title, ids]) => [title, ids.map((id) => names.get(id))]));
    if (now !== this.shown) {
      this.shown = now;
      const parts = groups.filter(([, ids]) => ids.length).map(([title, ids]) => h("div", {}, h("h3", {}, `${title}: ${ids.length}`), h("div", { class: "names" }, ...ids.map((id) => button(names.get(id)!, "button", () => this.go(id))))));
      this.left.replaceChildren(...parts);
    }
    this.left.hidden = this.left.childElementCount === 0;
    this.undo.hidden = !last;
    if (last) say(this.undo, `Undo last: ${entryWords(last, state)}`);
  }
}

/** "M1 23.4 g". */
export function entryWords(entry: Entry, { rows }: State): string {
  const name = rows.find((row) => row.animal.id === entry.about)?.animal.nickname ?? "";
  return `${name} ${entry.kind === WEIGHT ? `${plain(grams(entry))} g` : `${millilitres(entry).toFixed(2)} mL`}`;
}
