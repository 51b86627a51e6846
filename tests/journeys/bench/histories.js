"use strict";
(() => {
  // node_modules/idb/build/index.js
  var instanceOfAny = (object, constructors) => constructors.some((c) => object instanceof c);
  var idbProxyableTypes;
  var cursorAdvanceMethods;
  function getIdbProxyableTypes() {
    return idbProxyableTypes || (idbProxyableTypes = [
      IDBIndex,
      IDBObjectStore,
      IDBCursor,
      IDBDatabase,
      IDBTransaction
    ]);
  }
  function getCursorAdvanceMethods() {
    return cursorAdvanceMethods || (cursorAdvanceMethods = ["advance", "continue", "continuePrimaryKey"].map((method) => IDBCursor.prototype[method]));
  }
  var transactionDoneMap = /* @__PURE__ */ new WeakMap();
  var transformCache = /* @__PURE__ */ new WeakMap();
  var reverseTransformCache = /* @__PURE__ */ new WeakMap();
  function promisifyRequest(request) {
    const promise = new Promise((resolve, reject) => {
      const unlisten = () => {
        request.removeEventListener("success", success);
        request.removeEventListener("error", error);
      };
      const success = () => {
        resolve(wrap(request.result));
        unlisten();
      };
      const error = () => {
        reject(request.error);
        unlisten();
      };
      request.addEventListener("success", success);
      request.addEventListener("error", error);
    });
    reverseTransformCache.set(promise, request);
    return promise;
  }
  function cacheDonePromiseForTransaction(tx) {
    if (transactionDoneMap.has(tx))
      return;
    const done = new Promise((resolve, reject) => {
      const unlisten = () => {
        tx.removeEventListener("complete", complete);
        tx.removeEventListener("error", error);
        tx.removeEventListener("abort", error);
      };
      const complete = () => {
        resolve();
        unlisten();
      };
      const error = () => {
        reject(tx.error || new DOMException("AbortError", "AbortError"));
        unlisten();
      };
      tx.addEventListener("complete", complete);
      tx.addEventListener("error", error);
      tx.addEventListener("abort", error);
    });
    transactionDoneMap.set(tx, done);
  }
  var idbProxyTraps = {
    get(target, prop, receiver) {
      if (target instanceof IDBTransaction) {
        if (prop === "done")
          return transactionDoneMap.get(target);
        if (prop === "store") {
          return receiver.objectStoreNames[1] ? void 0 : receiver.objectStore(receiver.objectStoreNames[0]);
        }
      }
      return wrap(target[prop]);
    },
    set(target, prop, value) {
      target[prop] = value;
      return true;
    },
    has(target, prop) {
      if (target instanceof IDBTransaction && (prop === "done" || prop === "store")) {
        return true;
      }
      return prop in target;
    }
  };
  function replaceTraps(callback) {
    idbProxyTraps = callback(idbProxyTraps);
  }
  function wrapFunction(func) {
    if (getCursorAdvanceMethods().includes(func)) {
      return function(...args) {
        func.apply(unwrap(this), args);
        return wrap(this.request);
      };
    }
    return function(...args) {
      return wrap(func.apply(unwrap(this), args));
    };
  }
  function transformCachableValue(value) {
    if (typeof value === "function")
      return wrapFunction(value);
    if (value instanceof IDBTransaction)
      cacheDonePromiseForTransaction(value);
    if (instanceOfAny(value, getIdbProxyableTypes()))
      return new Proxy(value, idbProxyTraps);
    return value;
  }
  function wrap(value) {
    if (value instanceof IDBRequest)
      return promisifyRequest(value);
    if (transformCache.has(value))
      return transformCache.get(value);
    const newValue = transformCachableValue(value);
    if (!Object.is(newValue, value)) {
      transformCache.set(value, newValue);
      reverseTransformCache.set(newValue, value);
    }
    return newValue;
  }
  var unwrap = (value) => reverseTransformCache.get(value);
  function openDB(name, version, { blocked, upgrade, blocking, terminated } = {}) {
    const request = indexedDB.open(name, version);
    const openPromise = wrap(request);
    if (upgrade) {
      request.addEventListener("upgradeneeded", (event) => {
        upgrade(wrap(request.result), event.oldVersion, event.newVersion, wrap(request.transaction), event);
      });
    }
    if (blocked) {
      request.addEventListener("blocked", (event) => blocked(
        // Casting due to https://github.com/microsoft/TypeScript-DOM-lib-generator/pull/1405
        event.oldVersion,
        event.newVersion,
        event
      ));
    }
    openPromise.then((db) => {
      if (terminated)
        db.addEventListener("close", () => terminated());
      if (blocking) {
        db.addEventListener("versionchange", (event) => blocking(event.oldVersion, event.newVersion, event));
      }
    }).catch(() => {
    });
    return openPromise;
  }
  var readMethods = ["get", "getKey", "getAll", "getAllKeys", "count"];
  var writeMethods = ["put", "add", "delete", "clear"];
  var cachedMethods = {};
  function getMethod(target, prop) {
    if (!(target instanceof IDBDatabase && !(prop in target) && typeof prop === "string")) {
      return;
    }
    if (cachedMethods[prop])
      return cachedMethods[prop];
    const targetFuncName = prop.replace(/FromIndex$/, "");
    const useIndex = prop !== targetFuncName;
    const isWrite = writeMethods.includes(targetFuncName);
    if (
      // Bail if the target doesn't exist on the target. Eg, getAll isn't in Edge.
      !(targetFuncName in (useIndex ? IDBIndex : IDBObjectStore).prototype) || !(isWrite || readMethods.includes(targetFuncName))
    ) {
      return;
    }
    const method = async function(storeName, ...args) {
      const tx = this.transaction(storeName, isWrite ? "readwrite" : "readonly");
      let target2 = tx.store;
      if (useIndex)
        target2 = target2.index(args.shift());
      return (await Promise.all([
        target2[targetFuncName](...args),
        isWrite && tx.done
      ]))[0];
    };
    return cachedMethods[prop] = method;
  }
  replaceTraps((oldTraps) => ({
    ...oldTraps,
    get: (target, prop, receiver) => getMethod(target, prop) || oldTraps.get(target, prop, receiver),
    has: (target, prop) => !!getMethod(target, prop) || oldTraps.has(target, prop)
  }));
  var advanceMethodProps = ["advance", "continue", "continuePrimaryKey"];
  var methodMap = {};
  var advanceResults = /* @__PURE__ */ new WeakMap();
  var ittrProxiedCursorToOriginalProxy = /* @__PURE__ */ new WeakMap();
  var cursorIteratorTraps = {
    get(target, prop) {
      if (!advanceMethodProps.includes(prop))
        return target[prop];
      let cachedFunc = methodMap[prop];
      if (!cachedFunc) {
        cachedFunc = methodMap[prop] = function(...args) {
          advanceResults.set(this, ittrProxiedCursorToOriginalProxy.get(this)[prop](...args));
        };
      }
      return cachedFunc;
    }
  };
  async function* iterate(...args) {
    let cursor = this;
    if (!(cursor instanceof IDBCursor)) {
      cursor = await cursor.openCursor(...args);
    }
    if (!cursor)
      return;
    cursor = cursor;
    const proxiedCursor = new Proxy(cursor, cursorIteratorTraps);
    ittrProxiedCursorToOriginalProxy.set(proxiedCursor, cursor);
    reverseTransformCache.set(proxiedCursor, unwrap(cursor));
    while (cursor) {
      yield proxiedCursor;
      cursor = await (advanceResults.get(proxiedCursor) || cursor.continue());
      advanceResults.delete(proxiedCursor);
    }
  }
  function isIteratorProp(target, prop) {
    return prop === Symbol.asyncIterator && instanceOfAny(target, [IDBIndex, IDBObjectStore, IDBCursor]) || prop === "iterate" && instanceOfAny(target, [IDBIndex, IDBObjectStore]);
  }
  replaceTraps((oldTraps) => ({
    ...oldTraps,
    get(target, prop, receiver) {
      if (isIteratorProp(target, prop))
        return iterate;
      return oldTraps.get(target, prop, receiver);
    },
    has(target, prop) {
      return isIteratorProp(target, prop) || oldTraps.has(target, prop);
    }
  }));

  // src/ids.ts
  function uuid() {
    if (typeof crypto.randomUUID === "function") return crypto.randomUUID();
    const bytes = crypto.getRandomValues(new Uint8Array(16));
    bytes[6] = (bytes[6] ?? 0) & 15 | 64;
    bytes[8] = (bytes[8] ?? 0) & 63 | 128;
    const hex = hexOf(bytes);
    return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
  }
  function hexOf(bytes) {
    return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  }

  // src/store.ts
  function isOver(entry) {
    return entry.state === "confirmed" || entry.ended !== void 0 && !isPending(entry);
  }
  function isPending(entry) {
    return entry.tab === void 0 && (entry.state === "local" || entry.state === "sending");
  }
  function isNothing(draft) {
    return typeof draft.body.value === "string" && draft.body.value === draft.body.base;
  }
  function asEntry(draft, seq) {
    const { tab: _tab, ...rest } = draft;
    return { ...rest, seq };
  }
  function inOrder(one, other) {
    return one.seq - other.seq || (one.key < other.key ? -1 : 1);
  }
  var MemoryStore = class {
    durable = false;
    id = uuid();
    open = /* @__PURE__ */ new Map();
    entries = /* @__PURE__ */ new Map();
    pictures = /* @__PURE__ */ new Map();
    snapshots = /* @__PURE__ */ new Map();
    async device() {
      return this.id;
    }
    async putDraft(draft) {
      if (this.entries.has(draft.key)) return false;
      this.open.set(draft.key, structuredClone(draft));
      return true;
    }
    async commit({ entries, closed, picture }) {
      if (picture) this.pictures.set(picture.sha256, picture.data);
      for (const key of closed ?? []) this.open.delete(key);
      for (const entry of entries) this.entries.set(entry.key, structuredClone(entry));
    }
    /** These are kept elsewhere now. */
    async forget(keys) {
      for (const key of keys) {
        this.entries.delete(key);
        this.open.delete(key);
      }
    }
    async drafts() {
      return structuredClone([...this.open.values()]);
    }
    async all() {
      return structuredClone([...this.entries.values()]).sort(inOrder);
    }
    async pending(most) {
      return (await this.all()).filter(isPending).slice(0, most);
    }
    async picture(sha256) {
      return this.pictures.get(sha256);
    }
    async dropPictures(sha256) {
      for (const one of sha256) this.pictures.delete(one);
    }
    async snapshot(name) {
      return this.snapshots.get(name);
    }
    async keepSnapshot(name, data) {
      this.snapshots.set(name, data);
    }
    async sweep(before) {
      for (const [key, entry] of this.entries) if (isOver(entry) && entry.made_at < before) this.entries.delete(key);
    }
    close() {
    }
  };

  // src/types.ts
  var JournalUnavailable = class extends Error {
    constructor(code, message) {
      super(message);
      this.code = code;
      this.name = "JournalUnavailable";
    }
    code;
  };
  function explained(error) {
    if (error instanceof JournalUnavailable) return error;
    const name = error instanceof Error || error instanceof DOMException ? error.name : "";
    if (name === "QuotaExceededError")
      return new JournalUnavailable(
        "full",
        "This device's storage is full: what you type now is sent, but cannot be kept here. Do not close this page before all is sent; free some space (photos, downloads), then reload it."
      );
    if (name === "SecurityError" || name === "InvalidStateError" || name === "NotAllowedError")
      return new JournalUnavailable(
        "blocked",
        "This browser does not let the page keep anything on the device (a private window, or storage is blocked for this site). Open it in a normal window, or allow storage in the site's settings."
      );
    return new JournalUnavailable(
      "broken",
      `This browser's storage does not work (${error instanceof Error ? error.message : String(error)}). Close other windows of this browser, start it again, and reload this page.`
    );
  }

  // src/idb_store.ts
  var PREFIX = "alyx-journal-";
  var STRICT = { durability: "strict" };
  var OPEN_WAIT_MS = 1e4;
  function row(entry) {
    return isPending(entry) ? { ...entry, todo: entry.seq } : entry;
  }
  function plain(found) {
    const { todo: _todo, ...entry } = found;
    return entry;
  }
  function ignored() {
  }
  var IdbStore = class _IdbStore {
    constructor(db, id) {
      this.db = db;
      this.id = id;
    }
    db;
    id;
    durable = true;
    /** Raises JournalUnavailable. */
    static async open(user) {
      try {
        if (typeof indexedDB === "undefined" || indexedDB === null) throw new DOMException("", "SecurityError");
        const opening = openDB(PREFIX + user, 1, {
          upgrade(db2) {
            db2.createObjectStore("entries", { keyPath: "key" }).createIndex("todo", "todo");
            db2.createObjectStore("drafts", { keyPath: "key" });
            db2.createObjectStore("pictures", { keyPath: "sha256" });
            db2.createObjectStore("snapshots", { keyPath: "name" });
            db2.createObjectStore("meta", { keyPath: "name" });
          },
          blocking(_now, _wanted, event) {
            event.target.close();
          }
        });
        const late = new Promise((_, refuse) => setTimeout(() => refuse(new Error("it does not answer")), OPEN_WAIT_MS));
        const db = await Promise.race([opening, late]);
        return new _IdbStore(db, await deviceOf(db));
      } catch (error) {
        throw error instanceof JournalUnavailable ? error : explained(error);
      }
    }
    async device() {
      return this.id;
    }
    async putDraft(draft) {
      const tx = this.db.transaction(["drafts", "entries"], "readwrite", STRICT);
      const taken = tx.objectStore("entries").getKey(draft.key);
      const put = tx.objectStore("drafts").put(draft);
      put.catch(ignored);
      tx.commit();
      await tx.done;
      if (await taken === void 0) return true;
      await this.db.delete("drafts", draft.key);
      return false;
    }
    async commit({ entries, closed, picture }) {
      const stores = picture ? ["drafts", "entries", "pictures"] : ["drafts", "entries"];
      const tx = this.db.transaction(stores, "readwrite", STRICT);
      const asked = [];
      if (picture) asked.push(tx.objectStore("pictures").put(picture));
      for (const key of closed ?? []) asked.push(tx.objectStore("drafts").delete(key));
      for (const entry of entries) asked.push(tx.objectStore("entries").put(row(entry)));
      for (const one of asked) one.catch(ignored);
      tx.commit();
      await tx.done;
    }
    async drafts() {
      return this.db.getAll("drafts");
    }
    async all() {
      return (await this.db.getAll("entries")).map(plain).sort(inOrder);
    }
    async pending(most) {
      return (await this.db.getAllFromIndex("entries", "todo", void 0, most)).map(plain);
    }
    async picture(sha256) {
      return (await this.db.get("pictures", sha256))?.data;
    }
    async dropPictures(sha256) {
      const tx = this.db.transaction("pictures", "readwrite");
      await Promise.all([...sha256.map((one) => tx.store.delete(one)), tx.done]);
    }
    async snapshot(name) {
      return (await this.db.get("snapshots", name))?.data;
    }
    async keepSnapshot(name, data) {
      await this.db.put("snapshots", { name, data });
    }
    async sweep(before) {
      const tx = this.db.transaction("entries", "readwrite");
      const old = (await tx.store.getAll()).filter((entry) => isOver(entry) && entry.made_at < before);
      await Promise.all([...old.map((entry) => tx.store.delete(entry.key)), tx.done]);
    }
    close() {
      this.db.close();
    }
  };
  async function deviceOf(db) {
    const tx = db.transaction("meta", "readwrite", STRICT);
    const value = (await tx.store.get("device"))?.value ?? uuid();
    await Promise.all([tx.store.put({ name: "device", value }), tx.done]);
    return value;
  }

  // src/cache.ts
  var DECISIONS = /* @__PURE__ */ new Set(["journal.confirm", "journal.again", "journal.discard"]);
  var Cache = class _Cache {
    known = /* @__PURE__ */ new Map();
    changes = /* @__PURE__ */ new Set();
    statuses = /* @__PURE__ */ new Set();
    channel;
    last = 0;
    constructor(user) {
      if (typeof BroadcastChannel === "undefined") return;
      this.channel = new BroadcastChannel(`alyx-journal-${user}`);
      this.channel.unref?.();
      this.channel.onmessage = ({ data }) => {
        this.accept(data.entries, data.gone);
      };
    }
    static async load(store, user) {
      const cache = new _Cache(user);
      for (const entry of [...await store.all(), ...await store.drafts()])
        if (!cache.known.has(entry.key)) cache.keep(entry);
      return cache;
    }
    /** An entry with the next place in the journal. Not yet in it. */
    made(entry) {
      return { ...entry, seq: this.next() };
    }
    next() {
      this.last = Math.max(this.last + 1, Date.now());
      return this.last;
    }
    get(key) {
      return this.known.get(key);
    }
    entries(about) {
      const found = [...this.known.values()].filter((entry) => about === void 0 || entry.about === about);
      return found.sort((one, other) => Number(one.tab !== void 0) - Number(other.tab !== void 0) || inOrder(one, other));
    }
    /** These are in the store now; `gone`: drafts that were nothing. Told here and in the other tabs. */
    put(entries, gone = []) {
      this.channel?.postMessage({ entries, gone });
      this.accept(entries, gone);
    }
    onChange(listener) {
      this.changes.add(listener);
      return () => this.changes.delete(listener);
    }
    onStatus(listener) {
      this.statuses.add(listener);
      return () => this.statuses.delete(listener);
    }
    statusChanged() {
      for (const listener of this.statuses) listener();
    }
    counts() {
      const found = { unsent: 0, asked: 0, kept: 0 };
      for (const entry of this.known.values()) {
        if (entry.state === "local" || entry.state === "sending") found.unsent += 1;
        else if (entry.ended === void 0 && entry.state !== "confirmed" && !DECISIONS.has(entry.kind)) found[entry.state] += 1;
      }
      return found;
    }
    stop() {
      this.channel?.close();
      this.changes.clear();
      this.statuses.clear();
    }
    keep(entry) {
      this.known.set(entry.key, entry);
      this.last = Math.max(this.last, entry.seq);
    }
    accept(entries, gone) {
      for (const key of gone) this.known.delete(key);
      for (const entry of entries) {
        const before = this.known.get(entry.key);
        if (before && before.tab === void 0 && entry.tab !== void 0) continue;
        this.keep(entry);
        for (const listener of this.changes) listener(entry);
      }
      this.statusChanged();
    }
  };

  // src/drafts.ts
  var Drafts = class {
    constructor(store, cache, options) {
      this.store = store;
      this.cache = cache;
      this.options = options;
    }
    store;
    cache;
    options;
    open = /* @__PURE__ */ new Map();
    left = /* @__PURE__ */ new Map();
    write(kind, about, field, value, given, more) {
      const name = JSON.stringify([kind, about, field]);
      let open = this.open.get(name);
      if (!open) {
        const left = this.left.get(name);
        const base = left && left.given === given ? left.value : given;
        open = { draft: this.fresh(kind, about, { ...more, field, value, base }), timer: void 0, writing: false, dirty: false };
        this.open.set(name, open);
        if (!left || left.given !== given) this.left.set(name, { given, value: base });
      }
      open.draft = { ...open.draft, body: { ...open.draft.body, ...more, field, value } };
      clearTimeout(open.timer);
      open.timer = setTimeout(() => void this.close((draft) => draft.key === open.draft.key), this.options.pauseMs);
      if (open.writing) open.dirty = true;
      else void this.put(open);
    }
    /** Drafts to be closed with the next entry: what they become, and their keys. The caller commits both. */
    take(which = () => true) {
      const taken = { entries: [], keys: [] };
      for (const [name, { draft, timer }] of this.open) {
        if (!which(draft)) continue;
        clearTimeout(timer);
        this.open.delete(name);
        const left = this.left.get(name);
        if (left) left.value = String(draft.body.value);
        taken.keys.push(draft.key);
        if (!isNothing(draft)) taken.entries.push(asEntry(draft, this.cache.next()));
      }
      return taken;
    }
    async close(which) {
      const { entries, keys } = this.take(which);
      if (keys.length) await this.commit(entries, keys);
    }
    /** Drafts of tabs that are gone become entries. */
    async recover() {
      const alive = await living();
      const orphans = (await this.store.drafts()).filter((draft) => draft.user === this.options.user && !alive.has(draft.tab ?? ""));
      const lost = orphans.filter((draft) => !isNothing(draft) && this.cache.get(draft.key)?.tab !== void 0);
      const keys = orphans.map((draft) => draft.key);
      if (keys.length) await this.commit(lost.map((draft) => asEntry(draft, this.cache.next())), keys);
      for (const entry of this.cache.entries()) this.remember(entry);
    }
    stop() {
      for (const { timer } of this.open.values()) clearTimeout(timer);
      this.open.clear();
    }
    /** What the page shows after a reload is what was typed here before: the next edit begins there. */
    remember(entry) {
      const { field, value, base } = entry.body;
      if (typeof field !== "string" || typeof value !== "string" || typeof base !== "string") return;
      if (entry.tab !== void 0 || entry.state === "asked" || entry.state === "kept") return;
      const name = JSON.stringify([entry.kind, entry.about, field]);
      const before = this.left.get(name);
      this.left.set(name, { given: before && before.value === base ? before.given : base, value });
    }
    fresh(kind, about, body) {
      const { user, tab, clock } = this.options;
      const made_at = new Date(clock()).toISOString();
      return { key: uuid(), kind, about, body, made_at, seq: 0, user, state: "local", tab };
    }
    async put(open) {
      open.writing = true;
      open.dirty = false;
      const draft = structuredClone(open.draft);
      try {
        if (await this.store.putDraft(draft)) {
          if (this.isOpen(open)) this.cache.put([draft]);
        } else if (this.isOpen(open)) {
          const sent = this.cache.get(draft.key)?.body.value ?? draft.body.base;
          open.draft = { ...open.draft, key: uuid(), body: { ...open.draft.body, base: sent } };
          open.dirty = true;
        }
      } catch (error) {
        this.options.failed(error);
      }
      open.writing = false;
      if (open.dirty && this.isOpen(open)) await this.put(open);
    }
    isOpen(open) {
      for (const one of this.open.values()) if (one === open) return true;
      return false;
    }
    async commit(entries, keys) {
      try {
        await this.store.commit({ entries, closed: keys });
      } catch (error) {
        this.options.failed(error);
        return;
      }
      const made = new Set(entries.map((entry) => entry.key));
      this.cache.put(entries, keys.filter((key) => !made.has(key)));
      this.options.closed();
    }
  };
  async function living() {
    if (typeof navigator === "undefined" || !navigator.locks) return /* @__PURE__ */ new Set();
    const { held: held2 = [] } = await navigator.locks.query();
    return new Set(held2.map((lock) => (lock.name ?? "").replace("alyx-tab-", "")));
  }

  // src/net.ts
  var NotSent = class extends Error {
    constructor(why, message) {
      super(message);
      this.why = why;
    }
    why;
  };
  var PATIENCE_MS = 3e4;
  var Net = class {
    constructor(user, fetched, clock) {
      this.user = user;
      this.fetched = fetched;
      this.clock = clock;
    }
    user;
    fetched;
    clock;
    /** Milliseconds that the server's clock is ahead, as measured last. */
    skewMs;
    csrf = "";
    /** Whether the server is there and who is logged in. Raises NotSent. */
    async pulse() {
      const before = this.clock();
      const answer = await this.ask("/bench/pulse", {});
      if (!answer.ok) throw new NotSent("busy", `the server answered ${answer.status}`);
      const said = await this.json(answer);
      this.measure(said.now, before);
      this.csrf = said.csrf;
      return said;
    }
    /** Log in without leaving the page: empty when it went well, else what the server says. Raises NotSent. */
    async login(username, password) {
      await this.pulse();
      const answer = await this.post("/bench/login", JSON.stringify({ username, password }));
      const said = await this.json(answer);
      if (!answer.ok) return { message: said.detail ?? `The server answered ${answer.status}. Try again.` };
      this.csrf = said.csrf;
      return { pulse: said, message: "" };
    }
    /** Answers by key. Raises NotSent. */
    async send(device, entries) {
      if (!this.csrf) this.known(await this.pulse());
      const before = this.clock();
      const body = JSON.stringify({ device, sent_at: new Date(before).toISOString(), entries: entries.map(onWire) });
      let answer = await this.post("/bench/entries", body);
      if (answer.status === 403) {
        this.known(await this.pulse());
        answer = await this.post("/bench/entries", body);
      }
      await this.check(answer);
      const said = await this.json(answer);
      this.measure(said.now, before);
      return new Map(said.answers.map(({ key, ...rest }) => [key, rest]));
    }
    /** The bytes of a picture. Raises NotSent; "refused": it will never be taken. */
    async sendPicture(sha256, data) {
      if (!this.csrf) this.known(await this.pulse());
      await this.check(await this.ask(`/bench/pictures/${sha256}`, this.writing("PUT", data, "application/octet-stream")));
    }
    known(pulse) {
      if (pulse.user === null) throw new NotSent("login", "you are not logged in (any more)");
      if (pulse.user !== this.user) throw new NotSent("other-user", pulse.name ?? "somebody else");
    }
    async check(answer) {
      if (answer.ok) return;
      if (answer.status === 401) throw new NotSent("login", "you are not logged in (any more)");
      if (answer.status === 403) throw new NotSent("busy", "the server did not take the page's token");
      if (answer.status === 400 || answer.status === 413 || answer.status === 415 || answer.status === 422) {
        const said = await this.json(answer).catch(() => ({}));
        if (Object.keys(said.errors ?? {}).some((name) => name.endsWith(".user"))) this.known(await this.pulse());
        throw new NotSent("refused", said.detail ?? `the server answered ${answer.status}`);
      }
      throw new NotSent("busy", `the server answered ${answer.status}`);
    }
    async post(address, body) {
      return this.ask(address, this.writing("POST", body, "application/json"));
    }
    writing(method, body, type) {
      return { method, body, headers: { "Content-Type": type, "X-CSRFToken": this.csrf } };
    }
    async ask(address, options) {
      try {
        return await this.fetched(address, {
          ...options,
          credentials: "same-origin",
          cache: "no-store",
          redirect: "error",
          signal: AbortSignal.timeout(PATIENCE_MS)
        });
      } catch {
        throw new NotSent("offline", "there is no connection to the server");
      }
    }
    async json(answer) {
      try {
        return await answer.json();
      } catch {
        throw new NotSent("offline", "the answer did not arrive");
      }
    }
    measure(now, before) {
      const server = Date.parse(now);
      if (!Number.isNaN(server)) this.skewMs = server - (before + this.clock()) / 2;
    }
  };
  function onWire(entry) {
    const { key, kind, about, body, made_at, seq, user, confirmed } = entry;
    return { key, kind, about, body, made_at, seq, user, ...confirmed ? { confirmed } : {} };
  }

  // src/sender.ts
  var HERE = "here";
  var DECIDED = /* @__PURE__ */ new Set(["asked", "kept"]);
  var MOST = 50;
  var MOST_CHARACTERS = 2e6;
  var LONGEST_WAIT_MS = 3e4;
  var Sender = class {
    constructor(store, cache, net, lock, retryMs = 1e3) {
      this.store = store;
      this.cache = cache;
      this.net = net;
      this.lock = lock;
      this.retryMs = retryMs;
    }
    store;
    cache;
    net;
    lock;
    retryMs;
    standing = { online: true, needsLogin: false, otherUser: "" };
    running;
    again = false;
    stopped = false;
    failures = 0;
    timer;
    /** Something waits, or the network may be back: try now. */
    wake() {
      if (this.running) this.again = true;
      else void this.drain().catch(() => this.later());
    }
    /** Try until nothing waits or something is in the way; one that is at it already is waited for. */
    async drain() {
      if (this.running) return this.running;
      if (this.stopped) return;
      clearTimeout(this.timer);
      this.running = this.round().finally(() => {
        this.running = void 0;
      });
      return this.running;
    }
    async round() {
      do {
        this.again = false;
        await this.alone(() => this.sendAll());
      } while (this.again && !this.stopped && this.failures === 0);
    }
    async loggedIn(pulse) {
      const other = pulse.user !== this.net.user;
      this.stand({ online: true, needsLogin: other, otherUser: other ? pulse.name ?? "" : "" });
      if (!other) this.wake();
    }
    stop() {
      this.stopped = true;
      clearTimeout(this.timer);
    }
    async alone(work) {
      if (typeof navigator === "undefined" || !navigator.locks) return work();
      await navigator.locks.request(this.lock, work);
    }
    async sendAll() {
      let most = MOST;
      while (!this.stopped) {
        const batch = fitting(await this.store.pending(most));
        if (!batch.length || this.stopped) return;
        try {
          await this.sendBatch(batch);
          most = MOST;
          this.failures = 0;
          this.stand({ online: true, needsLogin: false, otherUser: "" });
        } catch (error) {
          if (!(error instanceof NotSent)) throw error;
          if (error.why === "refused" && batch.length > 1) {
            most = Math.ceil(batch.length / 2);
          } else if (error.why === "refused") {
            await this.keepHere(batch, error.message);
          } else {
            this.stand({
              online: error.why !== "offline",
              needsLogin: error.why === "login" || error.why === "other-user",
              otherUser: error.why === "other-user" ? error.message : ""
            });
            this.later();
            return;
          }
        }
      }
    }
    async sendBatch(batch) {
      const marked = batch.map((entry) => ({ ...entry, state: "sending" }));
      const fresh = marked.filter((_, at) => batch[at]?.state !== "sending");
      if (fresh.length) await this.stored(fresh);
      for (const entry of marked) if (entry.picture) await this.sendPicture(entry.picture);
      const answers = await this.net.send(await this.store.device(), marked);
      if (this.stopped) return;
      const settled = marked.flatMap((entry) => {
        const answer = answers.get(entry.key);
        return answer ? [answered(entry, answer)] : [];
      });
      if (!settled.length) throw new NotSent("busy", "the server answered something else");
      await this.stored([...settled, ...this.decided(settled)]);
      const arrived = settled.filter((entry) => entry.state === "confirmed").flatMap((entry) => entry.picture ?? []);
      if (arrived.length) await this.store.dropPictures(arrived);
    }
    async sendPicture(sha256) {
      const data = await this.store.picture(sha256);
      if (!data) return;
      try {
        await this.net.sendPicture(sha256, data);
      } catch (error) {
        if (!(error instanceof NotSent) || error.why !== "refused") throw error;
      }
    }
    /** What undo, confirm and discard did to the entries that they name. */
    decided(settled) {
      return settled.flatMap((entry) => {
        const of = this.cache.get(String(entry.body.of ?? ""));
        if (!of || !entry.kind.startsWith("journal.") || !entry.answer) return [];
        const { result, message, fields } = entry.answer;
        if (entry.state !== "confirmed")
          return DECIDED.has(of.state) ? [{ ...of, state: entry.answer.state === "asked" ? "asked" : "kept", answer: { ...entry.answer, message, fields } }] : [];
        const ended = result.ended;
        if (ended === "undone" || ended === "discarded") return [{ ...of, ended, state: of.state === "local" ? "confirmed" : of.state }];
        const now = result.result ?? {};
        const answer = { state: "done", result: now, message: "", fields: {}, at: of.answer?.at ?? entry.answer.at };
        return [{ ...of, state: "confirmed", answer }];
      });
    }
    /** An entry that the server does not even take: it stays on this device, and says why. */
    async keepHere(batch, message) {
      const answer = { state: "kept", result: { [HERE]: true }, message, fields: {}, at: (/* @__PURE__ */ new Date()).toISOString() };
      await this.stored(batch.map((entry) => ({ ...entry, state: "kept", answer })));
    }
    async stored(entries) {
      await this.store.commit({ entries });
      this.cache.put(entries);
    }
    stand(now) {
      const before = JSON.stringify(this.standing);
      this.standing = now;
      if (JSON.stringify(now) !== before) this.cache.statusChanged();
    }
    later() {
      if (this.stopped) return;
      this.failures += 1;
      const wait2 = Math.min(this.retryMs * 2 ** (this.failures - 1), LONGEST_WAIT_MS);
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this.wake(), wait2 * (0.75 + Math.random() / 2));
    }
  };
  function answered(entry, answer) {
    const ended = answer.result.ended;
    return {
      ...entry,
      state: answer.state === "done" ? "confirmed" : answer.state,
      answer,
      ...ended === "undone" || ended === "discarded" ? entry.kind.startsWith("journal.") ? {} : { ended } : {}
    };
  }
  function fitting(entries) {
    let characters = 0;
    return entries.filter((entry, at) => {
      characters += JSON.stringify(entry.body).length;
      return at === 0 || characters < MOST_CHARACTERS;
    });
  }

  // src/overflow.ts
  var OverflowStore = class {
    constructor(kept) {
      this.kept = kept;
    }
    kept;
    memory = new MemoryStore();
    /** Something here is only in memory. */
    spilled = false;
    /** Told when the device takes no more (its error), and when it has all again (undefined). */
    onSpill = () => {
    };
    get durable() {
      return this.kept.durable && !this.spilled;
    }
    async device() {
      return this.kept.device();
    }
    async putDraft(draft) {
      try {
        const taken = await this.kept.putDraft(draft);
        await this.settled([draft.key]);
        return taken;
      } catch (error) {
        this.spill(error);
        return this.memory.putDraft(draft);
      }
    }
    async commit(what) {
      const left = this.spilled ? await this.movable() : [];
      if (left.length) {
        try {
          await this.kept.commit({ ...what, entries: [...left, ...what.entries] });
          await this.settled([...keysOf(what), ...left.map(({ key }) => key)]);
          return;
        } catch {
        }
      }
      try {
        await this.kept.commit(what);
        await this.settled(keysOf(what));
      } catch (error) {
        this.spill(error);
        await this.memory.commit(what);
      }
    }
    async drafts() {
      return this.kept.drafts();
    }
    async all() {
      return this.over(await this.kept.all());
    }
    async pending(most) {
      if (!this.spilled) return this.kept.pending(most);
      const more = (await this.memory.all()).length;
      return (await this.over(await this.kept.pending(most + more))).filter(isPending).slice(0, most);
    }
    async picture(sha256) {
      return await this.memory.picture(sha256) ?? this.kept.picture(sha256);
    }
    async dropPictures(sha256) {
      await this.memory.dropPictures(sha256);
      await this.kept.dropPictures(sha256);
    }
    async snapshot(name) {
      return this.kept.snapshot(name);
    }
    async keepSnapshot(name, data) {
      await this.kept.keepSnapshot(name, data);
    }
    async sweep(before) {
      await this.kept.sweep(before);
    }
    close() {
      this.kept.close();
    }
    spill(error) {
      this.spilled = true;
      this.onSpill(error);
    }
    /** The device has these now, and newer than here. */
    async settled(keys) {
      if (!this.spilled) return;
      await this.memory.forget(keys);
      this.spilled = [...await this.memory.all(), ...await this.memory.drafts()].length > 0;
      if (!this.spilled) this.onSpill(void 0);
    }
    /** What is here instead of on the device, but for pictures that have not arrived: their bytes are here only. */
    async movable() {
      return (await this.memory.all()).filter((entry) => entry.picture === void 0 || !isPending(entry));
    }
    /** The device's entries, with what is newer here. */
    async over(kept) {
      const here = await this.memory.all();
      const keys = new Set(here.map((entry) => entry.key));
      return [...kept.filter((entry) => !keys.has(entry.key)), ...here].sort(inOrder);
    }
  };
  function keysOf({ entries, closed }) {
    return [...entries.map(({ key }) => key), ...closed ?? []];
  }

  // src/journal.ts
  var PAUSE_MS = 2e3;
  var KEPT_FOR_MS = 3 * 24 * 3600 * 1e3;
  var Journal = class _Journal {
    constructor(user, store, cache, net, clock, tab, parts) {
      this.user = user;
      this.store = store;
      this.cache = cache;
      this.net = net;
      this.clock = clock;
      this.tab = tab;
      this.sender = new Sender(store, cache, net, `alyx-sender-${parts.name ?? user}`, parts.retryMs);
      this.drafts = new Drafts(store, cache, {
        user,
        tab,
        clock,
        pauseMs: parts.pauseMs ?? PAUSE_MS,
        closed: () => this.wake(),
        failed: (error) => this.failed(error)
      });
      this.sends = parts.sends ?? true;
      this.leaving = () => void this.drafts.close().catch(() => {
      });
      if (typeof document !== "undefined") {
        addEventListener("pagehide", this.leaving);
        addEventListener("focusout", this.leaving);
        addEventListener("online", this.wake);
        document.addEventListener("visibilitychange", this.seen);
      }
    }
    user;
    store;
    cache;
    net;
    clock;
    tab;
    drafts;
    sender;
    trouble = "";
    leaving;
    sends;
    /** The journal of this person on this device. Raises JournalUnavailable with words for a person. */
    static async open(user, parts = {}) {
      const store = parts.store ?? await IdbStore.open(parts.name ?? user);
      try {
        return await _Journal.on(store, user, parts);
      } catch (error) {
        throw explained(error);
      }
    }
    /** Where the device keeps nothing: entries are sent at once, and are gone with the page. Say so on the screen. */
    static async openUnsafe(user, parts = {}) {
      return _Journal.on(parts.store ?? new MemoryStore(), user, { ...parts, pauseMs: parts.pauseMs ?? 500 });
    }
    static async on(kept, user, parts) {
      const store = new OverflowStore(kept);
      const clock = parts.clock ?? Date.now;
      const fetched = parts.fetch ?? ((address, options) => fetch(address, options));
      const tab = uuid();
      await held(`alyx-tab-${tab}`);
      await store.sweep(new Date(clock() - KEPT_FOR_MS).toISOString());
      const cache = await Cache.load(store, parts.name ?? user);
      const journal = new _Journal(user, store, cache, new Net(user, fetched, clock), clock, tab, parts);
      store.onSpill = (error) => journal.spilled(error);
      await journal.drafts.recover();
      journal.wake();
      return journal;
    }
    /** Record one thing; resolves when it is durable on the device, or, if that takes no more, in memory (`status().durable`). Open edits about the same come before it. */
    async add(kind, about, body) {
      return this.record(kind, about, body);
    }
    /** The same with a picture, whose bytes are kept here and arrive before the entry. */
    async addPicture(kind, about, body, file) {
      const bytes = await file.arrayBuffer();
      if (!crypto.subtle) throw new JournalUnavailable("insecure", "Pictures need a page that is served over https.");
      const sha256 = hexOf(new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)));
      const data = new Blob([bytes], { type: file.type });
      return this.record(kind, about, { ...body, picture: sha256 }, { sha256, data });
    }
    /** A keystroke: the field's open edit is written anew at once, closed by a pause, by leaving the field or the page. `more` goes into the body. */
    write(kind, about, field, value, base, more = {}) {
      this.drafts.write(kind, about, field, value, base, more);
    }
    /** Close open edits now (the field was left). */
    async flush() {
      await this.drafts.close();
    }
    async undo(key) {
      return this.add("journal.undo", null, { of: key });
    }
    async confirm(key) {
      return this.add("journal.confirm", null, { of: key });
    }
    async discard(key, why) {
      const entry = this.cache.get(key);
      if (!entry?.answer?.result[HERE]) return this.add("journal.discard", null, { of: key, why });
      const aside = { ...entry, ended: "discarded", answer: { ...entry.answer, message: why } };
      await this.kept([aside]);
      return aside;
    }
    /** Try a kept entry once more; with `about` for another animal. */
    async again(key, about = null) {
      const entry = this.cache.get(key);
      if (entry?.answer?.result[HERE]) {
        const { answer: _, ...rest } = entry;
        const back = { ...rest, state: "local", ...about ? { about } : {} };
        await this.kept([back]);
        return back;
      }
      return this.add("journal.again", null, { of: key, ...about ? { about } : {} });
    }
    /** Settle a conflict of a field: `value` on top of what the server has; the entries that clashed are put aside. */
    async resolve(key, value) {
      const kept = this.cache.get(key);
      const theirs = kept?.answer?.result.theirs;
      if (!kept || typeof theirs !== "string") throw new Error("this entry has no conflict");
      const { field, base: _base, value: _value, ...more } = kept.body;
      const same = this.cache.entries(kept.about).filter((entry) => isClash(entry) && entry.kind === kept.kind && entry.body.field === field);
      const made = this.cache.made(this.base(kept.kind, kept.about, { ...more, field, value, base: theirs }));
      const aside = same.map(
        (entry) => this.cache.made(this.base("journal.discard", null, { of: entry.key, why: "settled: the texts were compared side by side" }))
      );
      await this.kept(value === theirs ? aside : [made, ...aside]);
      return value === theirs ? aside[0] : made;
    }
    /** In order: confirmed ones stay for three days, open edits are last. */
    async entries(about) {
      return this.cache.entries(about);
    }
    /** Also of other tabs. Returns how to stop. */
    onChange(listener) {
      return this.cache.onChange(listener);
    }
    /** When `status()` may say something else. Returns how to stop. */
    onStatus(listener) {
      return this.cache.onStatus(listener);
    }
    status() {
      return {
        ...this.cache.counts(),
        ...this.sender.standing,
        durable: this.store.durable,
        skew: this.net.skewMs === void 0 ? void 0 : this.net.skewMs / 1e3,
        trouble: this.trouble
      };
    }
    /** Log in again; empty: it went well. */
    async login(username, password) {
      const { pulse, message } = await this.net.login(username, password);
      if (pulse) await this.sender.loggedIn(pulse);
      return message;
    }
    /** Ask the server who is logged in, and its time. Raises NotSent. */
    async pulse() {
      return this.net.pulse();
    }
    async snapshot(name) {
      return await this.store.snapshot(name);
    }
    async keepSnapshot(name, data) {
      await this.store.keepSnapshot(name, data).catch((error) => this.failed(error));
    }
    /** Bytes of a picture that is still on this device. */
    async picture(sha256) {
      return this.store.picture(sha256);
    }
    /** Send what waits, once; resolves when it has been tried. */
    async send() {
      await this.sender.drain();
    }
    /** Let go of everything; open edits are closed first. */
    async close() {
      await this.drafts.close();
      this.abandon();
    }
    /** As if the page had vanished: nothing is closed. For tests. */
    abandon() {
      this.sends = false;
      this.drafts.stop();
      this.sender.stop();
      this.cache.stop();
      released(`alyx-tab-${this.tab}`);
      if (typeof document !== "undefined") {
        removeEventListener("pagehide", this.leaving);
        removeEventListener("focusout", this.leaving);
        removeEventListener("online", this.wake);
        document.removeEventListener("visibilitychange", this.seen);
      }
      this.store.close();
    }
    base(kind, about, body) {
      return {
        key: uuid(),
        kind,
        about,
        body: structuredClone(body),
        made_at: new Date(this.clock()).toISOString(),
        user: this.user,
        state: "local"
      };
    }
    async record(kind, about, body, picture) {
      const closing = this.drafts.take((draft) => about === null || draft.about === about);
      const made = this.cache.made({ ...this.base(kind, about, body), ...picture ? { picture: picture.sha256 } : {} });
      await this.kept([...closing.entries, made], closing.keys, picture);
      return made;
    }
    async kept(entries, closed = [], picture) {
      try {
        await this.store.commit({ entries, closed, picture });
      } catch (error) {
        throw this.failed(error);
      }
      this.cache.put(entries);
      this.wake();
    }
    /** The device took something no more, which is in memory and sent from there; or it has all again. */
    spilled(error) {
      if (error !== void 0) this.failed(error);
      else this.cache.statusChanged();
    }
    failed(error) {
      const said = explained(error);
      this.trouble = said.message;
      this.cache.statusChanged();
      return said;
    }
    wake = () => {
      if (this.sends) this.sender.wake();
    };
    seen = () => {
      if (document.visibilityState === "hidden") this.leaving();
      else this.wake();
    };
  };
  function isClash(entry) {
    return entry.state === "kept" && entry.ended === void 0 && typeof entry.answer?.result.theirs === "string";
  }
  var holding = /* @__PURE__ */ new Map();
  async function held(name) {
    if (typeof navigator === "undefined" || !navigator.locks) return;
    await new Promise((got) => {
      void navigator.locks.request(name, () => {
        got();
        return new Promise((release) => holding.set(name, release));
      });
    });
  }
  function released(name) {
    holding.get(name)?.();
    holding.delete(name);
  }

  // test/histories.ts
  var MODES = ["on", "on", "on", "cut", "unanswered", "unanswered", "twice", "slow", "busy", "later"];
  function random(seed) {
    let state = seed >>> 0;
    return () => {
      state = state + 1831565813 >>> 0;
      let mixed = Math.imul(state ^ state >>> 15, state | 1);
      mixed ^= mixed + Math.imul(mixed ^ mixed >>> 7, mixed | 61);
      return ((mixed ^ mixed >>> 14) >>> 0) / 4294967296;
    };
  }
  var Network = class {
    constructor(chance) {
      this.chance = chance;
    }
    chance;
    mode = "on";
    /** Whose login it is does not change in a history: asked once, so that a thousand of them take a minute. */
    pulse;
    replays = [];
    fetch = async (address, options) => {
      const posts = options?.method === "POST";
      if (this.mode === "cut") throw new TypeError("cut");
      if (this.mode === "busy") return new Response("{}", { status: 503 });
      if (this.mode === "slow") await wait(this.chance() * 20);
      if (address === "/bench/pulse" && this.pulse) return Response.json({ ...this.pulse, now: (/* @__PURE__ */ new Date()).toISOString() });
      const answer = await fetch(address, options);
      if (address === "/bench/pulse") this.pulse = await answer.clone().json();
      if (!posts) return answer;
      const { signal: _, ...same } = options ?? {};
      if (this.mode === "twice") return fetch(address, same);
      if (this.mode === "later") this.replays.push(() => fetch(address, same));
      if (this.mode === "unanswered") throw new TypeError("the answer was lost");
      return answer;
    };
    /** Requests of long ago arrive once more. */
    async replay() {
      await Promise.all(this.replays.splice(0).map((again) => again()));
    }
  };
  var wait = (ms) => new Promise((done) => setTimeout(done, ms));
  var History = class {
    constructor(seed, user, session) {
      this.seed = seed;
      this.user = user;
      this.session = session;
      this.chance = random(seed);
      this.network = new Network(this.chance);
      this.shift = this.chance() < 0.5 ? 0 : Math.round((this.chance() - 0.5) * 12 * 36e5);
      this.name = `history-${seed}-${crypto.randomUUID()}`;
    }
    seed;
    user;
    session;
    chance;
    network;
    tabs = [];
    fields = [];
    taps = /* @__PURE__ */ new Map();
    undone = [];
    faults = [];
    shift;
    name;
    typed = 0;
    async run() {
      const begun = Date.now();
      await this.open(0);
      const steps = 6 + Math.floor(this.chance() * 8);
      for (let step = 0; step < steps; step += 1) await this.step();
      await this.network.replay();
      const keys = await this.heal();
      const clashes = {};
      const fields = {};
      for (const { id, by } of this.fields) {
        const values = [...by.values()].map(({ value }) => value);
        if (values.length > 1) clashes[id] = values;
        else if (values[0]) fields[id] = values[0];
      }
      const kept = [...this.taps.keys()].filter((text) => !this.undone.includes(text));
      return { seed: this.seed, faults: this.faults, taps: kept, undone: this.undone, fields, clashes, keys, begun, ended: Date.now() };
    }
    async open(tab) {
      const journal = await Journal.open(this.user, {
        name: this.name,
        fetch: this.network.fetch,
        clock: () => Date.now() + this.shift,
        pauseMs: this.chance() < 0.2 ? 5 : 6e4,
        sends: this.chance() < 0.2,
        retryMs: 5
      });
      this.tabs[tab] = journal;
      return journal;
    }
    async step() {
      const which = this.chance();
      const tab = this.tabs.length > 1 && this.chance() < 0.5 ? 1 : 0;
      const journal = this.tabs[tab] ?? await this.open(tab);
      if (which < 0.3) await this.type(journal, tab);
      else if (which < 0.5) await this.tap(journal);
      else if (which < 0.68) this.network.mode = MODES[Math.floor(this.chance() * MODES.length)] ?? "on";
      else if (which < 0.8) await journal.send().catch(() => {
      });
      else if (which < 0.83) await journal.flush();
      else if (which < 0.88) await this.leave(tab, true);
      else if (which < 0.94) await this.leave(tab, false);
      else if (which < 0.97) await this.network.replay();
      else if (this.tabs.length < 2) await this.open(1);
      else await this.undo(journal);
    }
    async type(journal, tab) {
      const other = this.fields.find((field2) => !field2.by.has(tab));
      let field = this.fields.find((one) => one.by.has(tab) && this.chance() < 0.6);
      if (!field && other && this.chance() < 0.25) field = other;
      if (!field) {
        field = { id: crypto.randomUUID(), by: /* @__PURE__ */ new Map(), said: [] };
        this.fields.push(field);
      }
      const shown = await this.shown(journal, field.id);
      const mine = field.by.get(tab) ?? { given: shown, value: shown };
      field.by.set(tab, mine);
      const keys = 1 + Math.floor(this.chance() * 5);
      for (let key = 0; key < keys; key += 1) {
        this.typed += 1;
        mine.value += `${mine.value ? " " : ""}${tab}.${this.typed}`;
        field.said.push(mine.value);
        journal.write("session.note.text", field.id, "text", mine.value, mine.given, { session: this.session });
        if (this.chance() < 0.3) await wait(0);
      }
    }
    async tap(journal) {
      this.typed += 1;
      const text = `${this.name} tap ${this.typed}`;
      const entry = await journal.add("session.note", this.session, { text });
      this.taps.set(text, entry.key);
    }
    async undo(journal) {
      const left = [...this.taps].filter(([text]) => !this.undone.includes(text));
      const found = left[Math.floor(this.chance() * left.length)];
      if (!found) return;
      await journal.undo(found[1]);
      this.undone.push(found[0]);
    }
    /** The page goes: in order, or at once. What the next page shows is what was typed, at most the last keystrokes short. */
    async leave(tab, inOrder2) {
      const journal = this.tabs[tab];
      if (!journal) return;
      const durable = /* @__PURE__ */ new Map();
      for (const { id, by } of this.fields) durable.set(id, by.size > 1 ? await this.kept(journal, id, tab) : await this.shown(journal, id));
      if (inOrder2) await journal.close();
      else journal.abandon();
      const next = await this.open(tab);
      for (const { id, by, said } of this.fields) {
        const mine = by.get(tab);
        if (!mine) continue;
        const shown = by.size > 1 ? await this.kept(next, id, tab) : await this.shown(next, id);
        const least = inOrder2 ? mine.value : durable.get(id) ?? "";
        if (said.indexOf(shown) < said.indexOf(least)) this.faults.push(`after ${inOrder2 ? "a reload" : "a crash"} ${JSON.stringify(shown)} instead of ${JSON.stringify(least)}`);
        by.set(tab, { given: by.size > 1 ? mine.given : shown, value: shown });
      }
    }
    /** Of a note that both tabs write: how much of what this one typed the device has. */
    async kept(journal, id, tab) {
      const mine = this.fields.find((field) => field.id === id)?.by.get(tab);
      if (!mine) return "";
      const texts = (await journal.entries(id)).filter((entry) => entry.kind === "session.note.text").map((entry) => String(entry.body.value));
      return texts.filter((text) => text.length > mine.given.length && mine.value.startsWith(text)).reduce((one, other) => other.length > one.length ? other : one, mine.given);
    }
    /** The text of a note, as a page would show it: the last that this device typed. */
    async shown(journal, id) {
      const mine = (await journal.entries(id)).filter((entry) => entry.kind === "session.note.text");
      return String(mine.at(-1)?.body.value ?? "");
    }
    /** The network is back, everything is closed, one page sends what is left. */
    async heal() {
      for (const tab of this.tabs) await tab?.close();
      this.network.mode = "on";
      const journal = await this.open(0);
      for (let attempt = 0; attempt < 20 && journal.status().unsent > 0; attempt += 1) await journal.send().then(() => wait(attempt), () => wait(20));
      const { unsent } = journal.status();
      if (unsent) this.faults.push(`${unsent} entries could not be sent`);
      const entries = await journal.entries();
      for (const entry of entries) if (entry.state === "kept" && !this.mayBeKept(entry)) this.faults.push(`kept: ${entry.kind} ${entry.answer?.message}`);
      await journal.close();
      indexedDB.deleteDatabase(PREFIX + this.name);
      return entries.map((entry) => entry.key);
    }
    mayBeKept(entry) {
      return this.fields.some((field) => field.id === entry.about && field.by.size > 1);
    }
  };
  async function histories(seeds, user, session, atOnce) {
    const left = [...seeds];
    const told = [];
    const lane = async () => {
      for (let seed = left.shift(); seed !== void 0; seed = left.shift()) told.push(await new History(seed, user, session).run());
    };
    await Promise.all(Array.from({ length: atOnce }, lane));
    return told;
  }
  globalThis.histories = histories;
})();
