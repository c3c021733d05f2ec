// The payer's side of an exchange: one machine for each pass, for as long as its payments matter. Pure.
//
// `idle → review → confirmed → signed* → sent → receipted → settled | voided | returned | conflict`, and `idle → closing →
// idle` for the CLOSE. A PAY is signed once for one request and stays in the purse; whatever happens then, the same bytes
// are sent again.
import { Malformed, NONE, sameBytes } from "./cbor.js";
import { readLink } from "./chain.js";
import { checkInvite, checkNumber, checkOwn } from "./checks.js";
import { isSignedBy } from "./cose.js";
import { OutOfTurn, STORE, item, itemsOf, refused, send, show, upload } from "./effects.js";
import { atClock, atServer, atSignature, hasIssued, learn } from "./known.js";
import { parse, read, unsealed } from "./messages.js";
import * as purses from "./purse.js";
/** @typedef {import("./cbor.js").Bytes} Bytes */
/** @typedef {import("./effects.js").Effect} Effect */
/** @typedef {import("./effects.js").Event | import("./effects.js").PayerEvent} Event */
/** @template {Event["type"]} T @typedef {Extract<Event, { type: T }>} EventOf */
/** @template {import("./cose.js").Kind} K @typedef {import("./messages.js").Message<K>} Message */
/** @typedef {import("./purse.js").Payment} Payment */
/** @typedef {import("./purse.js").Stage} Stage */
/**
 * @typedef {object} Offer the INVITE on the screen
 * @property {Bytes} invite
 * @property {number} receivedAt
 * @property {boolean} matched whether its payee's number was typed
 * @property {number} confirmedAt 0: not yet
 */
/**
 * @typedef {object} Payer
 * @property {import("./known.js").Known} known
 * @property {import("./purse.js").Purse} purse
 * @property {Stage} front before a payment is signed
 * @property {Offer | null} offer
 * @property {Bytes} atHand hash of the signed payment on the screen
 * @property {number} closingAt when the person chose to close
 * @property {Bytes | null} storing hash of the message that a `store` under way is about; empty for one about none
 */
/** @typedef {[Payer, Effect[]]} Step */

/** @type {ReadonlySet<Stage>} */
const UNFINISHED = new Set(["confirmed", "closing", "signed", "sent"]);
/** @type {ReadonlySet<Stage>} */
const OPEN = new Set(["signed", "sent", "receipted"]);
/** @type {Partial<Record<import("./effects.js").OutcomeWord, Stage>>} */
const AFTER = {
  credited: "settled",
  partial: "settled",
  voided: "voided",
  returned: "returned",
  rejected: "returned",
  conflict: "conflict",
};
/** Of a payment to this pass: who passes it on would stand for what it lacks. @type {ReadonlySet<string>} */
const WORTH_LESS = new Set(["partial", "voided", "returned", "rejected"]);
/** @type {Partial<Record<Stage, import("./effects.js").View>>} */
const VIEWS = {
  receipted: "accepted",
  voided: "voided",
  settled: "settled",
  returned: "returned",
  conflict: "conflict",
};

/** @param {import("./known.js").Known} known @param {import("./messages.js").Pass} own @returns {Payer} with a new pass */
export const payerOf = (known, own) => ({
  known,
  purse: purses.purseOf(own),
  front: "idle",
  offer: null,
  atHand: NONE,
  closingAt: 0,
  storing: null,
});

/** @param {Payer} payer @returns {Stage} where the payment on the screen is */
export const stageOf = ({ purse, atHand, front }) => purses.paymentOf(purse, atHand)?.stage ?? front;

/** @param {Payer} payer @param {Event} event @returns {Promise<Step>} throws OutOfTurn between `store` and its answer */
export async function step(payer, event) {
  if (event.type === "restarted") return restarted(payer, event);
  if ((payer.storing !== null) !== (event.type === "stored")) throw new OutOfTurn(event.type);
  const next = { ...payer, known: atClock(payer.known, event.now) };
  switch (event.type) {
    case "received":
      return received(next, event.data);
    case "signed":
      return signed(next, event);
    case "declined":
      return (await isAbout(next, event.hash)) ? keyFailed(next) : [next, []];
    case "stored":
      return stored(next);
    case "outcome":
      return outcome(next, event);
    case "synced":
      return synced(next, event);
    case "typed":
      return typed(next, event.phone);
    case "confirmed":
      return confirmed(next);
    case "setAside":
      return setAside(next);
    case "closing":
      return closing(next);
    case "gained":
      return gained(next, event.chain);
    case "tick":
      return [next, []];
    default:
      throw new OutOfTurn(/** @type {Event} */ (event).type);
  }
}

/** @param {Payer} payer @param {Bytes} [what] @returns {Step} */
const storing = (payer, what = NONE) => [{ ...payer, storing: what }, [STORE]];

