// One animal of the round on the screen: its box, what the weight in it means, what is asked about it, its supplement.
import type { Entry } from "../journal";
import { shown as standing } from "../states";
import { button, h, say } from "./dom";
import { gramsIn } from "./reading";
import { grams, millilitres, preview, type Row, WEIGHT } from "./round";
import type { Numbers, Rules } from "./rules";
import { Supplement } from "./supplement";
import { whenWords } from "./times";
import { plain, reasonOf, restBriefly, SHAPES, STANDS } from "./words";

export interface Acts {
  typed(id: string, text: string): void;
  enter(id: string): void;
  move(id: string, by: number): void;
  chosen(id: string): void;
  right(entry: Entry): void;
  correct(id: string, entry: Entry): void;
  drop(id: string, entry: Entry): void;
  give(id: string, volume_ml: number): void;
}

const OTHERS = { name: "confirmed", shape: "✓", word: "saved" };

export class RowView {
  readonly element: HTMLLIElement;
  readonly box: HTMLInputElement;
  private readonly last = h("small", { class: "last" });
  private readonly stand = h("output", { class: "stand" });
  private readonly due = h("span", { class: "due" });
  private readonly mark = h("span", { class: "mark" });
  private readonly hint = h("p", { class: "hint", role: "alert", hidden: true });
  private readonly more = h("div", { class: "more", hidden: true });
  private readonly supplement: Supplement;
  private asks = "";
  row!: Row;

  constructor(readonly id: string, nickname: string, private readonly acts: Acts) {
    this.box = h("input", {
      type: "text", inputmode: "none", autocomplete: "off", enterkeyhint: "next", spellcheck: "false", class: "grams", id: `g-${id}`,
      "aria-label": `Weight of ${nickname} in grams`, "aria-describedby": `s-${id} d-${id} h-${id}`,
    });
    this.stand.id = `s-${id}`;
    this.due.id = `d-${id}`;
    this.hint.id = `h-${id}`;
    this.supplement = new Supplement(nickname, (volume) => this.acts.give(id, volume));
    const name = h("label", { class: "name", for: `g-${id}` }, h("b", {}, nickname), this.last);
    const line = h("div", { class: "line" }, name, h("span", { class: "boxed" }, this.box, h("span", { class: "unit", "aria-hidden": "true" }, "g")), this.stand, this.due, this.mark);
    this.element = h("li", { class: "row", "data-id": id }, line, this.hint, this.more, this.supplement.element);
    line.addEventListener("click", (event) => {
      if (event.target !== this.box) this.box.focus();
    });
    this.box.addEventListener("focus", () => {
      this.box.dataset["touched"] = "";
      this.acts.chosen(id);
    });
    this.box.addEventListener("input", () => {
      this.box.dataset["touched"] = "1";
      this.acts.typed(id, this.box.value);
    });
    this.box.addEventListener("keydown", (event) => this.key(event));
  }

  private key(event: KeyboardEvent): void {
    if (event.key === "Enter") this.acts.enter(this.id);
    else if (event.key === "ArrowDown") this.acts.move(this.id, 1);
    else if (event.key === "ArrowUp") this.acts.move(this.id, -1);
    else if (event.key === "Escape") {
      this.box.value = "";
      this.box.dispatchEvent(new Event("input"));
    } else return;
    event.preventDefault();
  }

  /** Say beside the box why what is in it was not taken; "": nothing is wrong. */
  complain(text: string): void {
    say(this.hint, text);
    this.hint.hidden = text === "";
    this.box.setAttribute("aria-invalid", String(text !== ""));
  }

  /** The numbers with what is being typed, else those that stand. */
  live(rules: Rules): { numbers: Numbers; weight: number | null } {
    const typed = document.activeElement === this.box || this.box.dataset["draft"] ? gramsIn(this.box.value) : undefined;
    if (typed !== undefined && typed > 0) return { numbers: preview(this.row, typed, rules), weight: typed };
    return { numbers: this.row.numbers, weight: this.row.isWeighed || this.row.asked.length ? this.row.case.weight_g : null };
  }

