/** The beginning: which animal, which template. One tap each. */

import { el } from "../dom";
import { uuid } from "../ids";
import { scanWithCamera } from "../scan";
import { ageOf, facts, remarks, weightOf } from "./card";
import { hourOf, panel } from "./desk";
import { plain } from "./dose";
import type { Card, PlanItem, Room, Running, Template } from "./types";

const MOST_TILES = 24;

interface Chosen {
  start(card: Card, template: Template | undefined, plan: PlanItem[]): Promise<void>;
  goOn(surgery: string): void;
}

/** `found` asks the server too, for herds larger than a tablet keeps. */
export class Chooser {
  readonly node = el("div", { class: "choose" });
  private readonly tiles = el("div", { class: "tiles" });
  private readonly box = el("input", { id: "find-animal", type: "search", autocomplete: "off", spellcheck: "false", placeholder: "Three letters, a cage, or scan", "aria-label": "Find an animal by name or cage" });
  private readonly said = el("p", { class: "quiet", role: "status", "aria-live": "polite" });
  private readonly running = el("div", { class: "tiles" });
  private readonly card = el("div", { class: "chosen" });

  constructor(
    private room: Room,
    private own: Running[],
    private readonly does: Chosen,
    private readonly more: (query: string) => Promise<Card[]>,
  ) {
    const camera = el("button", { type: "button", class: "second", onclick: () => void this.camera() }, "Scan with the camera");
    this.box.addEventListener("input", () => void this.find(this.box.value));
    const runningPanel = panel("running", "Running", this.running);
    runningPanel.hidden = this.all().length === 0;
    this.node.append(runningPanel, panel("find", "Who is operated?", el("div", { class: "find-row" }, this.box, camera), this.said, this.card, this.tiles));
    this.shown();
  }

  update(room: Room, own: Running[]): void {
    this.room = room;
    this.own = own;
    (this.running.closest("section") as HTMLElement).hidden = this.all().length === 0;
    if (!this.card.firstChild) this.shown();
    else this.showRunning();
  }

  /** A code from a label: an address with an id, an id, a name, or a cage. */
  async code(code: string): Promise<void> {
    const id = /[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/i.exec(code)?.[0]?.toLowerCase();
    const said = (id ?? code).trim();
    const exact = this.room.animals.filter((one) => one.id === said || one.nickname.toLowerCase() === said.toLowerCase());
    const caged = this.room.animals.filter((one) => one.cage && one.cage.toLowerCase() === said.toLowerCase());
    const hits = exact.length ? exact : caged;
    if (hits.length === 1 && hits[0]) this.choose(hits[0]);
    else {
      this.box.value = id ? "" : said;
      await this.find(said);
    }
  }

  private all(): Running[] {
    const known = new Set(this.room.running.map((one) => one.id));
    return [...this.own.filter((one) => !known.has(one.id)), ...this.room.running];
  }

  private showRunning(): void {
    this.running.replaceChildren(
      ...this.all().map((one) =>
        el("button", { type: "button", class: "tile running", "data-surgery": one.id, onclick: () => this.does.goOn(one.id) }, el("strong", {}, one.nickname), el("span", {}, `since ${hourOf(one.started_at, one.zone)} (${one.zone}), ${one.people.join(", ") || "nobody named"}`)),
      ),
    );
  }

  private shown(): void {
    this.showRunning();
    void this.find(this.box.value);
  }

  private async find(query: string): Promise<void> {
    const said = query.trim().toLowerCase();
    this.card.replaceChildren();
    let hits = this.room.animals.filter((one) => !said || one.id === said || one.nickname.toLowerCase().includes(said) || one.cage.toLowerCase().startsWith(said) || (one.ear_mark && one.ear_mark.toLowerCase() === said));
    if (said && hits.length === 0 && this.room.more && navigator.onLine) {
      const found = await this.more(query).catch(() => []);
      for (const card of found) if (!this.room.animals.some((one) => one.id === card.id)) this.room.animals.push(card);
      hits = found;
    }
    const left = hits.length - MOST_TILES;
    this.said.textContent = hits.length === 0 ? (this.room.animals.length ? `No animal that you may operate is called so: “${query}”.` : "No living animal that you may operate is known on this tablet.") : left > 0 ? `${MOST_TILES} of ${hits.length}: type or scan to find the others.` : "";
    this.tiles.replaceChildren(
      ...hits.slice(0, MOST_TILES).map((one) =>
        el("button", { type: "button", class: "tile", "data-animal": one.nickname, onclick: () => this.choose(one) }, el("strong", {}, one.nickname), el("span", {}, [one.cage && `cage ${one.cage}`, ageOf(one), weightOf(one)].filter(Boolean).join(", "))),
      ),
    );
  }

  choose(card: Card): void {
    const templates = this.room.templates.filter((one) => one.lab === card.lab);
    const others = this.all().filter((one) => one.subject === card.id);
    const start = (template: Template | undefined) => async (): Promise<void> => {
      for (const button of this.card.querySelectorAll("button")) button.disabled = true;
      await this.does.start(card, template, planned(template));
    };
    const what = (template: Template): string => [template.implant_weight !== null && `implant ${plain(template.implant_weight)} g`, `${template.drugs.length} drugs`, `${template.parts.length} parts`].filter(Boolean).join(", ");
    this.tiles.replaceChildren();
    this.said.textContent = "";
    this.card.replaceChildren(
      el("div", { class: "chosen-card" }, el("h3", {}, card.nickname), remarks(card), facts(card)),
      el(
        "div",
        { class: "starts" },
        ...others.map((one) => el("button", { type: "button", onclick: () => this.does.goOn(one.id) }, el("strong", {}, "Go on with the running surgery"), el("span", {}, `since ${hourOf(one.started_at, one.zone)}`))),
        ...templates.map((one) => el("button", { type: "button", class: "start", "data-template": one.name, onclick: start(one) }, el("strong", {}, `Start: ${one.name}`), el("span", {}, one.description || what(one)))),
        el("button", { type: "button", class: "second start", onclick: start(undefined) }, el("strong", {}, "Start without a template"), el("span", {}, templates.length ? "" : "the lab has none yet")),
        el("button", { type: "button", class: "second", onclick: () => void this.find(this.box.value).then(() => this.box.focus()) }, "Another animal"),
      ),
    );
    this.card.querySelector<HTMLElement>("button")?.focus();
  }

  private async camera(): Promise<void> {
    try {
      const code = await scanWithCamera();
      if (code) await this.code(code);
    } catch (error) {
      this.said.textContent = error instanceof Error ? error.message : String(error);
    }
  }
}

/** The parts of a template, each with the key that it will have when it is done. */
export function planned(template: Template | undefined): PlanItem[] {
  return (template?.parts ?? []).map(({ part, ...values }) => ({ ...values, id: uuid(), part }));
}
