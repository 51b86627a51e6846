/** /surgery/: which animal, which template, then one screen until it is over. */

import { byId } from "./dom";
import { uuid } from "./ids";
import type { Journal } from "./journal";
import { onScan } from "./scan";
import { start } from "./screen";
import { Chooser } from "./surgery/choose";
import { fold } from "./surgery/fold";
import { SurgeryScreen } from "./surgery/screen";
import type { Card, PlanItem, Room, Running, Template } from "./surgery/types";

const ROOM = "surgery room";
const AGAIN_MS = 60_000;
const OWN_HOURS = 72;

void start(async ({ journal, user }) => {
  const place = byId("surgery");
  const empty: Room = { read_at: "", user, labs: [], animals: [], more: false, running: [], templates: [], drugs: [], probe_models: [], procedures: [], virus_batches: [], locations: [], people: [], events: [], analgesia_again_h: 24 };
  let room = (await journal.snapshot<Room>(ROOM)) ?? empty;
  let screen: SurgeryScreen | undefined;
  let chooser: Chooser | undefined;

  const ask = async (): Promise<void> => {
    try {
      const answer = await fetch("/bench/data/surgery", { cache: "no-store", signal: AbortSignal.timeout(20_000) });
      if (!answer.ok) return;
      Object.assign(room, (await answer.json()) as Room); // the panels hold on to it
      await journal.keepSnapshot(ROOM, room);
      if (chooser && !screen) chooser.update(room, await own(journal, room));
    } catch {
      // no network: the snapshot stands
    }
  };

  const operate = async (id: string): Promise<void> => {
    history.replaceState(null, "", `/surgery/#${id}`);
    screen?.stop();
    screen = await SurgeryScreen.open(journal, room, id);
    place.replaceChildren(screen.node);
    screen.focus();
    scrollTo(0, 0);
  };

  const choose = async (animal?: Card): Promise<void> => {
    screen?.stop();
    screen = undefined;
    chooser = new Chooser(room, await own(journal, room), { start: begin, goOn: (id) => void operate(id) }, more);
    place.replaceChildren(chooser.node);
    if (animal) chooser.choose(animal);
  };

  const begin = async (card: Card, template: Template | undefined, plan: PlanItem[]): Promise<void> => {
    const id = uuid();
    const body = { subject: card.id, nickname: card.nickname, template: template?.id ?? null, plan };
    await journal.add("surgery.start", id, body);
    await operate(id);
  };

  const more = async (query: string): Promise<Card[]> => {
    const answer = await fetch(`/bench/data/surgery/animals?q=${encodeURIComponent(query)}`, { cache: "no-store", signal: AbortSignal.timeout(8_000) });
    return answer.ok ? ((await answer.json()) as { animals: Card[] }).animals : [];
  };

  const open = async (): Promise<void> => {
    const said = location.hash.slice(1) || location.pathname.replace(/^\/surgery\//, "");
    const id = /^[0-9a-f-]{36}$/.test(said) ? said : undefined;
    if (!id) return choose();
    const animal = room.animals.find((one) => one.id === id);
    if (animal) return choose(animal);
    const [known] = id ? await more(id).catch(() => []) : [];
    return known && known.id === id ? choose(known) : operate(id);
  };

  if (room === empty) await ask();
  else void ask();
  setInterval(() => document.visibilityState === "visible" && void ask(), AGAIN_MS);
  onScan((code) => {
    if (!screen && chooser) void chooser.code(code);
  });
  addEventListener("hashchange", () => void open());
  await open();
});

/** Surgeries that this tablet began or worked on, and that have not ended. */
async function own(journal: Journal, room: Room): Promise<Running[]> {
  const entries = await journal.entries();
  const since = Date.now() - OWN_HOURS * 3_600_000;
  const starts = entries.filter((entry) => entry.kind === "surgery.start" && entry.about && !entry.ended && Date.parse(entry.made_at) > since);
  return starts.flatMap((entry): Running[] => {
    const view = fold(entry.about ?? "", room, undefined, entries);
    if (view.endedAt || !view.start || !view.startedAt) return [];
    if (entry.state === "confirmed" && room.read_at > (entry.answer?.at ?? "") && !room.running.some((one) => one.id === entry.about)) return [];
    return [{ id: view.id, subject: view.subject?.id ?? "", nickname: view.nickname, zone: view.zone, started_at: view.startedAt, people: [] }];
  });
}
