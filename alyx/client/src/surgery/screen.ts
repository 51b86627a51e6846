/** The running surgery: panels around one view, folded from the server's state and the journal. */

import { el } from "../dom";
import type { Journal } from "../journal";
import { offerUndo } from "../screen";
import type { Entry } from "../types";
import { ageOf, cardPanel, remarksOf, weightOf } from "./card";
import type { Desk, Panel } from "./desk";
import { setText } from "./desk";
import { drugsPanel } from "./drugs";
import { endDialog } from "./end";
import { fold, unsure, type View } from "./fold";
import { narrativePanel } from "./narrative";
import { numbersPanel } from "./numbers_panel";
import { photosPanel } from "./photos";
import { sitesPanel } from "./sites";
import { isofluranePanel, stepsPanel } from "./steps";
import { timelinePanel } from "./timeline";
import { timersPanel } from "./timers";
import { troublesPanel } from "./troubles";
import type { Room, Surgery } from "./types";

const POLL_MS = 4_000;
const SOON_MS = 250;
const MOST_ASKED = 100;
/** Less than this is the time that a request took, not a clock that is wrong. */
const LATENCY_S = 5;

export class SurgeryScreen implements Desk {
  readonly node = el("div", { class: "operating" });
  view: View;
  private server: Surgery | undefined;
  private readonly panels: Panel[];
  private readonly top: HTMLElement;
  private readonly stops: (() => void)[] = [];
  private soon: ReturnType<typeof setTimeout> | undefined;
  private showing = false;
  private again = false;

  private constructor(
    readonly journal: Journal,
    readonly room: Room,
    readonly id: string,
    entries: Entry[],
    server: Surgery | undefined,
  ) {
    this.server = server;
    this.view = fold(id, room, server, entries, this.skewMs());
    const end = endDialog(this, () => this.focus());
    const finish = el("button", { type: "button", class: "end-button", id: "end", onclick: () => end.open() }, "End …");
    this.top = el("div", { class: "operating-top" }, el("div", { class: "who-is-it" }, el("h2", { tabindex: "-1" }), el("p", { class: "quiet what" }), el("p", { class: "top-remark" })), finish);
    const [card, timers, steps, iso, drugs, sites, numbers, photos, narrative, timeline, troubles] = [
      cardPanel(this),
      timersPanel(this),
      stepsPanel(this),
      isofluranePanel(this),
      drugsPanel(this),
      sitesPanel(this),
      numbersPanel(this),
      photosPanel(this),
      narrativePanel(this),
      timelinePanel(this),
      troublesPanel(this),
    ];
    this.panels = [troubles, timers, card, steps, iso, drugs, sites, numbers, photos, narrative, timeline];
    const work = el("div", { class: "column work" }, steps.node, iso.node, drugs.node, sites.node, numbers.node, narrative.node);
    const side = el("div", { class: "column side-column" }, timers.node, photos.node, timeline.node, card.node);
    this.node.append(this.top, troubles.node, el("div", { class: "columns" }, work, side));
  }

  /** From what the tablet knows; the server is asked afterwards. */
  static async open(journal: Journal, room: Room, id: string): Promise<SurgeryScreen> {
    const screen = new SurgeryScreen(journal, room, id, await journal.entries(), await journal.snapshot<Surgery>(`surgery ${id}`));
    await screen.show();
    screen.stops.push(journal.onChange((entry) => screen.changed(entry)));
    const poll = setInterval(() => document.visibilityState === "visible" && void screen.ask(), POLL_MS);
    screen.stops.push(() => clearInterval(poll));
    void screen.ask();
    return screen;
  }

  /** For those who work with the keyboard: from the top. */
  focus(): void {
    this.top.querySelector<HTMLElement>("h2")?.focus({ preventScroll: true });
  }

  stop(): void {
    for (const stop of this.stops) stop();
    clearTimeout(this.soon);
  }

  skewMs(): number {
    const seconds = this.journal.status().skew ?? 0;
    return Math.abs(seconds) < LATENCY_S ? 0 : seconds * 1000;
  }

  async record(kind: string, body: object, said: string): Promise<Entry | undefined> {
    try {
      const entry = await this.journal.add(kind, this.id, body);
      offerUndo(this.journal, entry, `${said.charAt(0).toUpperCase()}${said.slice(1)}`, () => void this.show());
      await this.show();
      return entry;
    } catch {
      return undefined; // the banner says what is wrong with this device
    }
  }

  write(field: string, value: string): void {
    const base = this.view.fields[field]?.base;
    this.journal.write("surgery.field", this.id, field, value, base === null || base === undefined ? "" : String(base));
  }

  async takeBack(entry: Entry | undefined, part: string, id: string, said: string): Promise<void> {
    if (entry) {
      await this.journal.undo(entry.key);
      await this.show();
    } else await this.record("surgery.take", { part, id }, `${said} taken back`);
  }

  /** The server's word, kept for when it is silent. */
  async ask(): Promise<void> {
    if (!this.server && this.view.start && this.view.start.state !== "confirmed") return; // it has not heard of it
    try {
      const asked = unsure(this.id, this.server, await this.journal.entries()).slice(0, MOST_ASKED);
      const answer = await fetch(`/bench/data/surgery/${this.id}?known=${asked.join(",")}`, { cache: "no-store", signal: AbortSignal.timeout(15_000) });
      if (!answer.ok) return; // not sent yet, or logged out: the journal says so
      const said = (await answer.json()) as Surgery;
      this.server = { ...said, applied: [...(this.server?.applied ?? []), ...said.applied] };
      await this.journal.keepSnapshot(`surgery ${this.id}`, this.server);
      await this.show();
    } catch {
      // no network: what the tablet knows stands
    }
  }

  private changed(entry: Entry): void {
    if (entry.about !== this.id && !entry.kind.startsWith("journal.")) return;
    void this.show();
    if (entry.state === "local" || entry.state === "sending") return;
    clearTimeout(this.soon);
    this.soon = setTimeout(() => void this.ask(), SOON_MS);
  }

  async show(): Promise<void> {
    if (this.showing) {
      this.again = true;
      return;
    }
    this.showing = true;
    try {
      do {
        this.again = false;
        this.view = fold(this.id, this.room, this.server, await this.journal.entries(), this.skewMs());
        this.draw();
      } while (this.again);
    } finally {
      this.showing = false;
    }
  }

  private draw(): void {
    const view = this.view;
    setText(this.top.querySelector("h2"), view.nickname || "Surgery");
    const card = view.subject;
    const what = [view.templateName, card && ageOf(card), card && weightOf(card), view.withdrawn && "withdrawn: it did not happen", !view.known && "not known on this tablet; it shows when there is a connection"];
    setText(this.top.querySelector(".what"), what.filter(Boolean).join(", "));
    const remark = card ? remarksOf(card).join("; ") : "";
    setText(this.top.querySelector(".top-remark"), remark ? `▲ ${remark}` : "");
    const finish = this.top.querySelector<HTMLButtonElement>("#end");
    if (finish) finish.disabled = view.endedAt !== null || !view.known;
    setText(finish, view.endedAt ? "Ended" : "End …");
    for (const panel of this.panels) panel.show(view);
  }
}
