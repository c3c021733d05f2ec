// Two phones that meet without a network: runs the machines of payer and payee. What they want durable is on the
// disk before they hear of it, what they want signed is signed with a key that somebody has unlocked.
import { keepNote, readNote } from "../core/preferences.js";
import { Problem } from "../core/problems.js";
import { signedIn } from "../core/session.js";
import { Malformed, sameBytes } from "./cbor.js";
import { bundleOf, linkOf, readHead } from "./chain.js";
import { Collector } from "./frames.js";
import { held, hexOf, refresh } from "./holdings.js";
import { condition, read, readAll, write } from "./journal.js";
import { unlock } from "./keystore.js";
import { parse } from "./messages.js";
import { step as stepPayee } from "./payee.js";
import { step as stepPayer } from "./payer.js";
import { answerTo as paymentFor, canGain, gaining, leftOf, paymentOf } from "./purse.js";
import { askedWith } from "./till.js";

/** @typedef {import("./holdings.js").PassRow} PassRow */
/** @typedef {import("./holdings.js").TillRow} TillRow */
/** @typedef {import("./p256.js").Signer} Signer */
/** @typedef {Uint8Array<ArrayBuffer>} Bytes */
/** @typedef {import("./effects.js").Item} Item */
/** @typedef {{ view: string | null, refusal: string | null, items: Item[] }} Result what a machine showed last, and
 *   what it wants the service to have */
/**
 * @typedef {object} Offer a request that was scanned
 * @property {string} pass the payer's
 * @property {string} id of the request
 * @property {string} name
 * @property {import("../core/money.js").Money} money
 * @property {string} memo
 * @property {number} left on the pass before it
 * @property {"pin" | "passkey"} lock
 * @property {boolean} isSigned it was paid before
 */

const MACHINES = {
  payer: { store: /** @type {const} */ ("passes"), step: stepPayer },
  payee: { store: /** @type {const} */ ("tills"), step: stepPayee },
};
/** @typedef {keyof typeof MACHINES} Side */

/** Keys that were unlocked to be paid: they sign the receipt, too. @type {Map<string, Signer>} */
const signers = new Map();
signedIn.subscribe((is) => {
  if (!is) signers.clear();
});

const clock = () => Math.floor(Date.now() / 1000);

/**
 * One step at a time, whichever tab takes it; without locks only the journal notices another tab. Not inside `act`.
 * @template T @param {() => Promise<T>} act @returns {Promise<T>}
 */
export const alone = (act) => /** @type {any} */ (navigator.locks ? navigator.locks.request("tw-offline", act) : act());

/** Two tabs must not spend one pass at once. Throws Problem. */
function mustBeAlone() {
  if (!navigator.locks) throw new Problem("offline_no_locks");
}

/** @param {string} pass @returns {string} the note of how far its chain had come, beside the journal */
const chainNote = (pass) => `offline.chain.${pass}`;

/** @param {PassRow} row notes it before anything signed is shown */
function noteChain({ id, payer: { purse } }) {
  keepNote(chainNote(id), String(purse.tip.sequence + (purse.close.length ? 1 : 0)));
}

/**
 * Gives a machine an event and does what it wants.
 * @param {Side} side @param {string} id of its row @param {any} event without its time @param {Signer} [signer]
 * @returns {Promise<Result>}
 */
export const tell = (side, id, event, signer) =>
  alone(async () => {
    const { store, step } = MACHINES[side];
    let row = await read(store, id);
    if (!row) throw new Problem("offline_not_expected");
    /** @type {Result} */
    const result = { view: null, refusal: null, items: [] };
    const events = [event];
    while (events.length) {
      const next = { now: clock(), ...events.shift() };
      const [state, effects] = await /** @type {any} */ (step)(row[side], next);
      row = { ...row, [side]: state };
      for (const effect of effects) {
        if (effect.type === "store") {
          [row] = await write({ store, row });
          if (side === "payer") noteChain(row);
          events.unshift({ type: "stored" });
        } else if (effect.type === "sign") {
          events.push(await answerTo(effect, signer));
        } else if (effect.type === "show") {
          result.view = effect.view;
          result.refusal = effect.refusal ?? null;
        } else if (effect.type === "upload") {
          result.items.push(...effect.items);
        }
      }
    }
    await write({ store, row });
    return result;
  });

/** @param {{ hash: Bytes, toSign: Bytes, key: Bytes }} wanted @param {Signer} [signer] @returns {Promise<object>} the event */
async function answerTo({ hash, toSign, key }, signer) {
  const mine = signer && sameBytes(signer.public, key) ? signer : signers.get(hexOf(key));
  if (!mine) return { type: "declined", hash };
  return { type: "signed", hash, signature: await mine.sign(toSign) };
}

/** @param {Result} result @returns {Result} throws Problem when it is a refusal */
function mustGoOn(result) {
  if (result.refusal) throw new Problem(`offline_${result.refusal}`);
  return result;
}

/** @type {Promise<void> | undefined} */
let started;

