// What this device must not lose: its keys, its passes, every message it signed or took in. Written through to
// the disk and read back before anything of it is shown. Each person of a device has rows of their own; signing
// out forgets none of them. A pass or till is only written over the version of it that was read.
import { Problem } from "../core/problems.js";
import { keepNote, readNote } from "../core/preferences.js";
import { me } from "../core/session.js";
import { done } from "../core/storage.js";

/** @typedef {"facts" | "passes" | "tills"} Store */
/** @typedef {{ id: string, [field: string]: any }} Row */
/** @typedef {{ store: Store, row: Row }} Write */
/** @typedef {"new" | "good" | "gone" | "moved"} Condition new: nothing was ever kept here; gone: the browser cleared
 *   it; moved: its mark beside it is missing, so that it may be a copy */

const NAME = "tikiwallet-offline";
const STORES = /** @type {const} */ (["facts", "passes", "tills"]);
const INSTALL = "install";
const TIME = "time";

/** @type {Promise<IDBDatabase> | undefined} */
let opened;

function database() {
  opened ??= new Promise((resolve, reject) => {
    const request = indexedDB.open(NAME, 1);
    request.onupgradeneeded = () => {
      for (const store of STORES) request.result.createObjectStore(store, { keyPath: ["person", "id"] });
    };
    request.onsuccess = () => {
      request.result.onversionchange = () => request.result.close();
      request.result.onclose = () => (opened = undefined);
      resolve(request.result);
    };
    request.onerror = () => reject(new Problem("offline_storage"));
  });
  opened.catch(() => (opened = undefined));
  return opened;
}

/** @returns {string} whose rows these are; throws Problem while nobody is known */
function person() {
  const id = me.value?.person_id ?? readNote("person");
  if (!id) throw new Problem("token_missing");
  return id;
}

/** @param {string} of @returns {string} the mark of a journal, kept beside it in another storage */
const markOf = (of) => `offline.${of}`;

/** @param {Store} store @param {string} id @returns {Promise<any>} the row, or undefined */
export async function read(store, id) {
  return done((await database()).transaction(store).objectStore(store).get([person(), id]));
}

/** @param {Store} store @returns {Promise<any[]>} */
export async function readAll(store) {
  const mine = person();
  const range = IDBKeyRange.bound([mine], [mine, []]);
  return done((await database()).transaction(store).objectStore(store).getAll(range));
}

/** @param {string} id @returns {Promise<any>} the fact's value, or undefined */
export const readFact = async (id) => (await read("facts", id))?.value;

/** @param {string} id @param {unknown} value */
export const keepFact = (id, value) => write({ store: "facts", row: { id, value } });

/**
 * All of it or nothing, on the disk and found there again when this resolves. Throws Problem: `offline_changed` when
 * somebody else, as another tab, has written one of the rows since it was read.
 * @param {...Write} writes @returns {Promise<any[]>} the rows as they are now
 */
export async function write(...writes) {
  const mine = person();
  const rows = writes.map(({ store, row }) => ({ store, row: { ...row, person: mine, ...nextVersion(store, row) } }));
  const transaction = (await database()).transaction(STORES, "readwrite", { durability: "strict" });
  let reason = "offline_storage";
  const ended = new Promise((resolve, reject) => {
    transaction.oncomplete = resolve;
    transaction.onabort = () => reject(new Problem(reason));
  });
  const facts = transaction.objectStore("facts");
  const [mark = crypto.randomUUID(), seen = 0] = await Promise.all(
    [INSTALL, TIME].map(async (id) => (await done(facts.get([mine, id])))?.value),
  );
  facts.put({ person: mine, id: INSTALL, value: mark });
  facts.put({ person: mine, id: TIME, value: Math.max(clock(), seen) });
  const before = await Promise.all(rows.map(({ store, row }) => done(transaction.objectStore(store).get([mine, row.id]))));
  if (rows.some(({ row }, i) => row.version !== undefined && row.version !== (before[i]?.version ?? 0) + 1)) {
    reason = "offline_changed";
    transaction.abort();
  } else {
    for (const { store, row } of rows) transaction.objectStore(store).put(row);
  }
  await ended;
  for (const { store, row } of rows) await readBack(store, row);
  keepNote(markOf(mine), mark);
  return rows.map(({ row }) => row);
}

/** @param {Store} store @param {Row} row as it was read @returns {{ version?: number }} facts are simply replaced */
const nextVersion = (store, { version = 0 }) => (store === "facts" ? {} : { version: version + 1 });

/** @param {Store} store @param {string} id of a row that nothing can concern any more */
export async function forget(store, id) {
  await done((await database()).transaction(store, "readwrite").objectStore(store).delete([person(), id]));
}

/** @param {Store} store @param {Row} row */
async function readBack(store, row) {
  const kept = await read(store, row.id);
  if (JSON.stringify(kept) !== JSON.stringify(row)) throw new Problem("offline_storage");
}

/** @returns {Promise<Condition>} what became of the journal since this browser last wrote to it */
export async function condition() {
  const mark = readNote(markOf(person()));
  const kept = await readFact(INSTALL);
  if (!kept) return mark ? "gone" : "new";
  return mark === kept ? "good" : "moved";
}

/** Begins anew after the journal was lost or copied: what it held stays, and is not paid with any more. */
export const begin = () => write();

/** @returns {number} seconds since 1970, by the clock */
const clock = () => Math.floor(Date.now() / 1000);

/** @returns {Promise<number>} seconds since 1970, and never before anything this device has seen */
export const now = async () => Math.max(clock(), (await readFact(TIME)) ?? 0);

/** @param {number} seconds a time that somebody signed */
export async function sawTime(seconds) {
  if (seconds > (await now())) await keepFact(TIME, seconds);
}

/** Asks the browser not to clear this when space runs short. */
export const askToPersist = () => navigator.storage?.persist?.().catch(() => false);
