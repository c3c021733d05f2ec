// What this phone holds, as screens show it: passes, payments on both sides, and what became of the journal.
import { keepNote } from "../core/preferences.js";
import { asProblem } from "../core/problems.js";
import { me, signedIn } from "../core/session.js";
import { signal, useEffect } from "../core/ui.js";
import { NONE } from "./cbor.js";
import { payOf } from "./chain.js";
import { itemsOf } from "./effects.js";
import { textsOf } from "./frames.js";
import { condition, now, readAll, readFact } from "./journal.js";
import { parse } from "./messages.js";
import { asSent, leftOf } from "./purse.js";

/** @typedef {import("../core/money.js").Money} Money */
/** @typedef {import("./keystore.js").Kept} Kept */
/** @typedef {import("./payer.js").Payer} Payer */
/** @typedef {import("./payee.js").Payee} Payee */
/** @typedef {Uint8Array<ArrayBuffer>} Bytes */
/**
 * @typedef {object} PassRow a pass as it lies in the journal
 * @property {string} id UUID
 * @property {string} currency
 * @property {number} amount set aside
 * @property {Bytes} key the public one, 33 bytes
 * @property {Kept} kept
 * @property {number} claimUntil seconds since 1970
 * @property {Payer} payer the machine that pays with it
 * @property {boolean} [replaced] another one took its place, or the phone was reported and registered anew
 */
/** @typedef {{ id: string, payee: Payee }} TillRow the machine that is paid in the currency `id` */
/**
 * @typedef {object} Held a pass
 * @property {string} id
 * @property {string} currency
 * @property {number} amount set aside
 * @property {number} left
 * @property {number} mostPerPayment
 * @property {number} expires milliseconds since 1970, as screens count
 * @property {number} claimUntil
 * @property {"open" | "expired" | "closed"} state
 * @property {"none" | "behind" | "lost"} doubt
 * @property {"pin" | "passkey"} lock
 */
/** @typedef {"inviting" | "late" | "void" | "verified" | "signed" | "accepted" | "uploaded" | "settled" | "credited" | "partial" | "rejected" | "returned" | "voided" | "conflict"} State */
/**
 * @typedef {object} Exchange a payment, on either side
 * @property {string} id of the request, in hexadecimal
 * @property {"payer" | "payee"} role
 * @property {State} state
 * @property {Money} money
 * @property {string} name
 * @property {string} memo
 * @property {number} at milliseconds since 1970
 * @property {number} until when the request ends, in seconds
 * @property {number} claimUntil milliseconds
 * @property {"pin" | "passkey"} lock
 * @property {Bytes} shown what the other side has to see, if it does
 * @property {string[]} codes that say so together
 * @property {boolean} waits for the service
 * @property {boolean} isOver without money having moved
 * @property {import("./effects.js").Item[]} items all that was signed, as the service takes it: last itself, after what it passes on
 */
/** @typedef {{ id: string, name: string, protection: "pin" | "passkey" }} OwnDevice */
/**
 * @typedef {object} Everything
 * @property {import("./journal.js").Condition} condition
 * @property {OwnDevice | undefined} device this one, once it is registered
 * @property {Held[]} passes the open ones, and those whose money is on its way back
 * @property {Exchange[]} exchanges newest first
 */

/** Undefined while it is read. */
export const held = signal(/** @type {Everything | undefined} */ (undefined));
/** Why it cannot be read. */
export const unreadable = signal(/** @type {import("../core/problems.js").Problem | null} */ (null));
signedIn.subscribe((is) => {
  if (!is) held.value = undefined;
});

const SUMMARY = "offline.parts";
const OVER = new Set(["void", "late", "voided", "returned", "rejected"]);
const WAITING = new Set(["void", "verified", "signed", "accepted", "uploaded"]);

/** @param {Uint8Array} bytes */
export const hexOf = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");

/** @param {PassRow} row @param {number} at seconds @returns {Promise<Held>} */
async function showPass({ id, currency, kept, payer, claimUntil, replaced = false }, at) {
  const { amount, expiry, limits } = await parse("pass", payer.purse.own);
  const isOpen = payer.purse.close.length === 0 && !replaced;
  return {
    id,
    currency,
    amount,
    left: await leftOf(payer.purse),
    mostPerPayment: limits.mostPerPayment,
    expires: expiry * 1000,
    claimUntil: claimUntil * 1000,
    state: !isOpen ? "closed" : at < expiry ? "open" : "expired",
    doubt: replaced ? "none" : payer.purse.doubt,
    lock: kept.lock.kind,
  };
}

/** @type {Record<string, State>} stages of a payer's payment that are called otherwise here */
const PAID = { sent: "signed", receipted: "accepted" };
/** @type {Record<string, State>} and of a payee's request */
const ASKED = { receipt_sent: "accepted", void_signed: "void", voided: "void" };

