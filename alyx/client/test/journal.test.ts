import assert from "node:assert/strict";
import { test } from "node:test";
import { isClash, Journal } from "../src/journal";
import type { Fetch } from "../src/net";
import { MemoryStore } from "../src/store";
import type { Answer, Entry } from "../src/types";

const USER = "7b0e1b52-0000-4000-8000-000000000001";

/** A server that answers what it is told, and notes what it was sent. */
class Server {
  sent: Entry[][] = [];
  user: string | null = USER;
  status = 200;
  ahead = 0;
  down = false;
  answer: (entry: Entry) => Partial<Answer> = () => ({});

  readonly fetch: Fetch = async (address, options) => {
    if (this.down) throw new TypeError("no network");
    const now = new Date(Date.now() + this.ahead).toISOString();
    if (address === "/bench/pulse") return Response.json({ now, user: this.user, name: "somebody", csrf: "token" });
    if (address === "/bench/login") {
      this.user = USER;
      return Response.json({ now, user: USER, name: "anna", csrf: "another" });
    }
    if (this.user === null) return Response.json({ detail: "you are not logged in" }, { status: 401 });
    if (this.status !== 200) return Response.json({ detail: "no" }, { status: this.status });
    const { entries } = JSON.parse(String(options?.body)) as { entries: Entry[] };
    this.sent.push(entries);
    const answers = entries.map((entry) => ({ key: entry.key, state: "done", result: {}, message: "", fields: {}, at: now, ...this.answer(entry) }));
    return Response.json({ now, answers });
  };
}

let names = 0;

async function journal(server: Server, store = new MemoryStore(), pauseMs = 60_000): Promise<Journal> {
  names += 1;
  return Journal.open(USER, { name: `test-${names}`, store, fetch: server.fetch, sends: false, pauseMs });
}

const texts = (entries: Entry[]): unknown[] => entries.map((entry) => entry.body.value ?? entry.body.n);

test("local, sending, confirmed: in that order, and told", async () => {
  const server = new Server();
  const mine = await journal(server);
  const seen: string[] = [];
  mine.onChange((entry) => seen.push(entry.state));
  await mine.add("k", null, { n: 1 });
  assert.equal(mine.status().unsent, 1);
  await mine.send();
  assert.deepEqual(seen, ["local", "sending", "confirmed"]);
  assert.equal(mine.status().unsent, 0);
  mine.abandon();
});

test("keystrokes of one field are one entry, its base is what stood there", async () => {
  const server = new Server();
  const mine = await journal(server);
  for (const value of ["h", "he", "hea", "head"]) mine.write("k", "a", "text", value, "");
  mine.write("k", "a", "other", "x", "");
  await new Promise((done) => setTimeout(done, 5));
  assert.equal(mine.status().unsent, 2);
  await mine.flush();
  await mine.send();
  assert.deepEqual(texts(server.sent.flat()), ["head", "x"]);
  assert.equal(server.sent.flat()[0]?.body.base, "");
  mine.abandon();
});

test("a pause ends an edit; the next one goes on from it, whatever the screen was told", async () => {
  const server = new Server();
  const mine = await journal(server, new MemoryStore(), 5);
  mine.write("k", "a", "text", "one", "");
  await new Promise((done) => setTimeout(done, 30));
  mine.write("k", "a", "text", "one two", "");
  await mine.flush();
  await mine.send();
  assert.deepEqual(server.sent.flat().map(({ body }) => [body.base, body.value]), [["", "one"], ["one", "one two"]]);
  mine.abandon();
});

test("a screen that was drawn anew says what it was given", async () => {
  const server = new Server();
  const mine = await journal(server);
  mine.write("k", "a", "text", "one", "");
  await mine.flush();
  mine.write("k", "a", "text", "theirs and mine", "theirs");
  await mine.flush();
  assert.deepEqual((await mine.entries("a")).map(({ body }) => body.base), ["", "theirs"]);
  mine.abandon();
});

test("an edit that ends where it began is nothing", async () => {
  const mine = await journal(new Server());
  mine.write("k", "a", "text", "ab", "a");
  mine.write("k", "a", "text", "a", "a");
  await mine.flush();
  assert.deepEqual(await mine.entries(), []);
  mine.abandon();
});

test("a tap closes the open edit of the same thing first", async () => {
  const server = new Server();
  const mine = await journal(server);
  mine.write("k", "a", "text", "words", "");
  mine.write("k", "b", "text", "elsewhere", "");
  await mine.add("k", "a", { n: 5 });
  await mine.send();
  assert.deepEqual(texts(server.sent.flat()), ["words", 5]);
  mine.abandon();
});

