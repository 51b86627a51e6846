/** What a person writes or dictates: every keystroke is in the journal; what others wrote comes in when one pauses. */

import { el } from "../dom";
import { mark } from "../states";
import type { Desk, Panel } from "./desk";
import { panel } from "./desk";
import type { View } from "./fold";

const PAUSE_MS = 3_000;

export function narrativePanel(desk: Desk): Panel {
  const box = el("textarea", { id: "narrative-box", rows: "5", "aria-labelledby": "narrative-title", placeholder: "What was seen and done. Nobody has to write here." });
  const state = el("p", { class: "field-state", "aria-live": "polite" });
  const node = panel("narrative", "Narrative", box, state);
  let typedAt = 0;
  box.addEventListener("input", () => {
    typedAt = Date.now();
    state.replaceChildren(el("span", { class: "state", "data-state": "typing" }, "…")); // until it is in the journal
    desk.write("narrative", box.value.replaceAll("\0", ""));
  });
  return {
    node,
    show(view: View) {
      const said = view.fields.narrative;
      const value = String(said?.value ?? "");
      if (said?.entry && value === box.value) mark(state, said.entry);
      if (box.value === value || Date.now() - typedAt < PAUSE_MS) return;
      const [from, to, grown] = [box.selectionStart, box.selectionEnd, value.length - box.value.length];
      const shift = document.activeElement === box && !value.startsWith(box.value.slice(0, from)) ? grown : 0;
      box.value = value;
      if (said?.entry) mark(state, said.entry);
      if (document.activeElement === box) box.setSelectionRange(from + shift, to + shift);
    },
  };
}
