// Private notes: encrypted on this device for the devices of both sides. The server keeps what it cannot
// read; a device that is lost takes its key along.
import { deviceName } from "../core/account.js";
import { get, put } from "../core/api.js";
import { read64, write64 } from "../core/base64.js";
import { Problem } from "../core/problems.js";
import { me } from "../core/session.js";
import { done } from "../core/storage.js";

/** @typedef {{ device_id: string, public_key: string, name: string }} DeviceKey */
/** @typedef {{ id: string, point: string, pair: CryptoKeyPair }} Device */
/** @typedef {{ data: string, author: string, at: string }} Copy */
/** @typedef {{ author: string, at: string, text: string | null }} Note text: null where this device cannot read it */

const STORE = "note-keys";
const CURVE = { name: "ECDH", namedCurve: "P-256" };
const POINT = 65;
const IV = 12;
/** What a note may hold, in UTF-8: with point, nonce and tag it stays below the server's 2 KB. */
export const NOTE_MAX = 1_200;

const utf8 = new TextEncoder();

/** A database of its own: what was seen is forgotten at sign-out, keys are not. @returns {Promise<IDBDatabase>} */
function openKeys() {
  const request = indexedDB.open("tikiwallet-keys", 1);
  request.onupgradeneeded = () => request.result.createObjectStore(STORE);
  return done(request);
}

/** @param {IDBTransactionMode} mode @param {(store: IDBObjectStore) => IDBRequest} act */
async function withKeys(mode, act) {
  const database = await openKeys();
  try {
    return await done(act(database.transaction(STORE, mode).objectStore(STORE)));
  } finally {
    database.close();
  }
}

/** @returns {Promise<Device>} this device's key for this person, made when first needed; it cannot be read out */
async function ownDevice() {
  const person = me.value?.person_id ?? "";
  const kept = await withKeys("readonly", (store) => store.get(person));
  if (kept) return kept;
  const pair = await crypto.subtle.generateKey(CURVE, false, ["deriveBits"]);
  const point = write64(new Uint8Array(await crypto.subtle.exportKey("raw", pair.publicKey)));
  const device = { id: crypto.randomUUID(), point, pair };
  // Of two tabs at once the first one's key stays.
  await withKeys("readwrite", (store) => store.add(device, person)).catch(() => undefined);
  return withKeys("readonly", (store) => store.get(person));
}

/** Lets others write to this device; once per device. Throws Problem. */
export async function publishKey() {
  const device = await ownDevice();
  const body = { public_key: device.point, name: deviceName() || "?" };
  const { items } = /** @type {{ items: DeviceKey[] }} */ (await get("/v1/me/note-keys"));
  if (!items.some((one) => one.device_id === device.id)) await put(`/v1/me/note-keys/${device.id}`, body);
  return device;
}

/**
 * The AES key that only the holders of the two private keys can make.
 * @param {CryptoKey} secret @param {CryptoKey} open @param {Uint8Array<ArrayBuffer>[]} points ephemeral, recipient's
 * @param {string} payment
 */
async function sharedKey(secret, open, points, payment) {
  const bits = await crypto.subtle.deriveBits({ name: "ECDH", public: open }, secret, 256);
  const material = await crypto.subtle.importKey("raw", bits, "HKDF", false, ["deriveKey"]);
  const salt = await new Blob(points).arrayBuffer();
  const info = utf8.encode(`tikiwallet/note/1${payment}`);
  return crypto.subtle.deriveKey(
    { name: "HKDF", hash: "SHA-256", salt, info },
    material,
    { name: "AES-GCM", length: 256 },
    false,
    ["encrypt", "decrypt"],
  );
}

/** @param {Uint8Array<ArrayBuffer>} point */
const openKey = (point) => crypto.subtle.importKey("raw", point, CURVE, false, []);

/** @param {string} text @param {DeviceKey} to @param {string} payment @returns {Promise<{ device_id: string, data: string }>} */
async function seal(text, to, payment) {
  const once = await crypto.subtle.generateKey(CURVE, false, ["deriveBits"]);
  const own = new Uint8Array(await crypto.subtle.exportKey("raw", once.publicKey));
  const theirs = read64(to.public_key);
  const key = await sharedKey(once.privateKey, await openKey(theirs), [own, theirs], payment);
  const iv = crypto.getRandomValues(new Uint8Array(IV));
  const additionalData = utf8.encode(to.device_id);
  const sealed = await crypto.subtle.encrypt({ name: "AES-GCM", iv, additionalData }, key, utf8.encode(text));
  const whole = new Uint8Array(await new Blob([own, iv, sealed]).arrayBuffer());
  return { device_id: to.device_id, data: write64(whole) };
}

/** @param {string} data @param {Device} device @param {string} payment @returns {Promise<string>} */
async function unseal(data, device, payment) {
  const whole = read64(data);
  const theirs = whole.slice(0, POINT);
  const iv = whole.slice(POINT, POINT + IV);
  const key = await sharedKey(device.pair.privateKey, await openKey(theirs), [theirs, read64(device.point)], payment);
  const additionalData = utf8.encode(device.id);
  const open = await crypto.subtle.decrypt({ name: "AES-GCM", iv, additionalData }, key, whole.slice(POINT + IV));
  return new TextDecoder().decode(open);
}

/** @param {string} payment id @returns {Promise<Note[]>} the newest one of each side; throws Problem */
export async function readNotes(payment) {
  const device = await publishKey();
  /** @type {(Copy & { others: Copy[] })} */
  let told;
  try {
    told = await get(`/v1/payments/${payment}/note`, { query: { device_id: device.id } });
  } catch (error) {
    if (error instanceof Problem && error.code === "not_found") return [];
    throw error;
  }
  return Promise.all(
    [told, ...told.others].map(async ({ data, author, at }) => ({
      author,
      at,
      text: await unseal(data, device, payment).catch(() => null),
    })),
  );
}

/**
 * @param {string} payment id @param {string[]} people @usernames of the other side @param {string} text
 * @returns {Promise<Note>} throws Problem; `note_no_device` when nobody there can read notes yet
 */
export async function writeNote(payment, people, text) {
  const device = await publishKey();
  const lists = await Promise.all([
    get("/v1/me/note-keys"),
    ...people.map((to) => get(`/v1/people/${encodeURIComponent(to)}/note-keys`)),
  ]);
  const [mine, ...theirs] = lists.map(({ items }) => /** @type {DeviceKey[]} */ (items));
  if (!theirs.some((keys) => keys.length)) throw new Problem("note_no_device");
  const keys = [...(mine ?? []), ...theirs.flat()];
  const ciphertexts = await Promise.all(keys.map((to) => seal(text, to, payment)));
  await put(`/v1/payments/${payment}/note`, { ciphertexts, from_device: device.id });
  return { author: `@${me.value?.username}`, at: new Date().toISOString(), text };
}

/** @param {string} text @returns {boolean} */
export const isTooLong = (text) => utf8.encode(text).length > NOTE_MAX;
