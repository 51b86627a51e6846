/** A number with − and +: no keyboard is needed, and one may be used, with a point or a comma. */

import { el } from "../dom";
import { parseNumber } from "../numbers";
import { stepped } from "./dose";

export interface Stepper {
  node: HTMLElement;
  /** Show a value from elsewhere, unless somebody is typing here. */
  set(value: number | null): void;
  readonly value: number | null;
}

interface Options {
  name: string;
  label: string;
  unit: string;
  step: number;
  /** From where − and + begin when there is no number yet. */
  from?: () => number;
  least?: number;
  changed: (value: number | null) => void;
}

export function stepper({ name, label, unit, step, from = () => 0, least, changed }: Options): Stepper {
  let value: number | null = null;
  let typing = false;
  const box = el("input", { id: `${name}-box`, type: "text", inputmode: "decimal", autocomplete: "off", "aria-label": `${label} (${unit})`, "aria-describedby": `${name}-fault` });
  const fault = el("span", { class: "fault", id: `${name}-fault`, role: "status" });
  const tell = (next: number | null): void => {
    value = next;
    changed(next);
  };
  const move = (by: number): void => {
    typing = false;
    fault.textContent = "";
    const next = stepped(value ?? from(), value === null ? 0 : by);
    const bounded = least === undefined ? next : Math.max(least, next);
    box.value = String(bounded);
    tell(bounded);
  };
  box.addEventListener("input", () => {
    typing = true;
    if (box.value.trim() === "") {
      fault.textContent = "";
      tell(null);
      return;
    }
    const said = parseNumber(box.value);
    const low = said.value !== undefined && least !== undefined && said.value < least;
    fault.textContent = low ? `${said.value} is below ${least}` : (said.reason ?? "");
    if (said.value !== undefined && !low) tell(said.value);
  });
  box.addEventListener("blur", () => {
    typing = false;
  });
  const less = el("button", { type: "button", class: "step", "aria-label": `${label}: less`, onclick: () => move(-step) }, "−");
  const more = el("button", { type: "button", class: "step", "aria-label": `${label}: more`, onclick: () => move(step) }, "+");
  const words = el("span", { class: "stepper-label" }, label);
  const node = el("div", { class: "stepper", id: name, role: "group", "aria-label": label }, words, less, el("span", { class: "stepper-box" }, box, el("span", { class: "unit" }, unit)), more, fault);
  return {
    node,
    set(next) {
      if (typing || next === value) return;
      value = next;
      box.value = next === null ? "" : String(next);
    },
    get value() {
      return value;
    },
  };
}