/** @param {Payer} payer @returns {Payer} with nothing on its way to a signature */
const idle = (payer) => ({ ...payer, front: "idle", offer: null });

/** @param {Payer} payer @param {Bytes} data @returns {Promise<Step>} */
async function received(payer, data) {
  const message = await readable(data, read);
  if (!message) return refused(payer, "unreadable");
  switch (message.kind) {
    case "invite":
      return invited(payer, message);
    case "receipt":
      return receipted(payer, message);
    case "void":
      return voided(payer, message);
    case "keys":
    case "revocations": {
      const known = await learn(payer.known, message);
      return known === payer.known ? [payer, []] : storing({ ...payer, known });
    }
    default:
      return refused(payer, "not_expected");
  }
}

/** @template T @param {Bytes} data @param {(data: Bytes) => Promise<T>} as @returns {Promise<T | null>} null when it is malformed */
export async function readable(data, as) {
  try {
    return await as(data);
  } catch (error) {
    if (error instanceof Malformed) return null;
    throw error;
  }
}

/** @param {Payer} payer @param {Message<"invite">} invite @returns {Promise<Step>} */
async function invited(payer, invite) {
  const payment = purses.answerTo(payer.purse, invite.requestId);
  if (payment) return invitedAgain(payer, payment, invite);
  if (UNFINISHED.has(stageOf(payer))) return refused(payer, "unfinished");
  if (payer.offer && sameBytes(payer.offer.invite, invite.raw)) return [payer, [review(payer.offer)]];
  if (await hasIssued(payer.known, invite.payee)) {
    payer = { ...payer, known: atSignature(payer.known, invite.payee.notBefore) };
  }
  const refusal = await checkInvite(payer.known, payer.purse, invite);
  if (refusal) return refused(payer, refusal);
  const offer = { invite: invite.raw, receivedAt: payer.known.now, matched: false, confirmedAt: 0 };
  return [{ ...payer, front: "review", offer, atHand: NONE }, [review(offer)]];
}

/** Never sign twice for one request. @param {Payer} payer @param {Payment} payment @param {Message<"invite">} invite @returns {Promise<Step>} */
async function invitedAgain(payer, payment, invite) {
  if (!sameBytes((await parse("invite", payment.invite)).hash, invite.hash)) return refused(payer, "request_changed");
  if (["confirmed", "closing"].includes(stageOf(payer))) return refused(payer, "unfinished");
  if (payment.stage === "voided") return refused(payer, "cancelled");
  return [{ ...idle(payer), atHand: payment.hash }, [await sending(payer, payment), show(viewOf(payment))]];
}

/** @param {Payer} payer @param {string} phone @returns {Promise<Step>} */
async function typed(payer, phone) {
  if (stageOf(payer) !== "review" || !payer.offer) return [payer, []];
  const refusal = await checkNumber((await parse("invite", payer.offer.invite)).payee, phone);
  const offer = { ...payer.offer, matched: refusal === null };
  return refusal ? refused({ ...payer, offer }, refusal) : [{ ...payer, offer }, [review(offer)]];
}

/** @param {Offer} offer */
const review = ({ matched }) => show(matched ? "review" : "type_number");

/** @param {Payer} payer @returns {Promise<Step>} */
async function confirmed(payer) {
  const { offer, known, purse } = payer;
  if (stageOf(payer) !== "review" || !offer?.matched) return [payer, []];
  const invite = await parse("invite", offer.invite);
  const isOld = known.now > offer.receivedAt + invite.life;
  const refusal = (await checkInvite(known, purse, invite)) ?? (isOld ? "invite_old" : null);
  if (refusal) return refused(idle(payer), refusal);
  return signing({ ...payer, front: "confirmed", offer: { ...offer, confirmedAt: known.now } });
}

/** @param {Payer} payer @returns {Promise<import("./cose.js").Unsealed | null>} what is to be signed */
async function draft({ front, offer, purse, closingAt }) {
  if (front === "confirmed" && offer) {
    const invite = await parse("invite", offer.invite);
    return unsealed("pay", await purses.draftOf(purse, invite, offer.confirmedAt));
  }
  return front === "closing" ? unsealed("close", await purses.draftOfClose(purse, closingAt)) : null;
}

/** @param {Payer} payer @param {Bytes} hash whether the draft has it */
async function isAbout(payer, hash) {
  const made = await draft(payer);
  return made !== null && sameBytes(made.hash, hash);
}

/** @param {Payer} payer @returns {Promise<Step>} */
async function signing(payer) {
  const { hash, toSign } = /** @type {import("./cose.js").Unsealed} */ (await draft(payer));
  const { key } = await purses.holderOf(payer.purse);
  return [payer, [{ type: "sign", hash, toSign, key }]];
}