/** Takes up where the app was left, once; then reads what there is. */
export function start() {
  started ??= takeUp().catch((error) => {
    started = undefined;
    throw error;
  });
  return started;
}
signedIn.subscribe((is) => {
  if (!is) started = undefined;
});

async function takeUp() {
  const isCopy = (await condition()) === "moved";
  for (const { id } of /** @type {PassRow[]} */ (await readAll("passes"))) {
    const seen = isCopy ? null : Number(readNote(chainNote(id)) ?? 0);
    await tell("payer", id, { type: "restarted", sequenceSeen: seen });
  }
  for (const { id } of /** @type {TillRow[]} */ (await readAll("tills"))) {
    await tell("payee", id, { type: "restarted", sequenceSeen: 0 });
  }
  await gain();
  await refresh();
  const { startSync } = await import("./sync.js");
  startSync();
}

/** Hands in what waits, if that can be done now; nobody waits for it. */
const handIn = () => void import("./sync.js").then(({ sync }) => sync());

const collector = new Collector();

/** @param {string} text of a code @returns {Promise<Bytes | null>} null: a part of several; throws Problem */
async function readCode(text) {
  try {
    return await collector.add(text);
  } catch (error) {
    if (error instanceof Malformed) throw new Problem("offline_foreign");
    throw error;
  }
}

/** @typedef {import("./messages.js").Message<import("./cose.js").Kind>} AnyMessage */
/** @template {import("./cose.js").Kind} K @typedef {import("./messages.js").Message<K>} Message */

/** @param {Bytes} data @returns {Promise<AnyMessage>} of a payment with what it passes on the PAY; throws Problem */
export const parsed = (data) =>
  readHead(data).catch(() => {
    throw new Problem("offline_unreadable");
  });

// Paying.

/** @param {string} text @returns {Promise<Offer | null>} null: a part of it. Throws Problem */
export async function readInvite(text) {
  const data = await readCode(text);
  if (!data) return null;
  const invite = await parsed(data);
  if (invite.kind !== "invite") throw new Problem("offline_expect_invite");
  return offerOf(invite);
}

/** @param {Message<"invite">} invite @returns {Promise<Offer>} throws Problem */
export async function offerOf(invite) {
  const row = await passFor(invite.currency);
  await tell("payer", row.id, { type: "setAside" });
  mustGoOn(await tell("payer", row.id, { type: "received", data: invite.raw }));
  const { kept, currency, payer } = await read("passes", row.id);
  const id = hexOf(invite.requestId);
  return {
    pass: row.id,
    id,
    name: invite.payee.name,
    money: { amount: invite.amount, currency },
    memo: invite.memo ?? "",
    left: await leftOf(payer.purse),
    lock: kept.lock.kind,
    isSigned: payer.purse.payments.some((/** @type {any} */ one) => hexOf(one.requestId) === id),
  };
}

/** @param {number} number a currency's @returns {Promise<PassRow>} the open pass in it; throws Problem */
async function passFor(number) {
  const open = new Set(held.peek()?.passes.filter(({ state }) => state === "open").map(({ id }) => id));
  for (const row of /** @type {PassRow[]} */ (await readAll("passes"))) {
    if (open.has(row.id) && (await parse("pass", row.payer.purse.own)).currency === number) return row;
  }
  throw new Problem("offline_wrong_currency");
}

/** @param {Offer} offer @param {string} phone typed by the payer; throws Problem when it is not the payee's */
export const checkNumber = async (offer, phone) =>
  mustGoOn(await tell("payer", offer.pass, { type: "typed", phone }));

/** @param {Offer} offer @param {string | null} pin signs, writes and shows the payment; throws Problem */
export async function pay(offer, pin) {
  mustBeAlone();
  const signer = await unlock((await read("passes", offer.pass)).kept, pin);
  mustGoOn(await tell("payer", offer.pass, { type: "confirmed" }, signer));
  await refresh();
}

/** @param {string} pass @param {Signer} signer signs that nothing more is paid from it; throws Problem */
export async function close(pass, signer) {
  mustBeAlone();
  mustGoOn(await tell("payer", pass, { type: "closing" }, signer));
  await refresh();
}

// Being paid.

/**
 * @param {{ pass: string, phone: string, amount: number, memo: string }} wish @param {string | null} pin
 * @returns {Promise<string>} the request's id; throws Problem
 */
export async function ask({ pass, phone, amount, memo }, pin) {
  const row = /** @type {PassRow} */ (await read("passes", pass));
  signers.set(hexOf(row.key), await unlock(row.kept, pin));
  const request = crypto.getRandomValues(new Uint8Array(16));
  mustGoOn(await tell("payee", row.currency, { type: "asked", request, phone, amount, memo }));
  await refresh();
  return hexOf(request);
}

