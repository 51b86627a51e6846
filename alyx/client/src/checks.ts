/** What this device cannot do, said before anything is typed. */

export interface Problem {
  serious: boolean;
  text: string;
}

/** Without asking anybody. */
export function checkDevice(): Problem[] {
  const found: Problem[] = [];
  if (!globalThis.isSecureContext)
    found.push({
      serious: true,
      text: "This page is not served securely (https): it does not open without a network, and camera and pictures do not work. Ask whoever runs the server for https.",
    });
  else if (!("locks" in navigator) || !("BroadcastChannel" in globalThis))
    found.push({ serious: true, text: "This browser is too old for safe work in several tabs. Update it (Chrome or Edge 111, Firefox 113, Safari 16.4), or use one tab only." });
  return found;
}

/** Register the service worker and ask that the device keeps what is stored. */
export async function checkWorker(): Promise<Problem | undefined> {
  if (!globalThis.isSecureContext) return undefined; // said already
  if (!("serviceWorker" in navigator))
    return { serious: true, text: "This browser does not open pages without a network (a private window, or an old browser). What you type is kept, but do not close this page while there is no connection." };
  try {
    const registered = await navigator.serviceWorker.register("/bench/sw.js", { scope: "/" });
    void registered.update().catch(() => {});
    // The first page of all was loaded before the worker was there: it is told to keep it.
    if (!navigator.serviceWorker.controller)
      void navigator.serviceWorker.ready.then((ready) => ready.active?.postMessage({ keep: location.pathname }));
  } catch (error) {
    if (!navigator.onLine || (error instanceof TypeError && navigator.serviceWorker.controller)) return undefined; // no network: the old one serves
    const why = error instanceof Error && error.name === "SecurityError" ? "the server's certificate is not trusted here" : String(error);
    return {
      serious: true,
      text: `This page will not open without a network (${why}). What you type is kept on this tablet; install the server's certificate, or ask whoever runs the server, before you rely on it.`,
    };
  }
  return storageProblem();
}

const LITTLE_BYTES = 50 * 1024 * 1024;

async function storageProblem(): Promise<Problem | undefined> {
  const storage = navigator.storage as StorageManager | undefined;
  if (!storage?.estimate) return undefined;
  await storage.persist?.().catch(() => false);
  const { quota = Infinity, usage = 0 } = await storage.estimate();
  if (quota - usage >= LITTLE_BYTES) return undefined;
  return { serious: true, text: `This device has little storage left (${Math.round((quota - usage) / 1024 / 1024)} MB): free some before you take pictures.` };
}