/** @param {Payer} payer @param {EventOf<"signed">} event @returns {Promise<Step>} */
async function signed(payer, { hash, signature }) {
  const made = await draft(payer);
  if (!made || !sameBytes(made.hash, hash)) return [payer, []];
  const { key } = await purses.holderOf(payer.purse);
  if (!(await isSignedBy({ signature, signed: made.toSign }, key))) return keyFailed(payer);
  const message = await read(made.withSignature(signature));
  const refusal = await checkOwn(payer.known, payer.purse);
  if (refusal) return refused(idle(payer), refusal);
  if (message.kind === "close") return storing({ ...idle(payer), purse: await purses.closed(payer.purse, message) }, hash);
  const { invite } = /** @type {Offer} */ (payer.offer);
  const pay = /** @type {Message<"pay">} */ (message);
  const purse = await purses.withPayment(payer.purse, pay, await parse("invite", invite));
  return storing({ ...idle(payer), purse, atHand: hash }, hash);
}

/** @param {Payer} payer @returns {Step} */
const keyFailed = (payer) =>
  refused({ ...payer, front: payer.front === "confirmed" ? "review" : "idle" }, "key_failed");

/** @param {Payer} payer @returns {Promise<Step>} */
async function stored({ storing: about, ...rest }) {
  const hash = about ?? NONE;
  const payer = { ...rest, storing: null };
  const { close } = payer.purse;
  const payment = purses.paymentOf(payer.purse, hash);
  if (!payment) return hash.length && close.length ? [payer, [show("closed"), ...upload([item({ close })])]] : [payer, []];
  if (payment.stage === "signed") return sent(payer, payment);
  const shown = sameBytes(hash, payer.atHand) ? [show(viewOf(payment))] : [];
  const isReplied = payment.stage === "receipted" || payment.void.length > 0;
  return [payer, isReplied ? [...shown, ...upload(await itemsFor(payer, payment))] : shown];
}

/** @param {Payer} payer @param {Payment} payment @returns {Promise<Step>} */
async function sent(payer, payment) {
  const purse = purses.changed(payer.purse, { ...payment, stage: "sent" });
  return [{ ...payer, purse }, [await sending(payer, payment), show("sending")]];
}

/** @param {Payer} payer @param {Payment} payment @returns {Promise<Effect>} with what it passes on */
const sending = async ({ purse }, payment) => send(await purses.asSent(purse, payment));

/** @param {Payer} payer @param {Message<"receipt">} receipt @returns {Promise<Step>} */
async function receipted(payer, receipt) {
  const payment = purses.paymentOf(payer.purse, receipt.payHash);
  if (!payment) return refused(payer, "not_expected");
  const { payee } = await parse("invite", payment.invite);
  if (!(await isSignedBy(receipt, payee.key))) return refused(payer, "bad_signature");
  return replied(payer, { ...payment, stage: "receipted", receipt: receipt.raw });
}

/** @param {Payer} payer @param {Message<"void">} message @returns {Promise<Step>} */
async function voided(payer, message) {
  const payment = purses.answerTo(payer.purse, message.requestId);
  if (!payment) return calledOff(payer, message);
  const { payee } = await parse("invite", payment.invite);
  const isPayees = sameBytes(message.payeePass, payee.id) && (await isSignedBy(message, payee.key));
  return isPayees ? replied(payer, { ...payment, stage: "voided", void: message.raw }) : refused(payer, "bad_signature");
}

/** Nothing was signed for this request; at most it is on the screen. @param {Payer} payer @param {Message<"void">} message @returns {Promise<Step>} */
async function calledOff(payer, message) {
  if (!payer.offer) return refused(payer, "not_expected");
  const { requestId, payee } = await parse("invite", payer.offer.invite);
  const isThis = sameBytes(message.requestId, requestId) && sameBytes(message.payeePass, payee.id);
  if (!isThis) return refused(payer, "not_expected");
  return (await isSignedBy(message, payee.key)) ? refused(idle(payer), "cancelled") : refused(payer, "bad_signature");
}

/** The first word stands; what contradicts it is the payee's own fork. @param {Payer} payer @param {Payment} payment @returns {Step} */
function replied(payer, payment) {
  const earlier = purses.paymentOf(payer.purse, payment.hash);
  if (earlier?.stage !== "signed" && earlier?.stage !== "sent") return [payer, []];
  return storing({ ...payer, purse: purses.changed(payer.purse, payment) }, payment.hash);
}

/** @param {Payer} payer @returns {Promise<Step>} */
async function setAside(payer) {
  const payment = purses.paymentOf(payer.purse, payer.atHand);
  const isOpen = payment !== undefined && OPEN.has(payment.stage);
  return [{ ...idle(payer), atHand: NONE }, isOpen ? upload(await itemsFor(payer, payment)) : []];
}

