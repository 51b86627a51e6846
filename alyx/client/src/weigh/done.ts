// The end of the list: how many are weighed, who is not, what waits for an answer, and the way back.
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
    this.title.focus();
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
    this.undo.hidden = !last;
    if (last) {
      const what = last.kind === WEIGHT ? `${plain(grams(last))} g` : `${millilitres(last).toFixed(2)} mL`;
      say(this.undo, `Undo last: ${names.get(last.about ?? "") ?? ""} ${what}`);
    }
  }
}
