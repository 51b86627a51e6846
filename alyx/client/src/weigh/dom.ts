// Small things about elements.
import { el } from "../dom";

export { el as h } from "../dom";

/** Only where it differs, so that nothing is read out or drawn again for nothing. */
export function say(element: Element, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

export function button(label: string, className: string, act: () => void, more: Record<string, string> = {}): HTMLButtonElement {
  return el("button", { type: "button", class: className, onclick: act, ...more }, label);
}
