// Water in the row: how much, and what would be over then, before it is given with one tap.
import { button, calmly, h, say } from "./dom";
import type { Numbers } from "./rules";
import { hundredths, restWords } from "./words";

const STEP_ML = 0.1;

export class Supplement {
  readonly element: HTMLDivElement;
  private readonly give: HTMLButtonElement;
  private readonly then = h("output", { class: "then" });
  private readonly given = h("span", { class: "given" });
  private extra = 0;
  private due: number | null = null;

  constructor(nickname: string, act: (volume_ml: number) => void) {
    const step = (by: number, label: string, sign: string): HTMLButtonElement =>
      button(sign, "button step", () => this.step(by), { "aria-label": `${label} water for ${nickname}` });
    const give = calmly(() => {
      const volume = this.volume();
      this.extra = 0;
      if (volume > 0) act(volume);
    });
    this.give = button("", "button give", give);
    this.element = h("div", { class: "supplement", hidden: true, role: "group", "aria-label": `Supplement of ${nickname}` }, this.given, step(-STEP_ML, "Less", "−"), this.give, step(STEP_ML, "More", "+"), this.then);
  }

  /** null: nothing to give here. */
  update(numbers: Numbers | null, isUrgent: boolean, given_ml: number): void {
    this.due = numbers?.remaining_ml ?? null;
    const isDue = this.due !== null && hundredths(this.due) > 0;
    this.element.hidden = !isDue;
    this.element.classList.toggle("urgent", isUrgent);
    say(this.given, given_ml > 0 ? `${given_ml.toFixed(2)} mL given` : "");
    this.draw();
  }

  private volume(): number {
    return Math.max(hundredths((this.due ?? 0) + this.extra), 0);
  }

  private step(by: number): void {
    this.extra = this.volume() + by >= 0 ? this.extra + by : this.extra;
    this.draw();
  }

  private draw(): void {
    const volume = this.volume();
    say(this.give, `Give ${volume.toFixed(2)} mL`);
    this.give.disabled = volume <= 0;
    say(this.then, this.due === null ? "" : `then ${restWords(this.due - volume)}`);
  }
}
