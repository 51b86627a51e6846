/** What could not be applied, and what to do with each. */

import { conflict } from "./conflicts";
import { byId, el } from "./dom";
import { isClash } from "./journal";
import { start } from "./screen";
import { mark } from "./states";
import type { Entry } from "./types";

interface OnServer {
  key: string;
  kind: string;
  label: string;
  about: string | null;
  body: Record<string, unknown>;
  at: string;
  made_at: string;
  state: "asked" | "kept";
  message: string;
  fields: Record<string, string[]>;
  result: Record<string, unknown>;
}

void start(async ({ journal, user }) => {
  let onServer: OnServer[] = (await journal.snapshot<OnServer[]>("kept")) ?? [];
  const list = byId("kept");

  const refresh = async (): Promise<void> => {
    try {
      const answer = await fetch("/bench/data/kept", { cache: "no-store", signal: AbortSignal.timeout(15_000) });
      if (!answer.ok) return;
      onServer = ((await answer.json()) as { entries: OnServer[] }).entries;
      await journal.keepSnapshot("kept", onServer);
      await show();
    } catch {
      // no network
    }
  };

  const all = async (): Promise<{ entry: Entry; label: string; here: boolean }[]> => {
    const mine = new Map((await journal.entries()).map((entry) => [entry.key, entry]));
    const found = onServer
      .filter((one) => mine.get(one.key)?.ended === undefined && mine.get(one.key)?.state !== "confirmed")
      .map((one) => ({ entry: mine.get(one.key) ?? asEntry(one, user.id), label: one.label, here: mine.has(one.key) }));
    const known = new Set(onServer.map((one) => one.key));
    for (const entry of mine.values())
      if ((entry.state === "kept" || entry.state === "asked") && !entry.ended && !known.has(entry.key) && !entry.kind.startsWith("journal."))
        found.push({ entry, label: entry.kind.replace(/[._]/g, " "), here: true });
    const decided = new Set([...mine.values()].filter((entry) => entry.kind.startsWith("journal.") && isUnsent(entry)).map((entry) => String(entry.body.of)));
    return found.filter(({ entry }) => !decided.has(entry.key));
  };

  const show = async (): Promise<void> => {
    const focus = document.activeElement?.closest<HTMLElement>("[data-key]")?.dataset.key;
    const found = await all();
    if (focus && found.some(({ entry }) => entry.key === focus) && document.activeElement instanceof HTMLInputElement) return; // somebody types
    list.replaceChildren(...found.map(({ entry, label }) => (isClash(entry) && journalHas(entry) ? conflict(journal, entry) : item(entry, label))));
    byId("nothing-kept").hidden = found.length > 0;
  };

  let here = new Set<string>();
  const journalHas = (entry: Entry): boolean => here.has(entry.key);

  const item = (entry: Entry, label: string): HTMLElement => {
    const why = el("input", { id: `why-${entry.key}`, maxlength: 500, "aria-label": `Why ${label} is put aside` });
    const said = el("p", { class: "said", role: "alert" });
    const again = (): void => void (entry.state === "asked" ? journal.confirm(entry.key) : journal.again(entry.key));
    const aside = (): void => {
      if (why.value.trim()) void journal.discard(entry.key, why.value.trim());
      else {
        said.textContent = "Say why, so that others can follow: weighed again, wrong animal, …";
        why.focus();
      }
    };
    const row = el(
      "section",
      { class: "kept-entry", "data-key": entry.key, "aria-label": label },
      el("h2", {}, `${label} · ${new Date(entry.made_at).toLocaleString("en-GB", { timeZoneName: "short" })}`),
      el("p", { class: "reason" }, entry.answer?.message ?? ""),
      ...Object.entries(entry.answer?.fields ?? {}).map(([name, texts]) => el("p", { class: "field" }, `${name}: ${texts.join(" ")}`)),
      el("dl", {}, ...Object.entries(entry.body).flatMap(([name, value]) => [el("dt", {}, name), el("dd", {}, typeof value === "string" ? value : JSON.stringify(value))])),
      el(
        "div",
        { class: "buttons" },
        el("button", { type: "button", onclick: again }, entry.state === "asked" ? "It is right" : "Try again"),
        el("label", { for: why.id }, "Put aside because"),
        why,
        el("button", { type: "button", class: "second", onclick: aside }, "Put aside"),
      ),
      said,
    );
    mark(row.querySelector("h2") as HTMLElement, entry);
    return row;
  };

  const update = async (): Promise<void> => {
    here = new Set((await journal.entries()).map((entry) => entry.key));
    await show();
  };
  journal.onChange((entry) => {
    void update();
    if (entry.kind.startsWith("journal.") && entry.state === "confirmed") void refresh();
  });
  await update();
  await refresh();
});

function isUnsent(entry: Entry): boolean {
  return entry.state === "local" || entry.state === "sending";
}

function asEntry(one: OnServer, user: string): Entry {
  const { key, kind, about, body, made_at, state, message, fields, result, at } = one;
  return { key, kind, about, body, made_at, seq: 0, user, state, answer: { state, result, message, fields, at } };
}