test("what a page left open is an entry for the next one", async () => {
  const [server, store] = [new Server(), new MemoryStore()];
  const first = await journal(server, store);
  first.write("k", "a", "text", "half a sent", "");
  await new Promise((done) => setTimeout(done, 5));
  first.abandon();
  const second = await journal(server, store);
  await second.send();
  assert.deepEqual(texts(server.sent.flat()), ["half a sent"]);
  second.write("k", "a", "text", "half a sentence", "half a sent");
  await second.flush();
  await second.send();
  assert.equal(server.sent.flat()[1]?.body.base, "half a sent");
  second.abandon();
});

test("no network: it waits, says so, and is sent in order with the same keys", async () => {
  const server = new Server();
  const mine = await journal(server);
  server.down = true;
  const made = [await mine.add("k", null, { n: 1 }), await mine.add("k", null, { n: 2 })];
  await mine.send();
  assert.deepEqual([mine.status().online, mine.status().unsent], [false, 2]);
  server.down = false;
  await mine.send();
  assert.deepEqual(server.sent.flat().map(({ key }) => key), made.map(({ key }) => key));
  assert.ok(server.sent.flat().every((entry, at, all) => at === 0 || entry.seq > (all[at - 1]?.seq ?? 0)));
  assert.equal(mine.status().online, true);
  mine.abandon();
});

test("a login that ended: nothing is lost, and it goes on after logging in again", async () => {
  const server = new Server();
  const mine = await journal(server);
  server.user = null;
  await mine.add("k", null, { n: 1 });
  await mine.send();
  assert.deepEqual([mine.status().needsLogin, mine.status().unsent], [true, 1]);
  assert.equal(await mine.login("anna", "x"), "");
  await mine.send();
  assert.deepEqual([mine.status().needsLogin, mine.status().unsent, server.sent.length], [false, 0, 1]);
  mine.abandon();
});

test("entries never go under another person's login", async () => {
  const server = new Server();
  const mine = await journal(server);
  server.user = "7b0e1b52-0000-4000-8000-000000000002";
  await mine.add("k", null, { n: 1 });
  await mine.send();
  assert.deepEqual([server.sent.length, mine.status().otherUser, mine.status().unsent], [0, "somebody", 1]);
  mine.abandon();
});

test("one entry that is refused does not hold up the others", async () => {
  const server = new Server();
  const mine = await journal(server);
  for (let n = 0; n < 5; n += 1) await mine.add("k", null, { n });
  const before = server.fetch;
  const refusing: Fetch = async (address, options) =>
    String(options?.body).includes('"n":3') ? Response.json({ detail: "it is bad" }, { status: 400 }) : before(address, options);
  Object.assign(mine.net, { fetched: refusing });
  await mine.send();
  const entries = await mine.entries();
  assert.deepEqual(entries.map(({ state }) => state), ["confirmed", "confirmed", "confirmed", "kept", "confirmed"]);
  assert.equal(entries[3]?.answer?.message, "it is bad");
  Object.assign(mine.net, { fetched: before });
  await mine.again(entries[3]?.key ?? ""); // the server has never heard of it: it is sent itself, with its key
  await mine.send();
  assert.deepEqual([server.sent.at(-1)?.map(({ key }) => key), mine.status().kept], [[entries[3]?.key], 0]);
  mine.abandon();
});

test("asked, then it is right; kept, then put aside; done, then undone", async () => {
  const server = new Server();
  const mine = await journal(server);
  const [doubted, bad, fine] = [await mine.add("k", "a", { n: 1 }), await mine.add("k", "a", { n: 2 }), await mine.add("k", "a", { n: 3 })];
  server.answer = ({ body }) => (body.n === 1 ? { state: "asked", message: "really?" } : body.n === 2 ? { state: "kept" } : {});
  await mine.send();
  assert.deepEqual([mine.status().asked, mine.status().kept], [1, 1]);
  server.answer = ({ kind, body }) => ({
    result: { of: body.of, ...(kind === "journal.confirm" ? { result: { weight: 5 } } : { ended: kind === "journal.undo" ? "undone" : "discarded" }) },
  });
  await mine.confirm(doubted.key);
  await mine.discard(bad.key, "weighed again");
  await mine.undo(fine.key);
  await mine.send();
  const [one, two, three] = await mine.entries("a");
  assert.deepEqual([one?.state, one?.answer?.result], ["confirmed", { weight: 5 }]);
  assert.deepEqual([two?.ended, three?.ended], ["discarded", "undone"]);
  assert.deepEqual([mine.status().asked, mine.status().kept], [0, 0]);
  mine.abandon();
});

