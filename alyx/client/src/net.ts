/** Talking to the server: its time, the login, and what each refusal means for the sender. */

import type { Answer, Entry } from "./types";

export interface Pulse {
  now: string;
  user: string | null;
  name: string | null;
  csrf: string;
}

/** Why nothing was sent: whether to try again by itself, or only after somebody has logged in. */
export class NotSent extends Error {
  constructor(
    readonly why: "offline" | "busy" | "login" | "other-user" | "refused",
    message: string,
  ) {
    super(message);
  }
}

export type Fetch = (address: string, options?: RequestInit) => Promise<Response>;
const PATIENCE_MS = 30_000;

export class Net {
  /** Milliseconds that the server's clock is ahead, as measured last. */
  skewMs: number | undefined;
  private csrf = "";

  constructor(
    readonly user: string,
    private readonly fetched: Fetch,
    private readonly clock: () => number,
  ) {}

  /** Whether the server is there and who is logged in. Raises NotSent. */
  async pulse(): Promise<Pulse> {
    const before = this.clock();
    const answer = await this.ask("/bench/pulse", {});
    if (!answer.ok) throw new NotSent("busy", `the server answered ${answer.status}`);
    const said = (await this.json(answer)) as Pulse;
    this.measure(said.now, before);
    this.csrf = said.csrf;
    return said;
  }

  /** Log in without leaving the page: empty when it went well, else what the server says. Raises NotSent. */
  async login(username: string, password: string): Promise<{ pulse?: Pulse; message: string }> {
    await this.pulse();
    const answer = await this.post("/bench/login", JSON.stringify({ username, password }));
    const said = (await this.json(answer)) as Pulse & { detail?: string };
    if (!answer.ok) return { message: said.detail ?? `The server answered ${answer.status}. Try again.` };
    this.csrf = said.csrf;
    return { pulse: said, message: "" };
  }

  /** Answers by key. Raises NotSent. */
  async send(device: string, entries: Entry[]): Promise<Map<string, Answer>> {
    if (!this.csrf) this.known(await this.pulse());
    const before = this.clock();
    const body = JSON.stringify({ device, sent_at: new Date(before).toISOString(), entries: entries.map(onWire) });
    let answer = await this.post("/bench/entries", body);
    if (answer.status === 403) {
      this.known(await this.pulse()); // the token to post with was renewed by another login
      answer = await this.post("/bench/entries", body);
    }
    await this.check(answer);
    const said = (await this.json(answer)) as { now: string; answers: (Answer & { key: string })[] };
    this.measure(said.now, before);
    return new Map(said.answers.map(({ key, ...rest }) => [key, rest]));
  }

  /** The bytes of a picture. Raises NotSent; "refused": it will never be taken. */
  async sendPicture(sha256: string, data: Blob): Promise<void> {
    if (!this.csrf) this.known(await this.pulse());
    await this.check(await this.ask(`/bench/pictures/${sha256}`, this.writing("PUT", data, "application/octet-stream")));
  }

  private known(pulse: Pulse): void {
    if (pulse.user === null) throw new NotSent("login", "you are not logged in (any more)");
    if (pulse.user !== this.user) throw new NotSent("other-user", pulse.name ?? "somebody else");
  }

  private async check(answer: Response): Promise<void> {
    if (answer.ok) return;
    if (answer.status === 401) throw new NotSent("login", "you are not logged in (any more)");
    if (answer.status === 403) throw new NotSent("busy", "the server did not take the page's token");
    if (answer.status === 400 || answer.status === 413 || answer.status === 415 || answer.status === 422) {
      const said = (await this.json(answer).catch(() => ({}))) as { detail?: string; errors?: Record<string, unknown> };
      if (Object.keys(said.errors ?? {}).some((name) => name.endsWith(".user"))) this.known(await this.pulse());
      throw new NotSent("refused", said.detail ?? `the server answered ${answer.status}`);
    }
    throw new NotSent("busy", `the server answered ${answer.status}`);
  }

  private async post(address: string, body: string): Promise<Response> {
    return this.ask(address, this.writing("POST", body, "application/json"));
  }

  private writing(method: string, body: string | Blob, type: string): RequestInit {
    return { method, body, headers: { "Content-Type": type, "X-CSRFToken": this.csrf } };
  }

  private async ask(address: string, options: RequestInit): Promise<Response> {
    try {
      return await this.fetched(address, {
        ...options,
        credentials: "same-origin",
        cache: "no-store",
        redirect: "error",
        signal: AbortSignal.timeout(PATIENCE_MS),
      });
    } catch {
      throw new NotSent("offline", "there is no connection to the server");
    }
  }

  private async json(answer: Response): Promise<unknown> {
    try {
      return await answer.json();
    } catch {
      throw new NotSent("offline", "the answer did not arrive");
    }
  }

  private measure(now: string, before: number): void {
    const server = Date.parse(now);
    if (!Number.isNaN(server)) this.skewMs = server - (before + this.clock()) / 2;
  }
}

function onWire(entry: Entry): Record<string, unknown> {
  const { key, kind, about, body, made_at, seq, user, confirmed } = entry;
  return { key, kind, about, body, made_at, seq, user, ...(confirmed ? { confirmed } : {}) };
}
