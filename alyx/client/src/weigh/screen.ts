// The round as one thing: what is typed goes to the journal first; what is shown is worked out again from the journal and from
// what the server last said, after each change of either.
import type { Entry, Journal } from "../journal";
import { parseNumber } from "../numbers";
import { canUseCamera, scanWithCamera } from "../scan";
import { Card } from "./card";
import { animalOf, type Asked, fetched, keep, remembered, type RoundData } from "./data";
import { Done } from "./done";
import { button, calmly, h } from "./dom";
import { Head } from "./head";
import { List } from "./list";
import { pad } from "./pad";
import { gramsIn, meant } from "./reading";
import { Typing } from "./typing";
import { grams, stateOf, type State, WATER, WEIGHT } from "./round";

const EVERY_MS = 30_000;
const SOON_MS = 400;
const ENTER_TWICE_MS = 150; // a scale may end its line with two
const MOST_G = 100;
/** Of a number that is also a cage's name, more is the cage. */

export class Round {
  private data: RoundData | undefined;
  private entries: Entry[] = [];
  private state: State = { rows: [], weighed: 0, asks: 0, last: undefined };
  private asked: Asked;
  private current = "";
  private readonly typing: Typing;
  private stored = 0;
  /** Scanned while another cage was at work: that cage, by animal. */
  private readonly guarded = new Map<string, string>();
  private reading: Promise<void> | undefined;
  private soon = 0;
  private readonly told = h("p", { class: "told", role: "status", "aria-live": "polite" });
  private readonly stale = h("p", { class: "stale", hidden: true });
  private readonly empty = h("p", { class: "empty", hidden: true });
  private readonly card = new Card(() => this.undoLast());
  private readonly list: List;
  private readonly done: Done;
  private readonly undoLast = calmly(() => void this.undo());
  private enteredAt = 0;
  readonly head: Head;

  constructor(private readonly root: HTMLElement, private readonly journal: Journal, address: URL) {
    this.asked = { cage: address.searchParams.get("cage") ?? "", lab: address.searchParams.get("lab") ?? "", also: [] };
    this.typing = new Typing(journal);
    this.head = new Head({ found: (code) => this.scanned(code), lab: (lab) => void this.open({ ...this.asked, lab, also: [] }), all: () => void this.open({ ...this.asked, cage: "", also: [] }) });
    this.list = new List({
      typed: (id, text) => this.typed(id, text),
      enter: (id) => this.enter(id),
      move: (id, by) => this.move(id, by),
      chosen: (id) => this.chosen(id),
      right: (entry) => void this.store(() => this.journal.confirm(entry.key)).then(() => this.focus(this.current)),
      correct: (id, entry) => void this.correct(id, entry),
      drop: (_id, entry) => void this.store(() => this.journal.discard(entry.key, "discarded in the weighing round")).then(() => this.focus(this.current)),
      give: (id, volume) => void this.give(id, volume),
    });
    this.done = new Done((id) => this.focus(id), () => this.undoLast());
  }

