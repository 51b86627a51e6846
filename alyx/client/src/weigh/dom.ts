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

const TWICE_MS = 500;

/** Not a second time at once: a finger that trembles taps twice. */
export function calmly<A extends unknown[]>(act: (...given: A) => void): (...given: A) => void {
  let last = -TWICE_MS;
  return (...given) => {
    const now = performance.now();
    if (now - last < TWICE_MS) return;
    last = now;
    act(...given);
  };
}
