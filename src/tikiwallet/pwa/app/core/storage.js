// A cache in IndexedDB for what a screen showed last, so that it opens at once and without a network.
// Where IndexedDB is refused (some private modes) everything works, only nothing is remembered.

const NAME = "tikiwallet";
const STORE = "seen";

/** @typedef {{ at: number, data: any }} Seen */

/** @type {Promise<IDBDatabase> | undefined} */
let opened;

/** @template T @param {IDBRequest<T>} request @returns {Promise<T>} */
export const done = (request) =>
  new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });

function database() {
  opened ??= new Promise((resolve, reject) => {
    const request = indexedDB.open(NAME, 1);
    request.onupgradeneeded = () => request.result.createObjectStore(STORE);
    request.onsuccess = () => {
      // Another tab that brings a newer version must not wait for this one.
      request.result.onversionchange = () => request.result.close();
      resolve(request.result);
    };
    request.onerror = () => reject(request.error);
    request.onblocked = () => reject(new Error("the cache is blocked by another tab"));
  });
  return opened;
}

/**
 * @template T
 * @param {IDBTransactionMode} mode @param {(store: IDBObjectStore) => IDBRequest<T>} act
 * @returns {Promise<T | undefined>}
 */
async function run(mode, act) {
  try {
    const store = (await database()).transaction(STORE, mode).objectStore(STORE);
    return await done(act(store));
  } catch {
    opened = undefined;
    return undefined;
  }
}

/** @param {string} key @returns {Promise<Seen | undefined>} */
export const recall = (key) => run("readonly", (store) => store.get(key));

/** @param {string} key @param {unknown} data */
export const remember = (key, data) =>
  run("readwrite", (store) => store.put({ at: Date.now(), data }, key));

/** Forgets everything: at sign-out, so that the next person of this device sees nothing. */
export const forgetAll = () => run("readwrite", (store) => store.clear());
