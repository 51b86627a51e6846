// Above the list: how far the round is, and which animals are on it.
import { h, say } from "./dom";
import type { State } from "./round";

export interface Wanted {
  found(code: string): string;
  lab(name: string): void;
  all(): void;
}

export class Head {
  readonly element: HTMLElement;
  private readonly asks = h("span", { class: "asks" });
  private readonly which = h("span", { class: "which" });
  private readonly progress = h("p", { class: "progress", role: "status" });
  private readonly bar = h("progress", { max: "1", value: "0", "aria-hidden": "true" });
  private readonly find = h("input", { type: "search", id: "find", autocomplete: "off", enterkeyhint: "go", placeholder: "Scan or type a name", "aria-describedby": "find-said" });
  private readonly said = h("p", { class: "said", id: "find-said", role: "alert", hidden: true });
  private readonly labs = h("select", { id: "lab" });
  private readonly labOf = h("label", { class: "lab", for: "lab" }, "Lab ", this.labs);
  private readonly all = h("button", { type: "button", class: "button all", hidden: true }, "All restricted");
  readonly tools = h("span", { class: "tools" });

  constructor(wanted: Wanted) {
    const finder = h("form", { class: "finder", role: "search" }, h("label", { for: "find" }, "Animal or cage"), this.find, this.tools);
    finder.addEventListener("submit", (event) => {
      event.preventDefault();
      const complaint = this.find.value.trim() ? wanted.found(this.find.value) : "";
      this.complain(complaint);
      if (!complaint) this.find.value = "";
    });
    this.labs.addEventListener("change", () => wanted.lab(this.labs.value));
    this.all.addEventListener("click", () => wanted.all());
    this.element = h("header", { class: "head" }, h("div", { class: "count" }, this.progress, this.bar, this.asks, this.which), finder, this.labOf, this.all, this.said);
  }

  complain(text: string): void {
    say(this.said, text);
    this.said.hidden = text === "";
  }

  update(state: State, asked: { cage: string; lab: string }, labs: string[], zones: string[]): void {
    say(this.which, `${asked.cage ? `cage ${asked.cage}` : "restricted"} · ${zones.join(", ")} time`);
    say(this.asks, state.asks ? `${state.asks} to decide` : "");
    say(this.progress, `${state.weighed}/${state.rows.length}`);
    this.bar.max = Math.max(state.rows.length, 1);
    this.bar.value = state.weighed;
    this.labOf.hidden = labs.length < 2;
    const names = ["", ...labs];
    if (this.labs.options.length !== names.length) this.labs.replaceChildren(...names.map((name) => h("option", { value: name }, name || "all my labs")));
    if (this.labs.value !== asked.lab) this.labs.value = asked.lab;
    this.all.hidden = asked.cage === "";
  }
}