  update(row: Row, rules: Rules, now: Date, isCurrent: boolean): void {
    this.row = row;
    const { animal, weight } = row;
    const asking = row.asked.find((one) => one.entry.kind === WEIGHT)?.entry;
    const shown = weight ? plain(weight.g) : asking ? plain(grams(asking)) : "";
    const isTyping = document.activeElement === this.box && this.box.dataset["touched"] === "1";
    if (!isTyping && !this.box.dataset["draft"] && this.box.value !== shown) {
      this.box.value = shown;
      if (document.activeElement === this.box) this.box.select();
    }
    this.element.classList.toggle("weighed", row.isWeighed);
    this.element.classList.toggle("asks", row.asked.length + row.kept.length > 0);
    if (isCurrent) this.element.setAttribute("aria-current", "true");
    else this.element.removeAttribute("aria-current");
    say(this.last, lastWords(row, now));
    const { numbers, weight: g } = this.live(rules);
    const status = g === null ? "neutral" : numbers.status;
    this.stand.className = `stand ${status}`;
    say(this.stand, g === null || numbers.percentage === null ? (g === null ? "" : "no percentage") : `${SHAPES[status]} ${numbers.percentage.toFixed(1)} % ${STANDS[status]}`);
    this.stand.title = g === null ? "" : reasonOf(animal, { ...row.case, weight_g: g }, numbers, rules);
    say(this.due, dueWords(numbers, g, row));
    this.updateMark(row);
    this.updateAsked(row);
    const isLight = status === "failed" || status === "critical";
    this.supplement.update(row.isWeighed && (isLight || isCurrent) ? numbers : null, isLight, row.waters.reduce((sum, one) => sum + millilitres(one), 0));
  }

  /** What became of what was typed; of others' weights, by whom they are. */
  private updateMark(row: Row): void {
    const asked = row.kept[0]?.entry ?? row.asked[0]?.entry;
    const entry = asked ?? latest(row);
    const { name, shape, word } = entry ? standing(row.asked.length && entry.state !== "kept" ? { ...entry, state: "asked" } : entry) : OTHERS;
    this.mark.dataset["state"] = entry || row.weight ? name : "";
    say(this.mark, entry || row.weight ? `${shape} ${word}` : "");
  }

  /** Each doubt with its reason and two answers; what could not be applied with where to decide. Elements stay: a finger is on its way. */
  private updateAsked(row: Row): void {
    const all = [...row.asked.map((one) => ({ ...one, isKept: false })), ...row.kept.map((one) => ({ ...one, isKept: true }))];
    const now = all.map((one) => `${one.entry.key} ${one.isKept}`).join("\n");
    if (now !== this.asks) {
      this.asks = now;
      this.more.hidden = all.length === 0;
      this.more.replaceChildren(...all.map((one) => this.question(row.animal.nickname, one.entry, one.isKept)));
    }
    this.more.querySelectorAll(".why").forEach((element, at) => say(element, all[at]?.reason ?? ""));
  }

  private question(name: string, entry: Entry, isKept: boolean): HTMLElement {
    const what = entry.kind === WEIGHT ? `${plain(grams(entry))} g` : `${millilitres(entry).toFixed(2)} mL`;
    const answers = isKept
      ? [
          h("a", { class: "button", href: "/bench/kept/" }, "Decide"),
          button("Discard", "button", () => this.acts.drop(this.id, entry), { "aria-label": `Discard ${what} of ${name}` }),
        ]
      : [
          button("It is right", "button", () => this.acts.right(entry), { "aria-label": `It is right: ${what} for ${name}` }),
          button("Correct it", "button", () => this.acts.correct(this.id, entry), { "aria-label": `Correct ${what} of ${name}` }),
        ];
    const said = h("p", {}, h("b", {}, what), isKept ? " is kept, not stored: " : " is asked about: ", h("span", { class: "why" }));
    return h("div", { class: "asked", role: "group", "aria-label": `${name}, ${what}` }, said, h("span", { class: "answers" }, ...answers));
  }
}

function latest(row: Row): Entry | undefined {
  const both = [...row.weights, ...row.waters].sort((one, other) => one.seq - other.seq);
  return both.find((one) => one.state !== "confirmed") ?? both.at(-1);
}

function lastWords(row: Row, now: Date): string {
  const { animal } = row;
  const today = row.weight;
  if (today) return `${whenWords(today.at_wall, now, animal.zone)}${today.by ? ` by ${today.by}` : ""}`;
  if (animal.bare) return "numbers not on this tablet";
  return animal.last ? `${plain(animal.last.g)} g ${whenWords(animal.last.at_wall, now, animal.zone)}` : "never weighed";
}

function dueWords(numbers: Numbers, weight: number | null, row: Row): string {
  if (!row.case.is_restricted) return "not restricted";
  if (row.case.is_adlib) return "ad libitum";
  return weight === null && row.case.weight_g === null ? "" : restBriefly(numbers.remaining_ml);
}
