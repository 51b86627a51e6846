/** What the journal speaks of. */

export type State = "local" | "sending" | "confirmed" | "asked" | "kept";

export interface Answer {
  state: "done" | "asked" | "kept";
  result: Record<string, unknown>;
  message: string;
  fields: Record<string, string[]>;
  at: string;
}

export interface Entry {
  key: string;
  kind: string;
  about: string | null;
  body: Record<string, unknown>;
  /** By the tablet's clock, corrected by nothing. Of an edit: when it began. */
  made_at: string;
  /** Its place in this tablet's journal; 0 while it is an open draft. */
  seq: number;
  user: string;
  state: State;
  answer?: Answer;
  confirmed?: boolean;
  /** The tab that is typing it: an open draft, not yet to be sent. */
  tab?: string;
  /** It was taken back, or put aside with a reason. */
  ended?: "undone" | "discarded";
  /** SHA-256 of a picture that has to arrive before it. */
  picture?: string;
}

export type NewEntry = Omit<Entry, "seq">;

export interface Status {
  unsent: number;
  online: boolean;
  needsLogin: boolean;
  asked: number;
  kept: number;
  /** Whether what is typed survives this page. */
  durable: boolean;
  /** Seconds that the server's clock is ahead of this tablet's; undefined: not known yet. */
  skew: number | undefined;
  /** Something went wrong with writing here: words for a person. */
  trouble: string;
  /** Who is logged in instead of this journal's user, if that is so. */
  otherUser: string;
}

/** The device cannot keep a journal; the message says what to do. */
export class JournalUnavailable extends Error {
  constructor(
    readonly code: "blocked" | "full" | "old" | "insecure" | "broken",
    message: string,
  ) {
    super(message);
    this.name = "JournalUnavailable";
  }
}

/** What a full or failing device says, in words for a person. */
export function explained(error: unknown): JournalUnavailable {
  if (error instanceof JournalUnavailable) return error;
  const name = error instanceof Error || error instanceof DOMException ? error.name : "";
  if (name === "QuotaExceededError")
    return new JournalUnavailable(
      "full",
      "This device's storage is full: what you type now is sent, but cannot be kept here. Do not close this page before all is sent; free some space (photos, downloads), then reload it.",
    );
  if (name === "SecurityError" || name === "InvalidStateError" || name === "NotAllowedError")
    return new JournalUnavailable(
      "blocked",
      "This browser does not let the page keep anything on the device (a private window, or storage is blocked for this site). Open it in a normal window, or allow storage in the site's settings.",
    );
  return new JournalUnavailable(
    "broken",
    `This browser's storage does not work (${error instanceof Error ? error.message : String(error)}). Close other windows of this browser, start it again, and reload this page.`,
  );
}
