// A payer's pass with its chain of payments. It never goes backwards. Pure.
import { NONE, sameBytes } from "./cbor.js";
import { bundleOf, coverOf, fits, readLink, withSources } from "./chain.js";
import { UINT32_MAX } from "./fields.js";
import { SOURCES_MAX, parse } from "./messages.js";
/** @typedef {import("./cbor.js").Bytes} Bytes */
/** @typedef {import("./chain.js").Link} Link */
/** @typedef {import("./messages.js").Pass} Pass */
/** @template {import("./cose.js").Kind} K @typedef {import("./messages.js").Message<K>} Message */
/**
 * Where a payment is, for its payer; the first four come before it is signed.
 * @typedef {"idle" | "review" | "confirmed" | "closing" | "signed" | "sent" | "receipted" | "settled" | "voided" | "returned"
 *   | "conflict"} Stage
 */
/**
 * behind: payments are missing here up to `seen`, which the server may know. lost: nobody can tell how many, so nothing
 * more can be signed without risking a second signature.
 * @typedef {"none" | "behind" | "lost"} Doubt
 */
/** @typedef {{ sequence: number, hash: Bytes, cumulative: number }} Tip the end of the chain */
/**
 * @typedef {object} Payment a signed PAY, and what belongs to it; messages are empty until there is one
 * @property {Bytes} hash
 * @property {Bytes} requestId
 * @property {Bytes} invite
 * @property {Bytes} pay
 * @property {Stage} stage
 * @property {Bytes} receipt
 * @property {Bytes} void
 * @property {boolean} voidKnown the server has it
 */
/**
 * @typedef {object} Purse
 * @property {Bytes} own the PASS
 * @property {Tip} tip
 * @property {Payment[]} payments
 * @property {Bytes} close
 * @property {Doubt} doubt
 * @property {number} seen
 * @property {boolean} closeKnown the server has the CLOSE
 * @property {Bytes[]} [received] payments to this pass, in the order received, that it can pass on: each with its chain. An
 *   earlier version's store has none
 */

/** A payment or CLOSE that does not follow the last one: a bug, and never to be sent. */
export class WentBack extends Error {}

/** @param {Pass} own a new pass @returns {Purse} */
export const purseOf = (own) => ({
  own: own.raw,
  tip: { sequence: own.startSequence - 1, hash: own.hash, cumulative: 0 },
  payments: [],
  close: NONE,
  doubt: "none",
  seen: 0,
  closeKnown: false,
  received: [],
});

/** @param {{ own: Bytes }} of purse or till @returns {Promise<Pass>} */
export const holderOf = ({ own }) => parse("pass", own);

/** @param {Purse} purse @param {Bytes} hash */
export const paymentOf = ({ payments }, hash) => payments.find((one) => sameBytes(one.hash, hash));

/** @param {Purse} purse @param {Bytes} requestId */
export const answerTo = ({ payments }, requestId) => payments.find((one) => sameBytes(one.requestId, requestId));

/** @param {Purse} purse @returns {Promise<Link[]>} what it can pass on */
const receivedOf = ({ received = [] }) => Promise.all(received.map(readLink));

/** @param {Purse} purse @returns {Promise<number>} what may still be spent, in minor units */
export async function leftOf(purse) {
  const most = coverOf(await holderOf(purse), await receivedOf(purse));
  return Math.max(0, Math.min(most, UINT32_MAX) - purse.tip.cumulative);
}

/** @param {Purse} purse @param {number} amount @returns {Promise<Link[]>} what the next PAY passes on: the first that it received, as few as cover it */
export async function sourcesFor(purse, amount) {
  const [own, received] = [await holderOf(purse), await receivedOf(purse)];
  const count = received.findIndex((_, i) => coverOf(own, received.slice(0, i)) >= purse.tip.cumulative + amount);
  return count < 0 ? received : received.slice(0, count);
}

/** @param {Link[]} sources @returns {Bytes[] | undefined} as a PAY names them */
const namesOf = (sources) => (sources.length ? sources.map(({ pay }) => pay.hash) : undefined);

/** @param {Purse} purse @param {Message<"invite">} invite @param {number} time @returns {Promise<import("./messages.js").PayFields>} the next PAY */
export async function draftOf(purse, { amount, payee, hash }, time) {
  const { sequence, hash: previous, cumulative } = purse.tip;
  return {
    payer: await holderOf(purse),
    sequence: sequence + 1,
    previous,
    amount,
    cumulative: cumulative + amount,
    payeePass: payee.id,
    requestHash: hash,
    time,
    sources: namesOf(await sourcesFor(purse, amount)),
  };
}

/** @param {Purse} purse @param {Message<"pay">} pay signed @param {Message<"invite">} invite @returns {Promise<Purse>} */
export async function withPayment(purse, pay, invite) {
  const { tip, own } = purse;
  const sources = namesOf(await sourcesFor(purse, pay.amount));
  const follows =
    sameBytes(pay.payer.raw, own) &&
    pay.sequence === tip.sequence + 1 &&
    sameBytes(pay.previous, tip.hash) &&
    pay.cumulative === tip.cumulative + pay.amount &&
    pay.amount <= (await leftOf(purse)) &&
    String(pay.sources) === String(sources);
  if (!follows || purse.close.length || purse.doubt !== "none") throw new WentBack();
  const { hash, sequence, cumulative } = pay;
  /** @type {Payment} */
  const payment = {
    hash,
    requestId: invite.requestId,
    invite: invite.raw,
    pay: pay.raw,
    stage: "signed",
    receipt: NONE,
    void: NONE,
    voidKnown: false,
  };
  return { ...purse, tip: { sequence, hash, cumulative }, payments: [...purse.payments, payment] };
}

