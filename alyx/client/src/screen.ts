/** What all bench screens share: the start with its checks, the banner, the login in place, the undo bar. */

import { checkDevice, checkWorker, type Problem } from "./checks";
import { byId, el } from "./dom";
import { Journal, JournalUnavailable } from "./journal";
import { offerLogin } from "./login";
import { remembered } from "./people";
import type { Entry } from "./types";

export interface Screen {
  journal: Journal;
  user: { id: string; name: string };
}

const SKEW_SHOWN_S = 120;
const UNDO_MS = 30_000;

/** Start a screen: checks first, then the journal, then `run`; the page can be used from then on. */
export async function start(run: (screen: Screen) => Promise<void>): Promise<void> {
  const user = { id: document.body.dataset.user ?? "", name: document.body.dataset.userName ?? "" };
  const problems = checkDevice();
  let journal: Journal;
  try {
    journal = await Journal.open(user.id);
  } catch (error) {
    const said = error instanceof JournalUnavailable ? error.message : String(error);
    problems.push({ serious: true, text: `${said} Until then everything is sent at once and is lost when the network or this page fails.` });
    journal = await Journal.openUnsafe(user.id);
  }
  for (const problem of problems) showProblem(problem);
  mountStatus(journal);
  try {
    await run({ journal, user });
  } catch (error) {
    showProblem({ serious: true, text: `This page could not start: ${error instanceof Error ? error.message : String(error)}. Reload it.` });
    throw error;
  }
  document.getElementById("bench-starting")?.remove();
  byId("bench-main").hidden = false;
  document.body.dataset.started = "yes";
  void checkWorker().then((problem) => problem && showProblem(problem));
  void remembered(user).then((others) => {
    for (const other of others)
      showProblem({
        serious: false,
        text: `${other.unsent} ${other.unsent === 1 ? "entry" : "entries"} of ${other.name} wait on this tablet: they are sent when ${other.name} logs in here.`,
      });
  });
}

export function showProblem({ serious, text }: Problem): void {
  const place = byId("bench-problems");
  if ([...place.children].some((one) => one.textContent === text)) return;
  place.append(el("p", { class: serious ? "problem serious" : "problem", role: serious ? "alert" : "status" }, text));
}

/** The banner: how much is only here, whether the server is there, what waits for a decision, clocks that differ. */
export function mountStatus(journal: Journal): void {
  const banner = byId("bench-status");
  const line = el("span", { class: "line", id: "bench-line" });
  const kept = el("a", { href: "/bench/kept/", class: "kept", hidden: true });
  const skew = el("span", { class: "skew", hidden: true });
  const login = el("button", { type: "button", class: "login", hidden: true, onclick: () => offerLogin(journal) }, "Log in again");
  banner.replaceChildren(line, kept, skew, login);
  let asked = false;
  const show = (): void => {
    const status = journal.status();
    const [name, text] = said(journal);
    if (banner.dataset.state !== name) banner.dataset.state = name;
    if (line.textContent !== text) line.textContent = text;
    const waiting = status.asked + status.kept;
    kept.hidden = waiting === 0;
    kept.textContent = `! ${waiting} to look at`;
    login.hidden = !status.needsLogin;
    if (status.needsLogin && !asked) offerLogin(journal);
    asked = status.needsLogin;
    const seconds = status.skew ?? 0;
    skew.hidden = Math.abs(seconds) <= SKEW_SHOWN_S;
    if (!skew.hidden) skew.textContent = skewSaid(seconds);
    if (status.trouble) showProblem({ serious: true, text: status.trouble });
  };
  journal.onStatus(show);
  show();
}

function said(journal: Journal): [string, string] {
  const { unsent, online, needsLogin, otherUser, durable } = journal.status();
  const things = `${unsent} not sent`;
  if (!durable) return unsent ? ["unsafe", `▲ NOT saved on this tablet (${things})`] : ["unsafe", "▲ nothing is kept on this tablet"];
  if (otherUser) return ["login", `● saved on this tablet (${things}); ${otherUser} is logged in here now`];
  if (needsLogin) return ["login", `● saved on this tablet (${things}): log in to send`];
  if (!online) return ["offline", `● no connection; saved on this tablet (${things})`];
  return unsent ? ["local", `● saved on this tablet (${things})`] : ["confirmed", "✓ all saved"];
}

export function skewSaid(seconds: number): string {
  const minutes = Math.round(Math.abs(seconds) / 60);
  const much = minutes < 120 ? `${minutes} min` : `${Math.round(minutes / 60)} h`;
  return `▲ this tablet's clock is ${much} ${seconds > 0 ? "slow" : "fast"}; times are corrected when they are sent`;
}

let undoTimer: ReturnType<typeof setTimeout> | undefined;

/** Say what was recorded and offer to take it back, for half a minute. */
export function offerUndo(journal: Journal, entry: Entry, text: string, undone?: () => void): void {
  const bar = byId("bench-undo");
  const undo = el(
    "button",
    {
      type: "button",
      onclick: async () => {
        hide();
        await journal.undo(entry.key);
        undone?.();
      },
    },
    "Undo",
  );
  const hide = (): void => {
    clearTimeout(undoTimer);
    bar.replaceChildren();
    bar.hidden = true;
  };
  clearTimeout(undoTimer);
  bar.replaceChildren(el("span", {}, text), undo);
  bar.hidden = false;
  undoTimer = setTimeout(hide, UNDO_MS);
}
