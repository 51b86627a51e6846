/** Correcting when a line happened: steps of minutes, now, or typed. */

import { el } from "../dom";
import type { Desk } from "./desk";
import { hourOf, setText } from "./desk";
import { dayOf, doubted, minutesOf, momentAt } from "./moment";

export interface Timed {
  id: string;
  part: string;
  at: string;
  text: string;
}

/** The editor of one line; `closed` is called when it is to go, after what was set is shown. */
export function timeEditor(desk: Desk, line: Timed, closed: () => void): HTMLElement {
  const zone = desk.view.zone;
  const was = Date.parse(line.at);
  const now = (): number => Date.now() + desk.skewMs();
  const started = (): number | undefined => (desk.view.startedAt ? Date.parse(desk.view.startedAt) : undefined);
  let at: number | undefined = was;
  const name = `time-${line.part}-${line.id}`;
  const box = el("input", { id: name, type: "text", inputmode: "numeric", autocomplete: "off", maxlength: "5", placeholder: "HH:MM", "aria-label": `Time of ${line.text}, hours and minutes (${zone})`, "aria-describedby": `${name}-said` });
  const said = el("p", { class: "time-said", id: `${name}-said`, role: "status" });
  const set = el("button", { type: "submit" }, "Set");
  const show = (): void => {
    set.disabled = at === undefined;
    said.classList.toggle("warning", at === undefined);
    if (at === undefined) {
      setText(said, "Hours and minutes, as 14:03");
      return;
    }
    const doubt = doubted(line.part, at, started(), now());
    const day = dayOf(at, zone) === dayOf(was, zone) ? "" : `On ${dayOf(at, zone)}. `;
    said.classList.toggle("warning", doubt !== "");
    setText(said, `${day}${doubt && `▲ This is ${doubt}: it will be asked back.`}`.trim());
  };
  const move = (to: number): void => {
    at = to;
    box.value = hourOf(new Date(at).toISOString(), zone);
    show();
  };
  const step = (words: string, label: string, by: number): HTMLElement => el("button", { type: "button", class: "step", "aria-label": label, onclick: () => move((at ?? was) + by * 60_000) }, words);
  box.addEventListener("input", () => {
    const minutes = minutesOf(box.value);
    at = minutes === undefined ? undefined : momentAt(minutes, zone, was, line.part === "start" ? Number.NEGATIVE_INFINITY : (started() ?? Number.NEGATIVE_INFINITY), now());
    show();
  });
  const steps = el("div", { class: "time-steps" }, step("−5", "5 minutes earlier", -5), step("−1", "1 minute earlier", -1), step("+1", "1 minute later", 1), el("button", { type: "button", class: "step", onclick: () => move(now()) }, "Now"));
  const back = el("button", { type: "button", class: "second", onclick: closed }, "Cancel");
  const form = el("form", { class: "time-editor", role: "group", "aria-label": `Time of ${line.text}` }, steps, el("label", { class: "time-box" }, box, el("span", { class: "unit" }, zone)), el("div", { class: "time-buttons" }, back, set), said);
  form.addEventListener("keydown", (event) => {
    if (event.key === "Escape") closed();
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (at === undefined) return;
    const hour = hourOf(new Date(at).toISOString(), zone);
    const nothing = hour === hourOf(line.at, zone) && Math.abs(at - was) < 60_000;
    set.disabled = true;
    const body = { part: line.part, id: line.id, at: new Date(at).toISOString(), base: line.at, what: line.text };
    void (nothing ? Promise.resolve(undefined) : desk.record("surgery.time", body, `${line.text} at ${hour}`)).then(closed);
  });
  move(was);
  return form;
}
