// The animal at work, large: what its weight means, and how each number comes about.
import { entryWords } from "./done";
import { button, h, say } from "./dom";
import type { Row, State } from "./round";
import type { Numbers, Rules } from "./rules";
import { g, reasonOf, SHAPES, STANDS, waterOf } from "./words";

export class Card {
  readonly element: HTMLElement;
  private readonly name = h("h2", {});
  private readonly where = h("span", { class: "where" });
  private readonly percent = h("p", { class: "percent" });
  private readonly reason = h("p", { class: "reason" });
  private readonly water = h("p", { class: "water" });
  private readonly expected = h("dd");
  private readonly minimum = h("dd");
  private readonly implant = h("dd");
  private readonly sources = h("p", { class: "sources" });
  private readonly undo: HTMLButtonElement;

  constructor(undo: () => void) {
    this.undo = button("Undo", "button undo", undo, { hidden: "" });
    const numbers = h("dl", {}, h("div", {}, h("dt", {}, "expected"), this.expected), h("div", {}, h("dt", {}, "minimum"), this.minimum), h("div", {}, h("dt", {}, "implant"), this.implant));
    const more = h("details", {}, h("summary", {}, "Where from?"), this.sources);
    this.element = h("section", { class: "card", "aria-label": "The animal at work" }, h("header", {}, this.name, this.where), this.percent, numbers, this.reason, this.water, h("div", { class: "foot" }, more, this.undo));
  }

  /** The way back, where the eyes are. */
  offer({ last, ...state }: State): void {
    this.undo.hidden = !last;
    if (last) say(this.undo, `Undo ${entryWords(last, { last, ...state })}`);
  }

  update(row: Row | undefined, live: { numbers: Numbers; weight: number | null } | undefined, rules: Rules): void {
    this.element.hidden = !row || !live;
    if (!row || !live) return;
    const { animal } = row;
    const { numbers, weight } = live;
    const status = weight === null ? "neutral" : numbers.status;
    say(this.name, animal.nickname);
    say(this.where, [animal.cage ? `cage ${animal.cage}` : "no cage", animal.lab, animal.responsible ? `with ${animal.responsible}` : ""].filter(Boolean).join(" · "));
    this.percent.className = `percent ${status}`;
    say(this.percent, weight === null || numbers.percentage === null ? "–" : `${numbers.percentage.toFixed(1)} % ${SHAPES[status]} ${STANDS[status]}`);
    say(this.expected, g(numbers.expected_g, 2));
    say(this.minimum, g(numbers.min_g, 2));
    say(this.implant, numbers.implant_g === null ? "not believed" : g(numbers.implant_g, 2));
    say(this.reason, weight === null ? lastWords(row, numbers) : reasonOf(animal, { ...row.case, weight_g: weight }, numbers, rules));
    say(this.water, weight === null && row.case.weight_g === null ? "" : waterOf({ ...row.case, weight_g: weight ?? row.case.weight_g }, numbers, rules));
    const from = Object.entries(animal.sources).map(([name, source]) => `${name}: ${source}`);
    say(this.sources, [`Percentage = (weight − implant) / (expected − implant)`, ...from, `Times are those of ${animal.zone}`].join(". ") + ".");
  }
}

/** Before it is weighed: how it stood when it last was. */
function lastWords({ animal, case: known }: Row, found: Numbers): string {
  if (!animal.last) return animal.bare ? "Its numbers were never read on this tablet; the weight is kept all the same." : "Never weighed.";
  const part = found.percentage !== null && known.weight_g === animal.last.g ? `, ${found.percentage.toFixed(1)} % of the expected weight` : "";
  return `Last: ${animal.last.g} g on ${animal.last.at_wall.slice(0, 10)} at ${animal.last.at_wall.slice(11, 16)} (${animal.zone})${part}.`;
}
