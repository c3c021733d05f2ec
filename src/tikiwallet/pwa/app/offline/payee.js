// The payee's side of an exchange: one machine for each device, with all its requests. Pure.
//
// Of each request: `asking → inviting* → verified* → accepted* → receipt_sent → uploaded → credited | partial | rejected`,
// or `inviting → void_signed* → voided`. A PAY is kept before the RECEIPT is signed and the RECEIPT before it is sent, so
// that a PAY that comes again meets the same RECEIPT.
import { Malformed, NONE, sameBytes } from "./cbor.js";
import { paysOf, readChain, readHead } from "./chain.js";
import { checkAsk, checkPay } from "./checks.js";
import { isSignedBy } from "./cose.js";
import { OutOfTurn, STORE, itemsOf, refused, send, show, upload } from "./effects.js";
import { atClock, atServer, atSignature, hasIssued, learn } from "./known.js";
import { ACCEPTED, parse, read, unsealed } from "./messages.js";
import { readable } from "./payer.js";
import { holderOf } from "./purse.js";
import * as tills from "./till.js";
/** @typedef {import("./cbor.js").Bytes} Bytes */
/** @typedef {import("./cose.js").Unsealed} Unsealed */
/** @typedef {import("./effects.js").Effect} Effect */
/** @typedef {import("./effects.js").Event | import("./effects.js").PayeeEvent} Event */
/** @template {Event["type"]} T @typedef {Extract<Event, { type: T }>} EventOf */
/** @typedef {import("./messages.js").Message<"pay">} Pay */
/** @typedef {import("./till.js").Request} Request */
/** @typedef {import("./till.js").Stage} Stage */
/** @typedef {import("./till.js").Till} Till */
/**
 * @typedef {object} Payee
 * @property {import("./known.js").Known} known
 * @property {Till} till
 * @property {Bytes | null} storing id of the request that a `store` under way is about; empty for one about none
 */
/** @typedef {[Payee, Effect[]]} Step */

const LIFE = 120; // seconds in which a payer may confirm
/** @type {Partial<Record<import("./effects.js").OutcomeWord, Stage>>} */
const AFTER = {
  recorded: "uploaded",
  credited: "credited",
  partial: "partial",
  rejected: "rejected",
  returned: "rejected",
  voided: "rejected",
  conflict: "uploaded",
};
/** @type {ReadonlySet<Stage>} */
const TO_UPLOAD = new Set(["verified", "accepted", "receipt_sent", "uploaded"]);

/** @param {import("./known.js").Known} known @param {Bytes} own a pass @returns {Payee} */
export const payeeOf = (known, own) => ({ known, till: tills.tillOf(own), storing: null });

/** @param {Payee} payee @param {Event} event @returns {Promise<Step>} throws OutOfTurn between `store` and its answer */
export async function step(payee, event) {
  if (event.type === "restarted") return restarted(payee, event.now);
  if ((payee.storing !== null) !== (event.type === "stored")) throw new OutOfTurn(event.type);
  const next = { ...payee, known: atClock(payee.known, event.now) };
  switch (event.type) {
    case "received":
      return received(next, event.data);
    case "signed":
      return signed(next, event);
    case "declined":
      return declined(next, event.hash);
    case "stored":
      return stored(next);
    case "outcome":
      return outcome(next, event);
    case "synced":
      return synced(next, event.now);
    case "asked":
      return asked(next, event);
    case "cancelled":
      return cancelled(next, event.request);
    case "seen":
      return seen(next, event.taken);
    case "renewed":
      return renewed(next, event.data);
    case "tick":
      return [next, []];
    default:
      throw new OutOfTurn(/** @type {Event} */ (event).type);
  }
}

/** @param {Payee} payee @param {Till} till @param {Bytes} [what] @returns {Step} */
const storing = (payee, till, what = NONE) => [{ ...payee, till, storing: what }, [STORE]];

/** @param {Payee} payee @param {Bytes} data @returns {Promise<Step>} */
async function received(payee, data) {
  const message = await readable(data, readHead);
  if (!message) return refused(payee, "unreadable");
  if (message.kind === "pay") return paid(payee, message, data);
  if (message.kind !== "keys" && message.kind !== "revocations") return refused(payee, "not_expected");
  const known = await learn(payee.known, message);
  return known === payee.known ? [payee, []] : storing({ ...payee, known }, payee.till);
}

// Asking.

/** @param {Payee} payee @param {EventOf<"asked">} event @returns {Promise<Step>} */
async function asked(payee, { request: id, phone, amount, memo }) {
  const request = tills.requestOf({ id, phone, amount, memo, madeAt: payee.known.now });
  const refusal = await checkAsk(payee.known, payee.till, request);
  if (refusal) return refused(payee, refusal);
  const asking = { ...payee, till: tills.withRequest(payee.till, request) };
  try {
    return [asking, [await signing(asking, request)]];
  } catch (error) {
    if (error instanceof Malformed) return refused(payee, "cannot_ask");
    throw error;
  }
}