test("a conflict is settled on top of what the server has, and the rest is put aside", async () => {
  const server = new Server();
  const mine = await journal(server);
  server.answer = ({ kind }) => (kind === "k" ? { state: "kept", result: { field: "text", base: "", mine: "mine", theirs: "theirs" } } : {});
  mine.write("k", "a", "text", "mine", "");
  await mine.flush();
  await mine.send();
  const [clash] = await mine.entries("a");
  assert.ok(clash && isClash(clash));
  server.answer = ({ kind, body }) => (kind === "journal.discard" ? { result: { of: body.of, ended: "discarded" } } : {});
  await mine.resolve(clash.key, "both");
  await mine.send();
  const last = server.sent.at(-1) ?? [];
  assert.deepEqual(last.map(({ kind, body }) => [kind, body.value ?? body.of, body.base]), [["k", "both", "theirs"], ["journal.discard", clash.key, undefined]]);
  assert.equal((await mine.entries("a")).some(isClash), false);
  mine.abandon();
});

test("the server's clock is measured at each exchange", async () => {
  const server = new Server();
  server.ahead = 600_000;
  const mine = await journal(server);
  await mine.add("k", null, {});
  await mine.send();
  assert.ok(Math.abs((mine.status().skew ?? 0) - 600) < 5);
  mine.abandon();
});

test("a device that fills up says so at once, and what it cannot keep is sent from memory", async () => {
  const store = new MemoryStore();
  const server = new Server();
  const mine = await journal(server, Object.assign(store, { durable: true }));
  const commit = store.commit.bind(store);
  await mine.add("k", null, { n: 1 });
  store.commit = () => Promise.reject(new DOMException("", "QuotaExceededError"));
  await mine.add("k", null, { n: 2 });
  mine.write("edit", "a", "text", "typed while it was full", "");
  await mine.flush();
  assert.match(mine.status().trouble, /storage is full/);
  assert.deepEqual([mine.status().unsent, mine.status().durable], [3, false]);
  await mine.send();
  assert.deepEqual(server.sent.flat().map((entry) => entry.body.n ?? entry.body.value), [1, 2, "typed while it was full"]);
  assert.equal(mine.status().unsent, 0);
  store.commit = commit;
  await mine.add("k", null, { n: 3 });
  assert.equal(mine.status().durable, true);
  assert.deepEqual((await store.all()).map((entry) => [entry.body.n ?? entry.body.value, entry.state]), [
    [1, "confirmed"],
    [2, "confirmed"],
    ["typed while it was full", "confirmed"],
    [3, "local"],
  ]);
  mine.abandon();
});

test("a keystroke that the device did not take is called unsafe only until it has the next", async () => {
  const store = Object.assign(new MemoryStore(), { durable: true });
  const mine = await journal(new Server(), store);
  const put = store.putDraft.bind(store);
  store.putDraft = () => Promise.reject(new DOMException("", "QuotaExceededError"));
  mine.write("k", "a", "text", "f", "");
  await new Promise((done) => setTimeout(done, 5));
  assert.equal(mine.status().durable, false);
  store.putDraft = put;
  mine.write("k", "a", "text", "fo", "");
  await new Promise((done) => setTimeout(done, 5));
  assert.equal(mine.status().durable, true);
  assert.deepEqual(texts(await store.drafts()), ["fo"]);
  mine.abandon();
});

test("what was only in memory is on the device when that takes it again", async () => {
  const store = Object.assign(new MemoryStore(), { durable: true });
  const mine = await journal(new Server(), store);
  const commit = store.commit.bind(store);
  store.commit = () => Promise.reject(new DOMException("", "InvalidStateError"));
  await mine.add("k", null, { n: 1 });
  assert.deepEqual(await store.all(), []);
  store.commit = commit;
  await mine.add("k", null, { n: 2 });
  assert.deepEqual((await store.pending(9)).map((entry) => entry.body.n), [1, 2]);
  assert.equal(mine.status().durable, true);
  mine.abandon();
});

test("a device that keeps nothing is not called safe", async () => {
  const mine = await Journal.openUnsafe(USER, { fetch: new Server().fetch, sends: false });
  assert.equal(mine.status().durable, false);
  mine.abandon();
});
