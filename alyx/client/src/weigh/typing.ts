// What is typed and not entered yet, by animal. Written twice with each key: into the device's local storage, which is there before
// a reload, and into the journal's store, which is there after a crash. The later one counts.
import type { Journal } from "../journal";

interface Kept {
  at: number;
  texts: Record<string, string>;
}

const NAME = "weigh.typed";

export class Typing {
  private kept: Kept = { at: 0, texts: {} };

  constructor(private readonly journal: Journal) {}

  async restore(): Promise<void> {
    const found = [this.near(), await this.journal.snapshot<Kept>(NAME)];
    for (const one of found) if (one && one.at > this.kept.at) this.kept = { at: one.at, texts: { ...one.texts } };
  }

  of(id: string): string {
    return this.kept.texts[id] ?? "";
  }

  all(): [string, string][] {
    return Object.entries(this.kept.texts);
  }

  /** "": nothing is typed there any more. */
  set(id: string, text: string): void {
    if (text === this.of(id)) return;
    const { [id]: _before, ...others } = this.kept.texts;
    this.kept = { at: Date.now(), texts: text ? { ...others, [id]: text } : others };
    try {
      localStorage.setItem(this.name, JSON.stringify(this.kept));
    } catch {
      // blocked or full: the journal has said so
    }
    void this.journal.keepSnapshot(NAME, this.kept).catch(() => undefined); // likewise
  }

  private get name(): string {
    return `${NAME} ${this.journal.user}`;
  }

  private near(): Kept | undefined {
    try {
      return (JSON.parse(localStorage.getItem(this.name) ?? "null") as Kept | null) ?? undefined;
    } catch {
      return undefined;
    }
  }
}