/** @param {Purse} purse @param {Payment} payment @returns {Promise<Bytes>} as it travels */
export async function asSent(purse, { pay }) {
  const { sources } = await parse("pay", pay);
  return sources ? withSources(pay, (await receivedOf(purse)).slice(0, sources.length)) : pay;
}

/** @param {Purse} purse @returns {Promise<boolean>} may it pass on one payment more than it can now? */
export async function canGain({ own, close, doubt, received = [] }) {
  const { amount, limits } = await parse("pass", own);
  return close.length === 0 && doubt !== "lost" && amount > 0 && limits.hops > 0 && received.length < SOURCES_MAX;
}

/** @param {Purse} purse @param {Link} link @returns {Promise<Purse>} with one more payment that it may pass on; the same where that may not be */
export async function gaining(purse, link) {
  const [own, received] = [await holderOf(purse), await receivedOf(purse)];
  const isNew = !received.some(({ pay }) => sameBytes(pay.hash, link.pay.hash));
  const isOwn = sameBytes(link.invite.payee.raw, own.raw) && sameBytes(link.pay.payeePass, own.id);
  const mayBe = link.hops < own.limits.hops && (await canGain(purse));
  if (!isNew || !isOwn || !mayBe || !fits([...received, link])) return purse;
  return { ...purse, received: [...(purse.received ?? []), bundleOf(link)] };
}

/** @param {Purse} purse @param {Bytes} hash @returns {Promise<Purse>} without that received payment; the same where its own name it, or, in doubt, may */
export async function losing(purse, hash) {
  const place = (await receivedOf(purse)).findIndex(({ pay }) => sameBytes(pay.hash, hash));
  if (place < (await sourcesFor(purse, 0)).length || purse.doubt !== "none") return purse;
  return { ...purse, received: purse.received?.filter((_, at) => at !== place) };
}

/** @param {Purse} purse @param {number} time @returns {Promise<import("./messages.js").CloseFields>} with the next PAY's sequence number */
export async function draftOfClose(purse, time) {
  const { sequence, cumulative } = purse.tip;
  return { passId: (await holderOf(purse)).id, sequence: sequence + 1, cumulative, time };
}

/** @param {Purse} purse @param {Message<"close">} close signed @returns {Promise<Purse>} */
export async function closed(purse, close) {
  const { passId, sequence, cumulative } = await draftOfClose(purse, close.time);
  const follows = sameBytes(close.passId, passId) && close.sequence === sequence && close.cumulative === cumulative;
  if (!follows || purse.close.length || purse.doubt !== "none") throw new WentBack();
  return { ...purse, close: close.raw };
}

/** @param {Purse} purse @param {Payment} payment in place of the one with its hash @returns {Purse} */
export const changed = (purse, payment) => ({
  ...purse,
  payments: purse.payments.map((one) => (sameBytes(one.hash, payment.hash) ? payment : one)),
});

/** @param {Purse} purse @returns {Purse} never to sign again */
export const lost = (purse) => ({ ...purse, doubt: "lost" });

/** @param {Purse} purse */
const lastSigned = ({ tip, close }) => tip.sequence + (close.length ? 1 : 0);

/** @param {Purse} purse @param {number | null} seen elsewhere @returns {Purse} in doubt when that is more than the chain, or gone */
export function restarted(purse, seen) {
  if (purse.doubt === "lost") return purse;
  if (seen === null) return lost(purse);
  const isKnown = seen <= lastSigned(purse) || (purse.doubt === "behind" && seen <= purse.seen);
  return isKnown ? purse : { ...purse, doubt: "behind", seen: Math.max(seen, purse.seen) };
}

/**
 * @param {Purse} purse @param {Tip} tip how far the server knows the chain. It fills in exactly what was missing; where it
 * knows more or other than should be, this store went back further than anybody can tell
 * @param {boolean} ended the pass is open no more: after a CLOSE nothing may be signed, so a doubt stays
 * @returns {Promise<Purse>} the same when it says nothing new
 */
export async function synced(purse, tip, ended) {
  if (purse.doubt === "lost") return purse;
  if ((await contradicts(purse, tip)) || tip.sequence > Math.max(lastSigned(purse), purse.seen)) return lost(purse);
  const isFilled = purse.doubt === "behind" && tip.sequence === purse.seen && !ended;
  return isFilled ? { ...purse, tip, doubt: "none", seen: 0 } : purse;
}

/** @param {Purse} purse @param {Tip} tip */
async function contradicts({ payments }, tip) {
  const signed = await Promise.all(payments.map(({ pay }) => parse("pay", pay)));
  return signed.some(({ sequence, hash }) => sequence === tip.sequence && !sameBytes(hash, tip.hash));
}