/** @param {Payer} payer @returns {Promise<Step>} */
async function closing(payer) {
  if (UNFINISHED.has(stageOf(payer))) return refused(payer, "unfinished");
  const refusal = await checkOwn(payer.known, payer.purse);
  if (refusal) return refused(payer, refusal);
  return signing({ ...payer, front: "closing", offer: null, atHand: NONE, closingAt: payer.known.now });
}

/** @param {Payer} payer @param {Bytes} chain @returns {Promise<Step>} */
async function gained(payer, chain) {
  const link = await readable(chain, readLink);
  const purse = link ? await purses.gaining(payer.purse, link) : payer.purse;
  return purse === payer.purse ? [payer, []] : storing({ ...payer, purse });
}

/** The hash is that of the PAY, the VOID or the CLOSE, or of a received payment. @param {Payer} payer @param {EventOf<"outcome">} event @returns {Promise<Step>} */
async function outcome(payer, { hash, outcome: word }) {
  const payment = purses.paymentOf(payer.purse, hash);
  const stage = AFTER[word];
  if (!payment) return WORTH_LESS.has(word) ? lost(payer, hash) : taken(payer, hash);
  if (!stage || payment.stage === stage) return [payer, []];
  const purse = purses.changed(payer.purse, { ...payment, stage });
  return storing({ ...payer, purse: stage === "conflict" ? purses.lost(purse) : purse }, hash);
}

/** A received payment is passed on no more; a PAY that waits for its signature might name it. @param {Payer} payer @param {Bytes} hash @returns {Promise<Step>} */
async function lost(payer, hash) {
  const purse = await purses.losing(payer.purse, hash);
  if (purse === payer.purse) return taken(payer, hash);
  return storing({ ...payer, purse, front: payer.front === "confirmed" ? "review" : payer.front });
}

/** @param {Payer} payer @param {Bytes} hash of the VOID or CLOSE that the server has @returns {Promise<Step>} */
async function taken(payer, hash) {
  const { purse } = payer;
  if (isCloseUnknown(purse) && sameBytes((await parse("close", purse.close)).hash, hash)) {
    return storing({ ...payer, purse: { ...purse, closeKnown: true } });
  }
  for (const one of purse.payments.filter(isVoidUnknown)) {
    if (!sameBytes((await parse("void", one.void)).hash, hash)) continue;
    return storing({ ...payer, purse: purses.changed(purse, { ...one, voidKnown: true }) });
  }
  return [payer, []];
}

/** @param {Payer} payer @param {EventOf<"synced">} event @returns {Promise<Step>} */
async function synced(payer, { now, sequence, hash, cumulative, ended }) {
  const purse = sequence ? await purses.synced(payer.purse, { sequence, hash, cumulative }, ended) : payer.purse;
  const next = purse === payer.purse ? payer : { ...idle(payer), purse };
  const [waiting, effects] = storing({ ...next, known: atServer(next.known, now) });
  return [waiting, [...effects, ...(await uploads(waiting))]];
}

/**
 * Go on from what was stored. What was not signed yet is forgotten; a doubt is written down.
 * @param {Payer} payer @param {EventOf<"restarted">} event @returns {Promise<Step>}
 */
async function restarted(payer, { now, sequenceSeen }) {
  const purse = purses.restarted(payer.purse, sequenceSeen);
  const isDoubted = purse !== payer.purse;
  const again = idle({ ...payer, known: atClock(payer.known, now), purse, storing: isDoubted ? NONE : null });
  const first = isDoubted ? [STORE] : [];
  const all = await uploads(again);
  const payment = purses.paymentOf(purse, again.atHand);
  if (payment?.stage === "signed" || payment?.stage === "sent") {
    const [next, effects] = await sent(again, payment);
    return [next, [...first, ...effects, ...all]];
  }
  return [again, purse.doubt === "none" ? [...first, ...all] : [...first, show("sync_first"), ...all]];
}

/** @param {Payer} payer @returns {Promise<Effect[]>} all that the server may not know yet */
async function uploads(payer) {
  const { purse } = payer;
  const unknown = purse.payments.filter((one) => OPEN.has(one.stage) || isVoidUnknown(one));
  const items = (await Promise.all(unknown.map((one) => itemsFor(payer, one)))).flat();
  return upload(isCloseUnknown(purse) ? [...items, item({ close: purse.close })] : items);
}

/** @param {import("./purse.js").Purse} purse */
const isCloseUnknown = ({ close, closeKnown }) => close.length > 0 && !closeKnown;

/** @param {Payment} payment */
const isVoidUnknown = (payment) => payment.void.length > 0 && !payment.voidKnown;

/** @param {Payer} payer @param {Payment} payment */
const itemsFor = async ({ purse }, payment) => itemsOf({ ...payment, pay: await purses.asSent(purse, payment) });

/** @param {Payment} payment */
const viewOf = ({ stage }) => VIEWS[stage] ?? "sending";