/** @param {Payee} payee @param {Bytes} id @returns {Promise<Step>} */
async function cancelled(payee, id) {
  const request = tills.findRequest(payee.till, id);
  if (!request) return [payee, []];
  if (request.stage === "asking") return [{ ...payee, till: tills.without(payee.till, request) }, []];
  if (request.pay.length) return refused(payee, "already_paid");
  if (request.void.length) return [payee, [send(request.void), show("voided")]];
  const off = { ...request, answeredAt: request.answeredAt || payee.known.now };
  const next = { ...payee, till: tills.changed(payee.till, off) };
  return [next, [await signing(next, off)]];
}

// Being paid.

/** @param {Payee} payee @param {Pay} pay @param {Bytes} data as it came @returns {Promise<Step>} */
async function paid(payee, pay, data) {
  const request = tills.askedWith(payee.till, pay.requestHash);
  if (request?.answeredAt) return answered(payee, request, pay);
  const chain = await readable(data, readChain);
  if (!chain) return refused(payee, "unreadable");
  if (await hasIssued(payee.known, pay.payer)) {
    payee = { ...payee, known: atSignature(payee.known, pay.payer.notBefore) };
  }
  const refusal = await checkPay(payee.known, payee.till, request, chain);
  if (refusal || !request) return refused(payee, refusal ?? "not_my_request");
  /** @type {Request} */
  const verified = { ...request, stage: "verified", pay: data, answeredAt: payee.known.now };
  const till = paysOf(chain).map(tills.takenOf).reduce(tills.taking, tills.changed(payee.till, verified));
  return storing(payee, till, request.id);
}

/** The same PAY meets the same RECEIPT; any PAY for a cancelled request its VOID. @param {Payee} payee @param {Request} request @param {Pay} pay @returns {Promise<Step>} */
async function answered(payee, request, pay) {
  if (request.void.length) return [payee, [send(request.void), show("refused", "cancelled")]];
  if (!request.pay.length) return refused(payee, "cancelled"); // its VOID is about to be signed
  if (!sameBytes((await readHead(request.pay)).hash, pay.hash)) return refused(payee, "already_paid");
  if (!request.receipt.length) return [payee, [await signing(payee, request)]];
  return [payee, [send(request.receipt), show("accepted")]];
}

// Signing. What a request's draft is follows from the request alone, so that an answer to `sign` meets it again by its
// hash.

/** @param {Payee} payee @param {Request} request @returns {Promise<{ made: Unsealed, key: Bytes } | null>} what is to be signed, and the pass's key that does */
async function draft(payee, { id, amount, memo, madeAt, stage, invite, pay, receipt, answeredAt: time }) {
  if (stage === "asking") {
    const own = await holderOf(payee.till);
    const asks = { payee: own, requestId: id, amount, currency: own.currency, madeAt, life: LIFE };
    return { made: await unsealed("invite", memo ? { ...asks, memo } : asks), key: own.key };
  }
  const isOff = stage === "inviting" && time > 0;
  if (!isOff && (!pay.length || receipt.length)) return null;
  const { payee: holder } = await parse("invite", invite);
  const made = isOff
    ? await unsealed("void", { requestId: id, payeePass: holder.id, time })
    : await unsealed("receipt", { payHash: (await readHead(pay)).hash, status: ACCEPTED, time });
  return { made, key: holder.key };
}

/** @param {Payee} payee @param {Request} request one with a draft @returns {Promise<Effect>} */
async function signing(payee, request) {
  const { made, key } = /** @type {{ made: Unsealed, key: Bytes }} */ (await draft(payee, request));
  return { type: "sign", hash: made.hash, toSign: made.toSign, key };
}

/** @param {Payee} payee @param {Bytes} hash of a draft */
async function waitingFor(payee, hash) {
  for (const request of payee.till.requests) {
    const found = await draft(payee, request);
    if (found && sameBytes(found.made.hash, hash)) return { request, ...found };
  }
  return null;
}

/** @param {Payee} payee @param {EventOf<"signed">} event @returns {Promise<Step>} */
async function signed(payee, { hash, signature }) {
  const waiting = await waitingFor(payee, hash);
  if (!waiting) return [payee, []];
  const { request, made, key } = waiting;
  if (!(await isSignedBy({ signature, signed: made.toSign }, key))) return declined(payee, hash);
  const changed = withSigned(request, made.withSignature(signature), made.hash);
  return storing(payee, tills.changed(payee.till, changed), request.id);
}