/** @param {string} id @returns {Promise<{ row: PassRow, till: string, request: Bytes }>} of a request of one's own */
async function ownRequest(id) {
  const rows = /** @type {PassRow[]} */ (await readAll("passes"));
  for (const till of /** @type {TillRow[]} */ (await readAll("tills"))) {
    const found = till.payee.till.requests.find((one) => hexOf(one.id) === id);
    if (!found) continue;
    const { payee } = await parse("invite", found.invite);
    const row = rows.find(({ key }) => sameBytes(key, payee.key));
    if (row) return { row, till: till.id, request: found.id };
  }
  throw new Problem("offline_not_expected");
}

/** @param {string} id @returns {Promise<boolean>} whether its receipt can be signed without asking for the PIN again */
export const canSign = async (id) => signers.has(hexOf((await ownRequest(id)).row.key));

/** @param {string} id @param {string | null} pin unlocks what signs its receipt, and signs one that waits; throws Problem */
export async function holdOpen(id, pin) {
  const { row, till } = await ownRequest(id);
  signers.set(hexOf(row.key), await unlock(row.kept, pin));
  await tell("payee", till, { type: "restarted", sequenceSeen: 0 });
  await gain();
  await refresh();
}

/** @param {string} id @param {string | null} pin signs that this request will never be taken; throws Problem */
export async function callOff(id, pin) {
  const { row, till, request } = await ownRequest(id);
  mustGoOn(await tell("payee", till, { type: "cancelled", request }, await unlock(row.kept, pin)));
  await refresh();
  handIn();
}

/** @param {string} id of a payment @param {string} text scanned for it @returns {Promise<boolean>} false: a part of it; throws Problem */
export async function take(id, text) {
  const data = await readCode(text);
  if (!data) return false;
  const payment = /** @type {PassRow[]} */ (await readAll("passes")).find(({ payer }) =>
    payer.purse.payments.some(({ requestId }) => hexOf(requestId) === id),
  );
  const [side, row] = /** @type {[Side, string]} */ (
    payment ? ["payer", payment.id] : ["payee", (await ownRequest(id)).till]
  );
  const { kind } = await parsed(data);
  const isAnswer = side === "payer" ? kind === "receipt" || kind === "void" : kind === "pay";
  if (!isAnswer) throw new Problem("offline_not_expected");
  mustGoOn(await tell(side, row, { type: "received", data }));
  await gain();
  await refresh();
  handIn();
  return true;
}

/** A pass that may pass on what it received is told of it. Called whenever a payment may have been accepted. */
async function gain() {
  for (const { id, payer } of /** @type {PassRow[]} */ (await readAll("passes"))) {
    let { purse } = payer;
    for (const link of (await canGain(purse)) ? await accepted() : []) {
      const next = await gaining(purse, link);
      if (next !== purse) await tell("payer", id, { type: "gained", chain: bundleOf(link) });
      purse = next;
    }
  }
}

/** Not what the service has found to be worth less. @type {ReadonlySet<import("./till.js").Stage>} */
const ACCEPTED = new Set(["accepted", "receipt_sent", "uploaded", "credited"]);

/** @returns {Promise<import("./chain.js").Link[]>} all payments that were accepted */
async function accepted() {
  const tills = /** @type {TillRow[]} */ (await readAll("tills"));
  const requests = tills.flatMap(({ payee }) => payee.till.requests).filter(({ stage }) => ACCEPTED.has(stage));
  return Promise.all(requests.filter(({ receipt }) => receipt.length).map(({ pay, invite }) => linkOf(pay, invite)));
}

// By a link, over which messages come as they are.

/** @returns {Promise<Bytes[]>} what the issuer says, to be handed on */
export async function news() {
  const [row] = /** @type {PassRow[]} */ (await readAll("passes"));
  return row ? [row.payer.known.keys, ...row.payer.known.lists] : [];
}

/** @param {AnyMessage} message to whichever machine it is for @param {Bytes} data as it came; throws Problem */
export async function takeIn(message, data) {
  const machines = await meant(message);
  if (!machines.length) throw new Problem("offline_not_expected");
  for (const [side, id] of machines) mustGoOn(await tell(side, id, { type: "received", data }));
  if (message.kind === "keys" || message.kind === "revocations") return;
  await gain();
  await refresh();
  handIn();
}

/** @param {AnyMessage} message @returns {Promise<[Side, string][]>} */
async function meant(message) {
  const passes = /** @type {PassRow[]} */ (await readAll("passes"));
  const tills = /** @type {TillRow[]} */ (await readAll("tills"));
  /** @param {(row: PassRow) => unknown} is @returns {[Side, string][]} */
  const payers = (is) => passes.filter(is).map(({ id }) => ["payer", id]);
  /** @param {(row: TillRow) => unknown} is @returns {[Side, string][]} */
  const payees = (is) => tills.filter(is).map(({ id }) => ["payee", id]);
  switch (message.kind) {
    case "keys":
    case "revocations":
      return [...payers(() => true), ...payees(() => true)];
    case "pay":
      return payees(({ payee }) => askedWith(payee.till, message.requestHash));
    case "receipt":
      return payers(({ payer }) => paymentOf(payer.purse, message.payHash));
    case "void":
      return payers(({ payer }) => paymentFor(payer.purse, message.requestId));
    default:
      return [];
  }
}
