/** Sends what waits: one tab at a time, in order, again until it is answered. */

import type { Cache } from "./cache";
import { type Net, NotSent, type Pulse } from "./net";
import type { Store } from "./store";
import type { Answer, Entry } from "./types";

/** In an answer's result: the server has never taken the entry; it is only on this device. */
export const HERE = "here";
const DECIDED: ReadonlySet<string> = new Set(["asked", "kept"]);
const MOST = 50;
const MOST_CHARACTERS = 2_000_000;
const LONGEST_WAIT_MS = 30_000;

export class Sender {
  standing = { online: true, needsLogin: false, otherUser: "" };
  private running: Promise<void> | undefined;
  private again = false;
  private stopped = false;
  private failures = 0;
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly store: Store,
    private readonly cache: Cache,
    private readonly net: Net,
    private readonly lock: string,
    private readonly retryMs = 1_000,
  ) {}

  /** Something waits, or the network may be back: try now. */
  wake(): void {
    if (this.running) this.again = true;
    else void this.drain().catch(() => this.later());
  }

  /** Try until nothing waits or something is in the way; one that is at it already is waited for. */
  async drain(): Promise<void> {
    if (this.running) return this.running;
    if (this.stopped) return;
    clearTimeout(this.timer);
    this.running = this.round().finally(() => {
      this.running = undefined;
    });
    return this.running;
  }

  private async round(): Promise<void> {
    do {
      this.again = false;
      await this.alone(() => this.sendAll());
    } while (this.again && !this.stopped && this.failures === 0);
  }

  async loggedIn(pulse: Pulse): Promise<void> {
    const other = pulse.user !== this.net.user;
    this.stand({ online: true, needsLogin: other, otherUser: other ? (pulse.name ?? "") : "" });
    if (!other) this.wake();
  }

  stop(): void {
    this.stopped = true;
    clearTimeout(this.timer);
  }

  private async alone(work: () => Promise<void>): Promise<void> {
    if (typeof navigator === "undefined" || !navigator.locks) return work();
    await navigator.locks.request(this.lock, work);
  }

  private async sendAll(): Promise<void> {
    let most = MOST;
    while (!this.stopped) {
      const batch = fitting(await this.store.pending(most));
      if (!batch.length || this.stopped) return;
      try {
        await this.sendBatch(batch);
        most = MOST;
        this.failures = 0;
        this.stand({ online: true, needsLogin: false, otherUser: "" });
      } catch (error) {
        if (!(error instanceof NotSent)) throw error;
        if (error.why === "refused" && batch.length > 1) {
          most = Math.ceil(batch.length / 2); // one of them is at fault: find it
        } else if (error.why === "refused") {
          await this.keepHere(batch, error.message);
        } else {
          this.stand({
            online: error.why !== "offline",
            needsLogin: error.why === "login" || error.why === "other-user",
            otherUser: error.why === "other-user" ? error.message : "",
          });
          this.later();
          return;
        }
      }
    }
  }

  private async sendBatch(batch: Entry[]): Promise<void> {
    const marked = batch.map((entry): Entry => ({ ...entry, state: "sending" }));
    const fresh = marked.filter((_, at) => batch[at]?.state !== "sending");
    if (fresh.length) await this.stored(fresh); // from here on they are never changed
    for (const entry of marked) if (entry.picture) await this.sendPicture(entry.picture);
    const answers = await this.net.send(await this.store.device(), marked);
    if (this.stopped) return;
    const settled = marked.flatMap((entry) => {
      const answer = answers.get(entry.key);
      return answer ? [answered(entry, answer)] : [];
    });
    if (!settled.length) throw new NotSent("busy", "the server answered something else");
    await this.stored([...settled, ...this.decided(settled)]);
    const arrived = settled.filter((entry) => entry.state === "confirmed").flatMap((entry) => entry.picture ?? []);
    if (arrived.length) await this.store.dropPictures(arrived);
  }

  private async sendPicture(sha256: string): Promise<void> {
    const data = await this.store.picture(sha256);
    if (!data) return; // it arrived before
    try {
      await this.net.sendPicture(sha256, data);
    } catch (error) {
      if (!(error instanceof NotSent) || error.why !== "refused") throw error;
      // the entry goes all the same, and is kept there with the reason; the bytes stay here
    }
  }

  /** What undo, confirm and discard did to the entries that they name. */
  private decided(settled: Entry[]): Entry[] {
    return settled.flatMap((entry): Entry[] => {
      const of = this.cache.get(String(entry.body.of ?? ""));
      if (!of || !entry.kind.startsWith("journal.") || !entry.answer) return [];
      const { result, message, fields } = entry.answer;
      if (entry.state !== "confirmed")
        return DECIDED.has(of.state) ? [{ ...of, state: entry.answer.state === "asked" ? "asked" : "kept", answer: { ...entry.answer, message, fields } }] : [];
      const ended = result.ended;
      if (ended === "undone" || ended === "discarded") return [{ ...of, ended, state: of.state === "local" ? "confirmed" : of.state }];
      const now = (result.result ?? {}) as Record<string, unknown>;
      const answer: Answer = { state: "done", result: now, message: "", fields: {}, at: of.answer?.at ?? entry.answer.at };
      return [{ ...of, state: "confirmed", answer }];
    });
  }

  /** An entry that the server does not even take: it stays on this device, and says why. */
  private async keepHere(batch: Entry[], message: string): Promise<void> {
    const answer: Answer = { state: "kept", result: { [HERE]: true }, message, fields: {}, at: new Date().toISOString() };
    await this.stored(batch.map((entry) => ({ ...entry, state: "kept", answer })));
  }

  private async stored(entries: Entry[]): Promise<void> {
    await this.store.commit({ entries });
    this.cache.put(entries);
  }

  private stand(now: { online: boolean; needsLogin: boolean; otherUser: string }): void {
    const before = JSON.stringify(this.standing);
    this.standing = now;
    if (JSON.stringify(now) !== before) this.cache.statusChanged();
  }

  private later(): void {
    if (this.stopped) return;
    this.failures += 1;
    const wait = Math.min(this.retryMs * 2 ** (this.failures - 1), LONGEST_WAIT_MS);
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.wake(), wait * (0.75 + Math.random() / 2));
  }
}

function answered(entry: Entry, answer: Answer): Entry {
  const ended = answer.result.ended;
  return {
    ...entry,
    state: answer.state === "done" ? "confirmed" : answer.state,
    answer,
    ...(ended === "undone" || ended === "discarded" ? (entry.kind.startsWith("journal.") ? {} : { ended }) : {}),
  };
}

function fitting(entries: Entry[]): Entry[] {
  let characters = 0;
  return entries.filter((entry, at) => {
    characters += JSON.stringify(entry.body).length;
    return at === 0 || characters < MOST_CHARACTERS;
  });
}
