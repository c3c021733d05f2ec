// What a payer and a payee check before they sign or accept, without a network. Pure. Each check gives a refusal, or null
// when there is nothing against it. The order is the order in which a person should hear of things: first what concerns
// this device, then whose message it is.
import { Malformed, sameBytes } from "./cbor.js";
import { coverOf, linksOf, paysOf } from "./chain.js";
import { isSignedBy } from "./cose.js";
import { hasIssued, hasRevoked } from "./known.js";
import { isOf, parse } from "./messages.js";
import { holderOf, leftOf, sourcesFor } from "./purse.js";
import { findRequest, takenOf } from "./till.js";
/** @typedef {import("./chain.js").Chain} Chain */
/** @typedef {import("./chain.js").Link} Link */
/** @typedef {import("./known.js").Known} Known */
/** @typedef {import("./messages.js").Pass} Pass */
/** @template {import("./cose.js").Kind} K @typedef {import("./messages.js").Message<K>} Message */
/** @typedef {import("./purse.js").Purse} Purse */
/** @typedef {import("./refusals.js").Refusal} Refusal */
/** @typedef {import("./till.js").Request} Request */
/** @typedef {import("./till.js").Taken} Taken */
/** @typedef {import("./till.js").Till} Till */

const LIST_OLDEST = 96 * 3_600; // seconds; also how long a pass lives
// A request's life is counted on the payer's own clock. Two clocks may differ by this much before it counts as old at
// first sight; that it is fresh for its payee follows from its random id.
const CLOCKS_APART = 24 * 3_600;

/** @param {Known} known @param {Purse} purse @returns {Promise<Refusal | null>} may this device sign with its pass at all? */
export async function checkOwn(known, purse) {
  const own = await holderOf(purse);
  if (purse.doubt === "lost") return "pass_lost";
  if (purse.doubt === "behind") return "sync_first";
  if (purse.close.length) return "own_closed";
  if (known.now >= own.expiry) return "own_expired";
  return hasRevoked(known, own) ? "own_revoked" : null;
}

/** @param {Known} known @param {Purse} purse @param {Message<"invite">} invite @returns {Promise<Refusal | null>} may it pay this? */
export async function checkInvite(known, purse, invite) {
  const own = await holderOf(purse);
  const { amount, currency, payee } = invite;
  const refusal = (await checkOwn(known, purse)) ?? (await checkSigned(known, invite, payee));
  if (refusal) return refusal;
  if (known.now > invite.madeAt + invite.life + CLOCKS_APART) return "invite_old";
  if (own.currency !== currency || payee.currency !== currency) return "wrong_currency";
  if (sameBytes(own.key, payee.key)) return "self";
  if (isLockedAway(own, payee)) return "other_payee";
  if (amount > own.limits.mostPerPayment) return "over_limit";
  if (purse.tip.sequence - own.startSequence + 1 >= own.limits.payments) return "too_many";
  // The payee would refuse a source whose payer's pass holds no more, when the PAY is signed already.
  const sources = linksOf(await sourcesFor(purse, amount));
  const isOver = sources.some(({ pay }) => checkHolds(known, pay.payer));
  return isOver || amount > (await leftOf(purse)) ? "not_enough" : null;
}

/** @param {Pass} holder @param {string} phone @returns {Promise<Refusal | null>} does the pass belong to who has this number? */
export async function checkNumber(holder, phone) {
  try {
    return (await isOf(holder, phone)) ? null : "wrong_number";
  } catch (error) {
    if (error instanceof Malformed) return "number_form";
    throw error;
  }
}

/** @param {Known} known @param {Till} till @param {Request} request @returns {Promise<Refusal | null>} may this device ask for it? */
export async function checkAsk(known, till, request) {
  const own = await holderOf(till);
  if (known.now >= own.expiry) return "own_expired";
  if (hasRevoked(known, own)) return "own_revoked";
  if (findRequest(till, request.id)) return "asked_already";
  return (await checkNumber(own, request.phone)) === "number_form" ? "number_form" : null;
}

/**
 * @param {Known} known @param {Till} till @param {Request | undefined} request its own, which the PAY answers
 * @param {Chain} chain @returns {Promise<Refusal | null>} may this device accept it?
 */
export async function checkPay(known, till, request, chain) {
  const { pay } = chain;
  const refusal = await checkSigned(known, pay, pay.payer);
  if (refusal) return refusal;
  if (known.now - known.listedAt > LIST_OLDEST) return "stale_list";
  if (!request) return "not_my_request";
  return (
    checkAsked(await parse("invite", request.invite), pay) ??
    (await checkNumber(pay.payer, request.phone)) ??
    checkLimits(chain) ??
    checkBeginning(pay) ??
    (await checkLinks(known, linksOf(chain.sources))) ??
    checkSeen(till, chain)
  );
}

