// The key of a pass: made here, wrapped at once by a passkey or by the PIN, and from then on unwrapped only to
// sign, as a key that no script can read out. Wrong PINs cost time, also after a restart.
import { havePasskeys } from "../core/passkeys.js";
import { Problem } from "../core/problems.js";
import { keepFact, now, readFact } from "./journal.js";
import { makePair, signerOf } from "./p256.js";

/** @typedef {import("./p256.js").Signer} Signer */
/** @typedef {Uint8Array<ArrayBuffer>} Bytes */
/** @typedef {{ kind: "pin" | "passkey", salt: Bytes, rounds: number }} Lock what the wrapping key is made from */
/** @typedef {{ lock: Lock, iv: Bytes, sealed: Bytes, publicKey: CryptoKey }} Kept a key as it lies on the disk */
/** @typedef {{ count: number, until: number }} Tries wrong PINs in a row; when the next one may be tried */

const ROUNDS = 600_000;
const CURVE = { name: "ECDSA", namedCurve: "P-256" };
const TRIES = "tries";
/** Seconds to wait after so many wrong PINs in a row; the last one for all that follow. */
const WAITS = [0, 0, 0, 30, 60, 300, 900, 3600, 14_400];
const utf8 = new TextEncoder();
const INFO = utf8.encode("tikiwallet/offline/1/wrap");

const random = (/** @type {number} */ count) => crypto.getRandomValues(new Uint8Array(count));

/** @param {BufferSource} secret @param {Lock} lock @returns {Promise<CryptoKey>} wraps and unwraps, and cannot be read */
async function wrappingKey(secret, { kind, salt, rounds }) {
  const name = kind === "pin" ? "PBKDF2" : "HKDF";
  const material = await crypto.subtle.importKey("raw", secret, name, false, ["deriveKey"]);
  const how = kind === "pin" ? { iterations: rounds } : { info: INFO };
  const making = { name, hash: "SHA-256", salt, ...how };
  const aes = { name: "AES-GCM", length: 256 };
  return crypto.subtle.deriveKey(/** @type {any} */ (making), material, aes, false, ["wrapKey", "unwrapKey"]);
}

/**
 * What a passkey of this person makes of `salt`, after their finger or face. It works without a network.
 * @param {Bytes} salt @returns {Promise<BufferSource>} throws Problem: `passkey_cancelled`, or `passkey_no_prf` where
 *   the device cannot do it
 */
async function askPrf(salt) {
  if (!havePasskeys()) throw new Problem("passkey_no_prf");
  const extensions = /** @type {any} */ ({ prf: { eval: { first: salt } } });
  const publicKey = { challenge: random(32), userVerification: /** @type {const} */ ("required"), extensions };
  const answer = await navigator.credentials.get({ publicKey }).catch(() => {
    throw new Problem("passkey_cancelled");
  });
  const { prf } = /** @type {any} */ (answer)?.getClientExtensionResults() ?? {};
  if (!prf?.results?.first) throw new Problem("passkey_no_prf");
  return prf.results.first;
}

/** @param {Lock} lock @param {string | null} pin @returns {Promise<CryptoKey>} */
const keyOf = async (lock, pin) =>
  wrappingKey(lock.kind === "pin" ? utf8.encode(pin ?? "") : await askPrf(lock.salt), lock);

/** @param {string | null} pin null: a passkey @returns {Promise<{ kept: Kept, signer: Signer }>} a new key, wrapped */
export async function makeKey(pin) {
  const lock = /** @type {Lock} */ ({ kind: pin === null ? "passkey" : "pin", salt: random(32), rounds: ROUNDS });
  const key = await keyOf(lock, pin);
  const { privateKey, publicKey } = await makePair(true);
  const iv = random(12);
  const sealed = new Uint8Array(await crypto.subtle.wrapKey("pkcs8", privateKey, key, { name: "AES-GCM", iv }));
  const kept = { lock, iv, sealed, publicKey };
  return { kept, signer: await signerWith(kept, key) };
}

/** @param {Kept} kept @param {CryptoKey} key @returns {Promise<Signer>} rejects when the key is another one */
async function signerWith({ iv, sealed, publicKey }, key) {
  const how = { name: "AES-GCM", iv };
  const privateKey = await crypto.subtle.unwrapKey("pkcs8", sealed, key, how, CURVE, false, ["sign"]);
  return signerOf({ publicKey, privateKey });
}

/** @returns {Promise<number>} seconds until a PIN may be tried; 0: now */
export async function waitForPin() {
  const tries = /** @type {Tries | undefined} */ (await readFact(TRIES));
  return Math.max(0, (tries?.until ?? 0) - (await now()));
}

/**
 * @param {Kept} kept @param {string | null} pin null where a passkey keeps it
 * @returns {Promise<Signer>} throws Problem: `pin_locked` with `retryAfter`, `offline_pin_wrong` with `tries_left`
 */
export async function unlock(kept, pin) {
  if (kept.lock.kind === "passkey") return signerWith(kept, await keyOf(kept.lock, null));
  const wait = await waitForPin();
  if (wait) throw new Problem("pin_locked", { retryAfter: wait });
  // Counted before it is tried: ending the app meanwhile gives nobody a try for nothing.
  const count = ((await readFact(TRIES))?.count ?? 0) + 1;
  const next = /** @type {number} */ (WAITS[Math.min(count, WAITS.length - 1)]);
  await keepFact(TRIES, { count, until: (await now()) + next });
  const signer = await signerWith(kept, await keyOf(kept.lock, pin)).catch(() => null);
  if (signer) {
    await keepFact(TRIES, { count: 0, until: 0 });
    return signer;
  }
  if (next) throw new Problem("pin_locked", { retryAfter: next });
  throw new Problem("offline_pin_wrong", { extra: { count: WAITS.lastIndexOf(0) + 1 - count } });
}
