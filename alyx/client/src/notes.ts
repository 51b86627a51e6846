/** Live notes of a session: typed, with their time, or photographed, while the experiment runs. */

import { mountConflicts } from "./conflicts";
import { byId, el } from "./dom";
import { uuid } from "./ids";
import { offerUndo, start } from "./screen";
import { mark } from "./states";
import { clockTime, dateTime } from "./times";
import type { Entry } from "./types";

interface Note {
  id: string;
  text: string;
  at: string;
  zone: string;
  by: string;
  picture: string | null;
}

interface Data {
  now?: string;
  session: string;
  name: string;
  zone: string;
  notes: Note[];
}

/** A note as it is shown: from the server, with what this tablet typed on top. */
interface Shown extends Note {
  entry?: Entry;
  mine: boolean;
  blob?: string;
}

void start(async ({ journal, user }) => {
  const session = document.body.dataset.session ?? "";
  const snapshot = `notes ${session}`;
  let data: Data = (await journal.snapshot<Data>(snapshot)) ?? {
    session,
    name: document.body.dataset.name ?? "",
    zone: document.body.dataset.zone ?? "UTC",
    notes: [],
  };
  const list = byId("notes");
  const age = byId("as-of");
  const box = byId<HTMLTextAreaElement>("new-note");
  const rows = new Map<string, HTMLElement>();
  const pictures = new Map<string, string>();
  let open = uuid(); // the note that is being typed

  const refresh = async (): Promise<void> => {
    try {
      const answer = await fetch(`/bench/data/sessions/${session}/notes`, { cache: "no-store", signal: AbortSignal.timeout(15_000) });
      if (!answer.ok) return;
      data = (await answer.json()) as Data;
      age.hidden = true;
      await journal.keepSnapshot(snapshot, data);
      await show();
    } catch {
      age.hidden = data.now === undefined; // no network: the snapshot stands, and says its age
      if (data.now) age.textContent = `Notes of others as of ${dateTime(data.now, data.zone)} ${data.zone}`;
    }
  };

  const all = async (): Promise<Shown[]> => {
    const found = new Map<string, Shown>(data.notes.map((note) => [note.id, { ...note, mine: note.by === user.name }]));
    const gone = new Set<string>();
    for (const entry of await journal.entries()) {
      const { body, kind, about } = entry;
      if (kind === "session.note" && about === session) {
        const id = String(body.note);
        if (entry.ended) gone.add(id);
        else found.set(id, { ...made(id, entry), ...known(found.get(id)), entry, mine: true, ...(await blob(body.picture)) });
      } else if (kind === "session.note.text" && body.session === session && about) {
        const before = found.get(about);
        const value = entry.state === "confirmed" ? String(entry.answer?.result.value ?? body.value) : String(body.value);
        if (entry.ended || (entry.state === "confirmed" && before && !before.entry)) {
          if (before && !before.entry) before.entry = entry;
          continue;
        }
        found.set(about, { ...(before ?? made(about, entry)), text: value, entry, mine: true });
      } else if (kind === "session.note.withdraw" && about && entry.state !== "kept" && !entry.ended) {
        gone.add(about);
      }
    }
    return [...found.values()].filter((note) => !gone.has(note.id)).sort((one, other) => Date.parse(one.at) - Date.parse(other.at));
  };

  const made = (id: string, entry: Entry): Shown => ({
    id,
    text: String(entry.body.text ?? entry.body.value ?? ""),
    at: entry.answer?.at ?? entry.made_at,
    zone: data.zone,
    by: user.name,
    picture: null,
    mine: true,
  });
  const known = (note: Shown | undefined): Partial<Shown> => (note ? { at: note.at, picture: note.picture, text: note.text } : {});

  const blob = async (digest: unknown): Promise<{ blob?: string }> => {
    if (typeof digest !== "string") return {};
    if (!pictures.has(digest)) {
      const bytes = await journal.picture(digest);
      if (bytes) pictures.set(digest, URL.createObjectURL(bytes));
    }
    const address = pictures.get(digest);
    return address ? { blob: address } : {};
  };

  const show = async (): Promise<void> => {
    const notes = await all();
    const wanted = new Set(notes.map((note) => note.id));
    for (const [id, row] of rows) {
      if (wanted.has(id)) continue;
      row.remove();
      rows.delete(id);
    }
    for (const [place, note] of notes.entries()) {
      const row = rows.get(note.id) ?? rowOf(note);
      rows.set(note.id, row);
      fill(row, note);
      // Only where the order changed: a row that is moved ends the edit in it.
      if (list.children[place] !== row) list.insertBefore(row, list.children[place] ?? null);
    }
    byId("no-notes").hidden = notes.length > 0;
  };

  const rowOf = (note: Shown): HTMLElement => {
    const correct = el("button", { type: "button", class: "second correct", onclick: () => edit(note.id) }, "Correct");
    const withdraw = el("button", { type: "button", class: "second withdraw", onclick: () => void remove(note.id) }, "Withdraw");
    return el(
      "li",
      { class: "note", "data-note": note.id },
      el("time", { datetime: note.at }),
      el("div", { class: "what" }),
      el("div", { class: "buttons" }, correct, withdraw),
      el("span", { class: "standing" }),
    );
  };

  const fill = (row: HTMLElement, note: Shown): void => {
    const time = row.querySelector("time") as HTMLTimeElement;
    time.dateTime = note.at;
    time.textContent = `${clockTime(note.at, data.zone)} ${data.zone}`;
    time.title = `${dateTime(note.at, data.zone)} ${data.zone}, by ${note.by}`;
    const what = row.querySelector(".what") as HTMLElement;
    if (!what.querySelector("textarea")) {
      const address = note.blob ?? note.picture;
      const image = address ? el("img", { src: address, alt: note.text || "photo", loading: "lazy" }) : undefined;
      const text = el("p", { class: "text" }, note.text);
      const before = what.querySelector("img")?.getAttribute("src");
      if (image && before === address) what.querySelector(".text")?.replaceWith(text);
      else what.replaceChildren(...(image ? [image] : []), text);
    }
    (row.querySelector(".buttons") as HTMLElement).hidden = !note.mine || note.id === open;
    const standing = row.querySelector(".standing") as HTMLElement;
    if (note.entry) {
      mark(standing, note.entry);
      const said = note.entry.state === "kept" || note.entry.state === "asked" ? note.entry.answer?.message : "";
      standing.title = said ?? "";
      let why = row.querySelector(".why");
      if (said && !why) row.append((why = el("p", { class: "why" })));
      if (why) why.textContent = said ?? "";
    } else standing.replaceChildren(el("span", { class: "by" }, note.by));
  };

  const edit = (id: string): void => {
    const what = rows.get(id)?.querySelector(".what");
    const text = what?.querySelector(".text");
    if (!what || !text || what.querySelector("textarea")) return;
    const base = text.textContent ?? "";
    const area = el("textarea", { "aria-label": "The note's text", rows: 3 });
    area.value = base;
    const done = async (): Promise<void> => {
      await journal.flush();
      area.remove();
      await show();
    };
    area.addEventListener("input", () => journal.write("session.note.text", id, "text", area.value, base, { session }));
    area.addEventListener("blur", () => {
      if (document.hasFocus() || document.activeElement !== area) void done(); // another window is no end of an edit
    });
    area.addEventListener("keydown", (event) => {
      if (event.key === "Escape" || (event.key === "Enter" && !event.shiftKey)) {
        event.preventDefault();
        area.blur();
      }
    });
    text.replaceWith(area);
    area.focus();
  };

  const remove = async (id: string): Promise<void> => {
    const note = (await all()).find((one) => one.id === id);
    if (note?.entry?.kind === "session.note" && note.entry.state === "confirmed") await journal.undo(note.entry.key);
    else await journal.add("session.note.withdraw", id, { session });
    await show();
  };

  const finish = async (): Promise<void> => {
    if (!box.value.trim()) return;
    const closing = journal.flush(); // what was typed is the journal's now; keys that follow belong to the next note
    box.value = "";
    open = uuid();
    await closing;
    await show();
  };

  // What was being typed when the page went away is finished by the journal, and stands in the list.
  box.addEventListener("input", () => journal.write("session.note.text", open, "text", box.value, "", { session }));
  box.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      void finish();
    }
  });
  byId("note-done").addEventListener("click", () => void finish().then(() => box.focus()));
  for (const button of document.querySelectorAll<HTMLButtonElement>("button[data-note]"))
    button.addEventListener("click", () => {
      const text = button.dataset.note ?? "";
      void journal.add("session.note", session, { note: uuid(), text }).then((entry) => offerUndo(journal, entry, `Noted: ${text}`));
    });
  const camera = byId<HTMLInputElement>("note-photo");
  camera.addEventListener("change", () => {
    const files = [...(camera.files ?? [])];
    void (async () => {
      for (const file of files) {
        const entry = await journal.addPicture("session.note", session, { note: uuid(), text: "" }, file);
        offerUndo(journal, entry, `Photo kept (${Math.round(file.size / 1024)} kB)`);
      }
      camera.value = "";
    })();
  });

  mountConflicts(journal, byId("conflicts"));
  let shown: ReturnType<typeof setTimeout> | undefined;
  journal.onChange((entry) => {
    clearTimeout(shown);
    shown = setTimeout(() => void show(), 30);
    if (entry.state === "confirmed" && entry.tab === undefined) void later();
  });
  let asked: ReturnType<typeof setTimeout> | undefined;
  const later = (): void => {
    clearTimeout(asked);
    asked = setTimeout(() => void refresh(), 1_000);
  };
  setInterval(() => {
    if (document.visibilityState === "visible") void refresh();
  }, 20_000);
  await show();
  void refresh();
});