/** @param {Known} known @param {Message<"invite" | "pay">} message @param {Pass} holder @returns {Promise<Refusal | null>} */
async function checkSigned(known, message, holder) {
  if (!(await hasIssued(known, holder))) return "unknown_issuer";
  if (!(await isSignedBy(message, holder.key))) return "bad_signature";
  return checkHolds(known, holder);
}

/** @param {Known} known @param {Pass} holder @returns {Refusal | null} */
function checkHolds(known, holder) {
  if (known.now >= holder.expiry) return "expired";
  return hasRevoked(known, holder) ? "revoked" : null;
}

/** @param {Pass} payer @param {Pass} payee */
const isLockedAway = ({ payeeLock }, payee) => payeeLock !== undefined && !sameBytes(payeeLock, payee.pseudonym);

/** @param {Message<"invite">} invite @param {Message<"pay">} pay @returns {Refusal | null} */
function checkAsked({ amount, currency, payee, madeAt }, pay) {
  if (madeAt > pay.payer.expiry) return "expired"; // this device's clock was ahead; the server goes by it
  if (!sameBytes(pay.payeePass, payee.id)) return "wrong_payee";
  if (pay.amount !== amount) return "wrong_amount";
  if (pay.payer.currency !== currency) return "wrong_currency";
  if (sameBytes(pay.payer.key, payee.key)) return "self";
  return isLockedAway(pay.payer, payee) ? "other_payee" : null;
}

/** @param {Chain} chain @returns {Refusal | null} against the pass that paid, and what it passes on */
function checkLimits({ pay: { payer, amount, cumulative, sequence }, sources, hops }) {
  if (hops > 0 && (!payer.amount || hops > payer.limits.hops)) return "passed_on";
  if (amount > payer.limits.mostPerPayment) return "over_limit";
  if (sequence - payer.startSequence >= payer.limits.payments) return "too_many";
  if (cumulative > coverOf(payer, sources)) return "over_pass";
  return sources.map((one) => checkSource(payer, one)).find((refusal) => refusal) ?? null;
}

/** @param {Pass} spender @param {Link} source @returns {Refusal | null} was it paid to the very pass that spends it? */
function checkSource(spender, { pay, invite }) {
  if (!sameBytes(pay.payeePass, spender.id) || !sameBytes(invite.payee.raw, spender.raw)) return "wrong_payee";
  return invite.currency === spender.currency ? null : "wrong_currency";
}

/** @param {Message<"pay">} pay @returns {Refusal | null} against the pass */
function checkBeginning({ payer, sequence, previous, amount, cumulative }) {
  if (sequence < payer.startSequence) return "broken_chain";
  const isFirst = sequence === payer.startSequence;
  return isFirst && !(sameBytes(previous, payer.hash) && cumulative === amount) ? "broken_chain" : null;
}

/** @param {Known} known @param {Link[]} links @returns {Promise<Refusal | null>} all that is passed on, as who took it had to check it */
async function checkLinks(known, links) {
  const answered = new Set();
  for (const link of links) {
    const refusal = await checkLink(known, link);
    if (refusal) return refusal;
    const request = String([link.pay.payeePass, link.invite.requestId]);
    if (answered.has(request)) return "already_paid";
    answered.add(request);
  }
  return null;
}

/** @param {Known} known @param {Link} link @returns {Promise<Refusal | null>} */
async function checkLink(known, link) {
  const { pay, invite } = link;
  const refusal = await checkSigned(known, pay, pay.payer);
  if (refusal) return refusal;
  if (!(await isSignedBy(invite, invite.payee.key))) return "bad_signature";
  return checkAsked(invite, pay) ?? checkLimits(link) ?? checkBeginning(pay);
}

/** @param {Till} till @param {Chain} chain @returns {Refusal | null} its payments against each other, and against all that the shop has seen */
function checkSeen({ taken }, chain) {
  const these = paysOf(chain).map(takenOf);
  const seen = [...taken, ...these];
  return these.some((one) => seen.some((other) => contradict(one, other))) ? "conflict" : null;
}

/** Whether both cannot stand in one chain: neighbours leave no gap between their sums, and no later sum falls short. @param {Taken} one @param {Taken} other */
function contradict(one, other) {
  if (!sameBytes(one.payer, other.payer)) return false;
  if (one.sequence === other.sequence) return !sameBytes(one.hash, other.hash);
  const [earlier, later] = one.sequence < other.sequence ? [one, other] : [other, one];
  const between = later.cumulative - later.amount - earlier.cumulative;
  const isNext = later.sequence - earlier.sequence === 1;
  return isNext ? between !== 0 || !sameBytes(later.previous, earlier.hash) : between < 0;
}
