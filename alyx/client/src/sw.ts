/** The service worker: pages and files of the bench when there is no network. It never answers for data. */

declare const self: ServiceWorkerGlobalScope & {
  BENCH: { version: string; assets: string[]; shells: string[]; offline: string[] };
};
interface ServiceWorkerGlobalScope {
  addEventListener(name: "install" | "activate", listener: (event: ExtendableEvent) => void): void;
  addEventListener(name: "message", listener: (event: ExtendableEvent & { data: unknown }) => void): void;
  addEventListener(name: "fetch", listener: (event: FetchEvent) => void): void;
  skipWaiting(): Promise<void>;
  clients: { claim(): Promise<void> };
  location: Location;
}
interface ExtendableEvent extends Event {
  waitUntil(work: Promise<unknown>): void;
}
interface FetchEvent extends ExtendableEvent {
  request: Request;
  respondWith(answer: Promise<Response>): void;
}

const FILES = "bench-files";
const PAGES = "bench-pages";
const PATIENCE_MS = 4_000;
const OWNER = "/bench/page-owner";
const { assets, shells, offline } = self.BENCH;

self.addEventListener("install", (event) => {
  event.waitUntil(installed());
});

self.addEventListener("activate", (event) => {
  event.waitUntil(activated());
});

self.addEventListener("message", (event) => {
  const { keep: address, forget } = event.data as { keep?: unknown; forget?: unknown };
  if (forget) event.waitUntil(caches.delete(PAGES));
  if (typeof address === "string" && isBench(address)) event.waitUntil(fetched(address));
});

self.addEventListener("fetch", (event) => {
  const { request } = event;
  const address = new URL(request.url);
  if (address.origin !== self.location.origin) return;
  if (address.pathname === "/admin/logout/" || (address.pathname === "/admin/login/" && request.method === "POST")) event.respondWith(otherLogin(request));
  else if (request.method !== "GET") return;
  else if (assets.includes(address.pathname)) event.respondWith(file(request));
  else if (request.mode === "navigate" && isBench(address.pathname)) event.respondWith(page(request));
});

function isBench(path: string): boolean {
  return offline.some((start) => path.startsWith(start)) && !(path.startsWith("/sessions/") && !path.endsWith("/live"));
}

async function installed(): Promise<void> {
  const cache = await caches.open(FILES);
  await Promise.all(
    assets.map(async (address) => {
      const answer = await fetch(address, { cache: "reload" });
      if (!answer.ok) throw new Error(`${address}: ${answer.status}`);
      await cache.put(address, answer);
    }),
  );
  for (const address of shells) await fetched(address);
  await self.skipWaiting(); // pages run on with what they loaded: a new worker only changes what the next page gets
}

async function fetched(address: string): Promise<void> {
  await fetch(address, { credentials: "same-origin" }).then((answer) => keep(address, answer), () => {});
}

async function activated(): Promise<void> {
  await self.clients.claim();
  const cache = await caches.open(FILES);
  const wanted = new Set(assets);
  const pages = await (await caches.open(PAGES)).matchAll();
  const texts = (await Promise.all(pages.map((one) => one.text()))).join("\n");
  for (const request of await cache.keys()) {
    const { pathname } = new URL(request.url);
    if (!wanted.has(pathname) && !texts.includes(pathname)) await cache.delete(request); // a kept page may still need it
  }
}

async function file(request: Request): Promise<Response> {
  const cache = await caches.open(FILES);
  const found = await cache.match(request, { ignoreSearch: true });
  if (found && isHashed(request.url)) return found;
  try {
    const answer = await fetch(request);
    if (answer.ok) await cache.put(request, answer.clone());
    return answer.ok || !found ? answer : found;
  } catch (error) {
    if (found) return found;
    throw error;
  }
}

function isHashed(address: string): boolean {
  return /\.[0-9a-f]{12}\.\w+$/.test(new URL(address).pathname);
}

/** From the network if it answers in time, else what was kept. */
async function page(request: Request): Promise<Response> {
  const address = new URL(request.url).pathname;
  const kept = await (await caches.open(PAGES)).match(address);
  const asked = fetch(request).then(async (answer) => {
    await keep(address, answer.clone());
    return answer;
  });
  try {
    const late = new Promise<undefined>((over) => setTimeout(over, kept ? PATIENCE_MS : 60_000));
    const answer = await Promise.race([asked, late]);
    if (answer && (answer.status < 500 || !kept)) return answer;
  } catch {
    // no network
  }
  asked.catch(() => {});
  return kept ?? nothing();
}

/** Keep a shell that says whose it is. Pages of somebody else go: they are not shown after another login. */
async function keep(address: string, answer: Response): Promise<void> {
  const user = answer.headers.get("X-Bench-User");
  if (!answer.ok || !user || answer.redirected) return;
  let cache = await caches.open(PAGES);
  const owner = await (await cache.match(OWNER))?.text();
  if (owner !== user) {
    await caches.delete(PAGES);
    cache = await caches.open(PAGES);
    await cache.put(OWNER, new Response(user));
  }
  await cache.put(address, answer);
}

/** Whoever is here next sees no page of who was here before. */
async function otherLogin(request: Request): Promise<Response> {
  const answer = await fetch(request);
  await caches.delete(PAGES);
  return answer;
}

function nothing(): Response {
  const text =
    "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'><title>No connection</title>" +
    "<h1>There is no connection to the server</h1><p>This page was not opened on this tablet by who is logged in. " +
    "What was typed here before is safe on it. Try again when there is a network.</p><p><a href=''>Try again</a></p>";
  return new Response(text, { status: 503, headers: { "Content-Type": "text/html; charset=utf-8" } });
}

export {};