/** @param {Request} request @param {Bytes} raw @param {Bytes} hash @returns {Request} */
function withSigned(request, raw, hash) {
  if (request.stage === "asking") return { ...request, stage: "inviting", invite: raw, hash };
  if (request.stage === "inviting") return { ...request, stage: "void_signed", void: raw };
  // Verified, or what the server said before there was a RECEIPT; it says it again.
  return { ...request, stage: "accepted", receipt: raw };
}

/** @param {Payee} payee @param {Bytes} hash @returns {Promise<Step>} */
async function declined(payee, hash) {
  const waiting = await waitingFor(payee, hash);
  if (!waiting) return [payee, []];
  return refused({ ...payee, till: unanswered(payee.till, waiting.request) }, "key_failed");
}

/**
 * @param {Till} till @param {Request} request
 * @returns {Till} without its wish for a signature. An accepted PAY stays, and is signed for when it comes again or the
 * device starts again
 */
function unanswered(till, request) {
  if (request.stage === "asking") return tills.without(till, request);
  return request.stage === "inviting" ? tills.changed(till, { ...request, answeredAt: 0 }) : till;
}

// After a write.

/** @param {Payee} payee @returns {Promise<Step>} */
async function stored({ storing: about, ...rest }) {
  const payee = { ...rest, storing: null };
  const request = about?.length ? tills.findRequest(payee.till, about) : undefined;
  switch (request?.stage) {
    case "inviting":
      return [payee, [send(request.invite), show("asking")]];
    case "verified":
      return [payee, [await signing(payee, request)]];
    case "accepted": {
      const till = tills.changed(payee.till, { ...request, stage: "receipt_sent" });
      return [{ ...payee, till }, [send(request.receipt), show("accepted"), ...upload(await itemsOf(request))]];
    }
    case "void_signed":
      return [payee, [send(request.void), show("voided"), ...upload(await itemsOf(request))]];
    default:
      return [payee, []];
  }
}

/** @param {Till} till */
async function uploads({ requests }) {
  const waiting = requests.filter(({ stage }) => TO_UPLOAD.has(stage) || stage === "void_signed");
  return upload((await Promise.all(waiting.map(itemsOf))).flat());
}

// What others say.

/** @param {Payee} payee @param {import("./till.js").Taken} taken @returns {Step} */
function seen(payee, taken) {
  const till = tills.taking(payee.till, taken);
  return till === payee.till ? [payee, []] : storing(payee, till);
}

/** @param {Payee} payee @param {Bytes} data @returns {Promise<Step>} */
async function renewed(payee, data) {
  const own = await readable(data, read);
  if (own?.kind !== "pass") return refused(payee, "unreadable");
  if (!(await hasIssued(payee.known, own))) return refused(payee, "unknown_issuer");
  const requests = payee.till.requests.filter(({ stage }) => stage !== "asking");
  return storing({ ...payee, known: atSignature(payee.known, own.notBefore) }, { ...payee.till, own: data, requests });
}

/** The hash is that of the PAY, or of the VOID. @param {Payee} payee @param {EventOf<"outcome">} event @returns {Promise<Step>} */
async function outcome(payee, { hash, outcome: word }) {
  for (const request of payee.till.requests) {
    const stage = await stageAfter(request, hash, word);
    if (stage === request.stage) break;
    if (stage) return storing(payee, tills.changed(payee.till, { ...request, stage }));
  }
  return [payee, []];
}

/** @param {Request} request @param {Bytes} hash @param {import("./effects.js").OutcomeWord} word @returns {Promise<Stage | null>} null: it is about another */
async function stageAfter({ stage, void: off, pay }, hash, word) {
  if (stage === "void_signed" && sameBytes((await parse("void", off)).hash, hash)) return "voided";
  const isOpen = TO_UPLOAD.has(stage) || stage === "partial"; // what is left open of a part may still come
  return isOpen && sameBytes((await readHead(pay)).hash, hash) ? (AFTER[word] ?? stage) : null;
}

/** @param {Payee} payee @param {number} now @returns {Promise<Step>} */
async function synced(payee, now) {
  const known = atServer(payee.known, now);
  const [next, effects] = storing({ ...payee, known }, tills.tidied(payee.till, known.now));
  return [next, [...effects, ...(await uploads(next.till))]];
}

/** Go on from what was stored. What was not signed yet is forgotten, but an accepted PAY. @param {Payee} payee @param {number} now @returns {Promise<Step>} */
async function restarted(payee, now) {
  const till = payee.till.requests.reduce(unanswered, payee.till);
  const next = { ...payee, known: atClock(payee.known, now), till, storing: null };
  const unsigned = till.requests.filter(({ stage }) => stage === "verified");
  const signatures = await Promise.all(unsigned.map((request) => signing(next, request)));
  return [next, [...signatures, ...(await uploads(till))]];
}
