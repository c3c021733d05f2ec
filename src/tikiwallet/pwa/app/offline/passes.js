// Passes: money set aside on this phone while there is a network, and given back.
import { deviceName } from "../core/account.js";
import { get, post } from "../core/api.js";
import { read64, write64 } from "../core/base64.js";
import { asProblem, Problem } from "../core/problems.js";
import { strongly } from "../core/step-up.js";
import { wallets } from "../money/wallets.js";
import { join } from "./cbor.js";
import { refresh } from "./holdings.js";
import { askToPersist, begin, keepFact, read, readAll, readFact, write } from "./journal.js";
import { makeKey, unlock } from "./keystore.js";
import { hasIssued } from "./known.js";
import { alone, close, tell } from "./meeting.js";
import { parse } from "./messages.js";
import { payeeOf } from "./payee.js";
import { payerOf } from "./payer.js";

/** @typedef {import("./holdings.js").OwnDevice} OwnDevice */
/** @typedef {import("./holdings.js").PassRow} PassRow */
/** @typedef {import("./holdings.js").TillRow} TillRow */
/** @typedef {import("./keystore.js").Kept} Kept */
/** @typedef {Uint8Array<ArrayBuffer>} Bytes */
/**
 * @typedef {object} Wanted a pass that was asked for; kept until there is an answer
 * @property {string} key Idempotency-Key
 * @property {string} currency
 * @property {Kept} kept
 * @property {Bytes} publicKey
 * @property {object} body
 */

const PROOF = new TextEncoder().encode("tikiwallet/offline/1/key\0");
const WANTED = "wanted";

/** @param {"pin" | "passkey"} protection @returns {Promise<OwnDevice>} this one, registered when first needed; throws Problem */
async function ownDevice(protection) {
  const known = /** @type {OwnDevice | undefined} */ (await readFact("device"));
  if (known) return known;
  const body = { name: deviceName() || "?", kind: "phone", protection };
  const { id, name } = await strongly(() => post("/v1/offline/devices", body));
  const device = { id, name, protection };
  await begin();
  await keepFact("device", device);
  await askToPersist();
  return device;
}

/**
 * Sets `amount` aside; what was set aside before in this currency is given back first. Throws Problem.
 * @param {{ currency: string, amount: number, pin: string, lock: "pin" | "passkey" }} wish
 */
export async function getReady({ currency, amount, pin, lock }) {
  await finishWanted(pin);
  const { kept, signer } = await makeKey(lock === "pin" ? pin : null);
  const device = await ownDevice(lock);
  const proof = await signer.sign(join(PROOF, new TextEncoder().encode(device.id)));
  const money = { amount, currency };
  const body = { device: device.id, amount: money, key: write64(signer.public), proof: write64(proof) };
  const wanted = { currency, kept, publicKey: signer.public, body };
  try {
    await want(wanted, pin);
  } catch (error) {
    // Only now: what may not be set aside at all shall not cost what is there.
    const open = /** @type {PassRow[]} */ (await readAll("passes")).find((one) => one.currency === currency && !one.payer.purse.closeKnown);
    if (!open || asProblem(error).code !== "pass_open") throw error;
    await giveBack(open.id, pin);
    await want(wanted, pin);
  }
  await Promise.all([syncNow(), keepReader()]);
}

// The issuer's lists, too, have to be here before there is no network.
const syncNow = async () => (await import("./sync.js")).sync();

/** What codes are read and drawn with is not kept before it is used. */
const keepReader = () =>
  Promise.all([import("../vendor/lazy/qr-reader.js"), import("../vendor/qr.js")]).catch(() => undefined);

/** @param {Omit<Wanted, "key">} about @param {string} pin */
async function want(about, pin) {
  const wanted = { ...about, key: crypto.randomUUID() };
  await keepFact(WANTED, wanted);
  await fetchPass(wanted, pin);
}

/** @param {Wanted} wanted @param {string} [pin] */
async function fetchPass({ key, currency, kept, publicKey, body }, pin) {
  let told;
  try {
    told = await post("/v1/offline/passes", { ...body, ...(pin ? { pin } : {}) }, { key });
  } catch (error) {
    // Without an answer the same is asked again, so that no money waits for a key that is gone.
    if (!asProblem(error).isTransient) await keepFact(WANTED, undefined);
    throw error;
  }
  const message = read64(told.message);
  const pass = await parse("pass", message);
  const known = await whatIsKnown();
  if (String(pass.key) !== String(publicKey) || !(await hasIssued(known, pass))) throw new Problem("unreadable");
  /** @type {PassRow} */
  const row = {
    id: told.id,
    currency,
    amount: pass.amount,
    key: publicKey,
    kept,
    claimUntil: Date.parse(told.claim_until) / 1000,
    payer: payerOf(known, pass),
  };
  const isRenewed = await alone(async () => {
    const older = /** @type {PassRow[]} */ (await readAll("passes")).filter((one) => one.currency === currency);
    const till = await read("tills", currency);
    await write(
      { store: "passes", row },
      { store: "facts", row: { id: WANTED, value: undefined } },
      ...older.map((one) => ({ store: /** @type {const} */ ("passes"), row: { ...one, replaced: one.replaced || one.amount === 0 } })),
      ...(till ? [] : [{ store: /** @type {const} */ ("tills"), row: { id: currency, payee: payeeOf(known, message) } }]),
    );
    return Boolean(till);
  });
  if (isRenewed) await tell("payee", currency, { type: "renewed", data: message });
  await Promise.all([refresh(), wallets.refresh()]);
}

/** @returns {Promise<import("./known.js").Known>} of the issuer, asked for now; its root is pinned when first seen. Throws Problem */
async function whatIsKnown() {
  const { root, message } = await get("/v1/offline/keys");
  const pinned = (await readFact("root")) ?? read64(root);
  await keepFact("root", pinned);
  const keys = read64(message);
  return { root: pinned, keys, lists: [], epoch: 0, listedAt: 0, revoked: [], signedAt: 0, now: 0 };
}

/** @param {string} [pin] asks again for what got no answer; throws Problem */
export async function finishWanted(pin) {
  const wanted = /** @type {Wanted | undefined} */ (await readFact(WANTED));
  if (wanted) await fetchPass(wanted, pin);
}

/** @param {string} id of a pass @param {string | null} pin ends it, and says so to the service; throws Problem */
export async function giveBack(id, pin) {
  const row = /** @type {PassRow} */ (await read("passes", id));
  if (row.payer.purse.close.length === 0) await close(id, await unlock(row.kept, row.kept.lock.kind === "pin" ? pin : null));
  await syncNow();
  const after = /** @type {PassRow} */ (await read("passes", id));
  if (!after.payer.purse.closeKnown) throw new Problem("offline_close");
}
