// Big keys for fingers in gloves. They type into the box of the animal at work; the box keeps the focus.
import { h } from "./dom";

const KEYS = ["7", "8", "9", "4", "5", "6", "1", "2", "3", ".", "0", "⌫"];
const NAMES: Record<string, string> = { "⌫": "delete the last digit", ".": "decimal point" };

export function pad(box: () => HTMLInputElement | undefined, enter: () => void): HTMLElement {
  const press = (key: string): void => {
    const target = box();
    if (!target) return;
    target.focus();
    const whole = target.selectionStart === 0 && target.selectionEnd === target.value.length;
    if (key === "⌫") target.value = whole ? "" : target.value.slice(0, -1);
    else target.value = (whole ? "" : target.value) + key;
    target.dispatchEvent(new Event("input", { bubbles: true }));
  };
  const keys = KEYS.map((key) => {
    const made = h("button", { type: "button", class: "key", tabindex: "-1", "data-key": key, "aria-label": NAMES[key] ?? key }, key);
    made.addEventListener("click", () => press(key));
    return made;
  });
  const next = h("button", { type: "button", class: "key enter", tabindex: "-1", "data-key": "Enter", "aria-label": "Enter: record, next animal" }, "Enter");
  next.addEventListener("click", enter);
  const made = h("div", { class: "pad", role: "group", "aria-label": "Number pad" }, ...keys, next);
  made.addEventListener("mousedown", (event) => event.preventDefault()); // the box keeps the focus
  return made;
}