  async start(): Promise<void> {
    const box = (): HTMLInputElement | undefined => {
      if (!this.list.views.has(this.current)) this.focusFirst();
      return this.list.views.get(this.current)?.box;
    };
    const keys = pad(box, () => this.enter(this.current));
    const work = h("div", { class: "work" }, this.card.element, keys);
    this.root.replaceChildren(this.head.element, this.stale, h("div", { class: "both" }, h("div", { class: "scroll" }, this.list.element, this.empty, this.done.element), work), this.told);
    if (canUseCamera()) this.head.tools.append(button("Scan", "button", () => void this.camera(), { "aria-label": "Scan a code with the camera" }));
    await this.typing.restore();
    this.journal.onChange((entry) => void this.changed(entry));
    window.addEventListener("online", () => this.readSoon());
    document.addEventListener("keydown", (event) => this.caught(event));
    document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && this.readSoon());
    window.setInterval(() => void this.read(), EVERY_MS);
    await this.show(this.asked);
    if (!this.data) await this.read(); // nothing can be typed before
    window.setTimeout(() => this.focusFirst()); // the page is still hidden now
    void this.read().then(() => this.focusFirst());
  }

  /** Scanners and scales type, wherever the focus is: it goes to the animal at work. */
  private caught(event: KeyboardEvent): void {
    const isTyping = event.target instanceof HTMLInputElement || event.target instanceof HTMLSelectElement;
    if (isTyping || event.ctrlKey || event.altKey || event.metaKey || !/^[^ ]$/.test(event.key)) return;
    this.list.views.get(this.current)?.box.focus();
  }

  /** Show other animals: what is remembered at once, what the server says as soon as it does. */
  private async open(asked: Asked): Promise<void> {
    await this.show(asked);
    this.focusFirst();
    await this.read();
    this.focusFirst();
  }

  private async show(asked: Asked): Promise<void> {
    this.asked = asked;
    const query = new URLSearchParams(Object.entries({ cage: asked.cage, lab: asked.lab }).filter(([, value]) => value));
    history.replaceState(null, "", `${location.pathname}${query.size ? `?${query}` : ""}`);
    this.entries = await this.journal.entries();
    this.data = await remembered(this.journal, asked);
    this.draw();
  }

  private readSoon(): void {
    window.clearTimeout(this.soon);
    this.soon = window.setTimeout(() => void this.read(), SOON_MS);
  }

  private async read(): Promise<void> {
    while (this.reading) await this.reading;
    this.reading = this.readOnce();
    await this.reading;
    this.reading = undefined;
  }

  private async readOnce(): Promise<void> {
    const asked = this.asked;
    const settled = (await this.journal.entries()).filter((one) => one.state === "confirmed").map((one) => one.key);
    const answer = await fetched(asked);
    if (asked !== this.asked) return;
    if (answer) {
      this.data = { ...answer, settled };
      await keep(this.journal, this.data).catch(() => undefined); // a full device is said by the journal
    }
    this.entries = await this.journal.entries();
    this.draw();
  }

  private async changed(entry: Entry): Promise<void> {
    this.entries = await this.journal.entries();
    this.draw();
    if (entry.state === "confirmed") this.readSoon();
  }

  private now(): Date {
    return new Date(Date.now() + (this.journal.status().skew ?? 0) * 1000);
  }

  private draw(): void {
    const { data } = this;
    if (!data) {
      this.say(this.empty, "The animals of this round have never been read on this tablet, and the server does not answer. As soon as it does, they appear here.");
      return;
    }
    const now = this.now();
    this.state = stateOf(data, this.entries, now, (this.journal.status().skew ?? 0) * 1000);
    for (const row of this.state.rows) {
      const view = this.list.views.get(row.animal.id);
      if (view) view.box.dataset["draft"] = this.typing.of(row.animal.id) ? "1" : "";
    }
    this.list.update(this.state.rows, data.rules, now, this.current);
    for (const [id, text] of this.typing.all()) {
      const view = this.list.views.get(id);
      if (view && document.activeElement !== view.box && view.box.value !== text) {
        view.box.value = text;
        view.box.dataset["draft"] = "1";
        view.update(view.row, data.rules, now, id === this.current);
      }
    }
    this.done.update(this.state);
    this.card.offer(this.state);
    const zones = [...new Set(data.animals.map((one) => one.zone))];
    this.head.update(this.state, this.asked, [...new Set(data.known.map((one) => one.lab))].sort(), zones);
    this.drawCard();
    const age = now.getTime() - Date.parse(data.now);
    const isOld = age > 10 * 60_000;
    this.say(this.stale, isOld ? `Numbers as of ${new Date(data.now).toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "short", timeZone: zones[0] ?? "UTC" })} (${zones[0] ?? "UTC"}): the server has not answered since. Weights are kept on this tablet.` : "");
    const none = this.asked.cage ? `No living animal of yours is in cage ${this.asked.cage}.` : "No animal of your labs is water restricted now. Scan or type a cage or an animal above to weigh others.";
    this.say(this.empty, data.animals.length ? "" : none);
  }

  private drawCard(): void {
    const view = this.list.views.get(this.current);
    if (this.data) this.card.update(view?.row, view?.live(this.data.rules), this.data.rules);
  }

  private say(element: HTMLElement, text: string): void {
    element.hidden = text === "";
    element.textContent = text;
  }

  // Where the hands are.

  private chosen(id: string): void {
    this.current = id;
    const view = this.list.views.get(id);
    if (view?.box.dataset["draft"] === "1") view.box.setSelectionRange(view.box.value.length, view.box.value.length); // it goes on
    else view?.box.select();
    this.draw();
    view?.element.scrollIntoView({ block: "nearest" });
  }

  focus(id: string): void {
    const view = this.list.views.get(id);
    if (!view) return;
    if (document.activeElement === view.box) this.chosen(id);
    else view.box.focus();
  }

  private focusFirst(): void {
    const isElsewhere = document.activeElement instanceof HTMLInputElement && this.root.contains(document.activeElement);
    if (isElsewhere) return;
    const typed = this.state.rows.find((row) => this.typing.of(row.animal.id));
    const next = typed ?? this.state.rows.find((row) => !row.isWeighed && row.asked.length === 0);
    if (next) this.focus(next.animal.id);
  }

  private move(id: string, by: number): void {
    const { rows } = this.state;
    const at = rows.findIndex((row) => row.animal.id === id);
    const next = rows[at + by];
    if (next) this.focus(next.animal.id);
  }

  /** The next animal that has no weight, after this one and then from the top; else the end of the round. */
  private onward(id: string): void {
    const { rows } = this.state;
    const at = rows.findIndex((row) => row.animal.id === id);
    const others = [...rows.slice(at + 1), ...rows.slice(0, at)];
    const next = others.find((row) => !row.isWeighed && row.asked.length === 0 && row.kept.length === 0);
    if (next) this.focus(next.animal.id);
    else this.done.focus();
  }

  // What is typed.

  private typed(id: string, text: string): void {
    const view = this.list.views.get(id);
    view?.complain("");
    if (view) view.box.dataset["draft"] = text ? "1" : "";
    this.typing.set(id, text);
    if (view && this.data) view.update(view.row, this.data.rules, this.now(), true);
    this.drawCard();
  }

  private enter(id: string): void {
    const view = this.list.views.get(id);
    if (!view || !this.data) return;
    const text = view.box.value.trim();
    const standing = view.row.weight;
    const isUntouched = view.box.dataset["draft"] !== "1";
    if (text === "" && performance.now() - this.enteredAt < ENTER_TWICE_MS) return;
    if (text === "" || (isUntouched && standing)) return this.skip(id);
    const value = gramsIn(text);
    const isCode = value !== undefined && value > MOST_G && meant(text, this.data.known, this.asked.lab) !== undefined;
    if (value === undefined || isCode) {
      if (!meant(text, this.data.known, this.asked.lab)) {
        view.complain(`${parseNumber(text).reason ?? `“${text.slice(0, 20)}” is not a number`}. Write grams like 23.4 or 23,4.`);
        view.box.select();
        return;
      }
      this.clear(id);
      this.scanned(text);
      return;
    }
    if (value <= 0) {
      view.complain(`A weight of ${value} g is none: is the animal on the scale?`);
      view.box.select();
      return;
    }
    view.complain("");
    const own = view.row.weights.at(-1) ?? view.row.asked.find((one) => one.entry.kind === WEIGHT)?.entry;
    if (own && grams(own) === value) {
      this.clear(id);
      return this.onward(id);
    }
    const body = { weight: value, animal: id, nickname: view.row.animal.nickname, cage: view.row.animal.cage, ...this.guard(id) };
    view.box.dataset["draft"] = view.box.dataset["touched"] = "";
    const kept = this.store(async () => {
      if (own) await this.journal.undo(own.key);
      await this.journal.add(WEIGHT, id, body);
      if (this.typing.of(id).trim() === text) this.typing.set(id, "");
    });
    this.enteredAt = performance.now();
    this.onward(id);
    void kept.then((isKept) => {
      if (!isKept) {
        view.box.value = text;
        view.complain("This was not kept on the tablet. Look at the note above, then enter it again.");
      }
    });
  }

  private skip(id: string): void {
    this.clear(id);
    this.onward(id);
  }

  private clear(id: string): void {
    const view = this.list.views.get(id);
    if (view) view.box.dataset["draft"] = view.box.dataset["touched"] = "";
    this.typing.set(id, "");
    view?.complain("");
  }

  private guard(id: string): { round_cage?: string } {
    const cage = this.guarded.get(id) ?? this.asked.cage;
    return cage ? { round_cage: cage } : {};
  }

  // What is tapped.

  private async give(id: string, volume: number): Promise<void> {
    const row = this.list.views.get(id)?.row;
    if (!row) return;
    const body = { water: volume, animal: id, nickname: row.animal.nickname, cage: row.animal.cage, given_ml: row.numbers.given_ml };
    const isKept = await this.store(() => this.journal.add(WATER, id, body));
    this.focus(this.current);
    if (isKept) this.tell(`${volume.toFixed(2)} mL for ${row.animal.nickname}`);
  }

  private async correct(id: string, entry: Entry): Promise<void> {
    const isTaken = await this.store(() => this.journal.undo(entry.key));
    if (!isTaken) return;
    const view = this.list.views.get(id);
    if (view && entry.kind === WEIGHT) {
      view.box.value = String(entry.body["weight"]);
      view.box.dataset["draft"] = "";
    }
    this.focus(id);
  }

  private async undo(): Promise<void> {
    const last = this.state.last;
    if (!last?.about) return;
    const about = last.about;
    if (await this.store(() => this.journal.undo(last.key))) this.focus(about);
  }

  private async store(act: () => Promise<unknown>): Promise<boolean> {
    try {
      await act();
      this.entries = await this.journal.entries();
      this.draw();
      return true;
    } catch (error) {
      this.tell(error instanceof Error ? error.message : String(error));
      return false;
    } finally {
      this.stored += 1;
      this.root.dataset["stored"] = String(this.stored); // for whoever waits for the device
    }
  }

  private tell(text: string): void {
    this.told.textContent = text;
  }

  // What is scanned.

  private async camera(): Promise<void> {
    try {
      const code = await scanWithCamera();
      if (code) this.head.complain(this.scanned(code));
    } catch (error) {
      this.head.complain(error instanceof Error ? error.message : String(error));
    }
  }

  /** Go to the animal, or open the cage. A sentence when the code means nothing. */
  scanned(code: string): string {
    const found = this.data && meant(code, this.data.known, this.asked.lab);
    if (!found) return `“${code.trim().slice(0, 40)}” is no animal and no cage of yours.`;
    this.head.complain("");
    if (found.cage !== undefined) {
      void this.open({ ...this.asked, cage: found.cage, also: [] }).then(() => this.focusFirst());
      return "";
    }
    const { id, cage, nickname } = found.animal!;
    this.watch(id, cage);
    if (this.list.views.has(id) && this.state.rows.some((row) => row.animal.id === id)) this.focus(id);
    else {
      this.asked = { ...this.asked, also: [...this.asked.also, id] };
      const bare = this.data && animalOf(this.data, id);
      if (this.data && bare) this.data = { ...this.data, animals: [...this.data.animals, bare] };
      this.draw();
      this.focus(id);
      void remembered(this.journal, this.asked).then((known) => {
        const full = known?.animals.find((one) => one.id === id);
        if (full && !full.bare && this.data) this.data = { ...this.data, animals: this.data.animals.map((one) => (one.id === id ? full : one)) };
        void this.read();
      });
    }
    this.tell(`${nickname}, ${cage ? `cage ${cage}` : "no cage"}`);
    return "";
  }

  /** An animal of another cage, while the one at work is not done: it will be asked about. */
  private watch(id: string, cage: string): void {
    const last = this.state.last?.about;
    const work = this.asked.cage || this.state.rows.find((row) => row.animal.id === last)?.animal.cage;
    const isUnfinished = this.state.rows.some((row) => row.animal.cage === work && !row.isWeighed && row.animal.id !== id);
    if (work && work.toLowerCase() !== cage.toLowerCase() && (this.asked.cage || isUnfinished)) this.guarded.set(id, work);
    else this.guarded.delete(id);
  }
}