/** @param {PassRow} row @param {import("./purse.js").Payment} payment @returns {Promise<Exchange>} */
async function showPayment({ currency, kept, claimUntil, payer }, payment) {
  const [invite, pay] = await Promise.all([parse("invite", payment.invite), parse("pay", payment.pay)]);
  const state = PAID[payment.stage] ?? payment.stage;
  const sent = await asSent(payer.purse, payment);
  return finish({
    id: hexOf(invite.requestId),
    role: "payer",
    state,
    money: { amount: invite.amount, currency },
    name: invite.payee.name,
    memo: invite.memo ?? "",
    at: pay.time * 1000,
    until: 0,
    claimUntil: claimUntil * 1000,
    lock: kept.lock.kind,
    shown: state === "signed" ? sent : NONE,
    items: await itemsOf({ ...payment, pay: sent }),
  });
}

/** @param {PassRow[]} passes @param {TillRow} till @param {import("./till.js").Request} request @param {number} at @returns {Promise<Exchange>} */
async function showRequest(passes, till, request, at) {
  const invite = await parse("invite", request.invite);
  const pay = request.pay.length ? await parse("pay", payOf(request.pay)) : null;
  const own = passes.find(({ key }) => hexOf(key) === hexOf(invite.payee.key));
  const until = invite.madeAt + invite.life;
  const { amount, limits } = invite.payee;
  const isTakenIn = request.stage === "credited" && amount > 0 && limits.hops > 0; // by the pass, not by the wallet
  const stage = isTakenIn ? "settled" : /** @type {State} */ (ASKED[request.stage] ?? request.stage);
  // Once the service knows that it is called off, nobody needs to be shown so.
  const off = request.stage === "void_signed" ? request.void : NONE;
  const shown = stage === "inviting" ? request.invite : stage === "accepted" ? request.receipt : off;
  return finish({
    id: hexOf(request.id),
    role: "payee",
    state: stage === "inviting" && at > until + LATE ? "late" : stage,
    money: { amount: request.amount, currency: till.id },
    // A number keeps its order between words that run from the right.
    name: pay?.payer.name ?? `\u2066${request.phone}\u2069`,
    memo: request.memo,
    at: (request.answeredAt || request.madeAt) * 1000,
    until,
    claimUntil: 0,
    lock: own?.kept.lock.kind ?? "pin",
    shown,
    items: await itemsOf(request),
  });
}

/** Seconds after which nobody asks any more whether a request was paid. */
const LATE = 3_600;

/** @param {Omit<Exchange, "codes" | "waits" | "isOver">} one @returns {Promise<Exchange>} */
const finish = async (one) => ({
  ...one,
  codes: one.shown.length ? await textsOf(one.shown) : [],
  waits: WAITING.has(one.state),
  isOver: OVER.has(one.state),
});

/** Reads it all again, after every change. */
export async function refresh() {
  const at = await now();
  const [passes, tills, device, state] = await Promise.all([
    /** @type {Promise<PassRow[]>} */ (readAll("passes")),
    /** @type {Promise<TillRow[]>} */ (readAll("tills")),
    readFact("device"),
    condition(),
  ]);
  const shown = await Promise.all(passes.filter((row) => !row.replaced || row.amount).map((row) => showPass(row, at)));
  const exchanges = await Promise.all([
    ...passes.flatMap((row) => row.payer.purse.payments.map((payment) => showPayment(row, payment))),
    ...tills.flatMap((till) =>
      till.payee.till.requests
        .filter(({ stage }) => stage !== "asking")
        .map((request) => showRequest(passes, till, request, at)),
    ),
  ]);
  held.value = {
    condition: state,
    device,
    passes: shown.filter((one) => one.state === "open" || one.claimUntil / 1000 > at),
    exchanges: exchanges.sort((one, other) => other.at - one.at),
  };
  summarize(held.value.passes);
}

/** @param {Held[]} passes a note for home, which shows it without all of this */
function summarize(passes) {
  const parts = passes
    .filter(({ state, left }) => state === "open" && left > 0)
    .map(({ currency, left, expires }) => ({ currency, left, expires }));
  keepNote(SUMMARY, parts.length ? JSON.stringify({ person: me.peek()?.person_id, parts }) : null);
}

/** @returns {Everything | undefined} what there is; read when a screen first asks */
export function useHeld() {
  const person = me.value?.person_id;
  useEffect(() => {
    if (person) void load();
  }, [person]);
  return held.value;
}

async function load() {
  try {
    await (await import("./meeting.js")).start();
    unreadable.value = null;
  } catch (error) {
    unreadable.value = asProblem(error);
  }
}

/** @param {Everything} all @param {string} currency @returns {Held | undefined} the one to pay with */
export const openPass = ({ passes }, currency) =>
  passes.find((one) => one.currency === currency && one.state === "open");
