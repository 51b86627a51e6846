// The rows in the order of the cages. Rows stay the same elements as long as the animals do: the focus and what is typed survive.
import { h } from "./dom";
import type { Row } from "./round";
import { type Acts, RowView } from "./rowview";
import type { Rules } from "./rules";

export class List {
  readonly element = h("div", { class: "list" });
  readonly views = new Map<string, RowView>();
  private order = "";

  constructor(private readonly acts: Acts) {}

  update(rows: Row[], rules: Rules, now: Date, current: string): void {
    const order = rows.map((row) => `${row.animal.id} ${row.animal.lab} ${row.animal.cage} ${row.animal.nickname}`).join("\n");
    const isNew = order !== this.order;
    this.order = order; // before the rows are arranged: giving the focus back draws again
    if (isNew) this.arrange(rows);
    for (const row of rows) this.views.get(row.animal.id)!.update(row, rules, now, row.animal.id === current);
  }

  private arrange(rows: Row[]): void {
    const focused = [...this.views].find(([, view]) => view.box === document.activeElement)?.[0] ?? "";
    const isMany = new Set(rows.map((row) => row.animal.lab)).size > 1;
    const cages = new Map<string, Row[]>();
    for (const row of rows) {
      const cage = row.animal.cage ? `Cage ${row.animal.cage}` : "No cage";
      const title = isMany ? `${cage} · ${row.animal.lab}` : cage;
      cages.set(title, [...(cages.get(title) ?? []), row]);
    }
    const names = new Map(rows.map((row) => [row.animal.id, row.animal.nickname]));
    for (const [id, view] of this.views) if (names.get(id) !== view.row?.animal.nickname) this.views.delete(id);
    const parts = [...cages].map(([title, animals]) => {
      const items = animals.map((row) => this.viewOf(row).element);
      return h("section", { class: "cage", "aria-label": title }, h("h2", {}, title), h("ul", {}, ...items));
    });
    this.element.replaceChildren(...parts);
    this.views.get(focused)?.box.focus();
  }

  private viewOf(row: Row): RowView {
    const found = this.views.get(row.animal.id) ?? new RowView(row.animal.id, row.animal.nickname, this.acts);
    this.views.set(row.animal.id, found);
    return found;
  }
}
