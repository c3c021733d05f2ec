// What a payee's device remembers: its requests, and the payments the shop has taken. Pure.
import { NONE, sameBytes } from "./cbor.js";
/** @typedef {import("./cbor.js").Bytes} Bytes */
/**
 * Where a request is, for its payee; `asking` waits for the INVITE's signature.
 * @typedef {"asking" | "inviting" | "verified" | "accepted" | "receipt_sent" | "uploaded" | "credited" | "partial" | "rejected"
 *   | "void_signed" | "voided"} Stage
 */
/**
 * @typedef {object} Request messages are empty until they are signed
 * @property {Bytes} id
 * @property {string} phone the payer's number as the payee typed it
 * @property {number} amount
 * @property {string} memo
 * @property {number} madeAt
 * @property {Stage} stage
 * @property {Bytes} hash of the INVITE
 * @property {number} answeredAt when the PAY was accepted, or, with no PAY, when the request was called off
 * @property {Bytes} invite
 * @property {Bytes} pay as it came: with what it passes on
 * @property {Bytes} receipt
 * @property {Bytes} void
 */
/**
 * @typedef {object} Taken a payment that this device or another of the shop accepted
 * @property {Bytes} payer id of the pass
 * @property {number} sequence
 * @property {Bytes} previous
 * @property {Bytes} hash
 * @property {number} amount
 * @property {number} cumulative
 * @property {number} until the pass's expiry
 */
/** @typedef {{ own: Bytes, requests: Request[], taken: Taken[] }} Till own: the PASS that new requests are made with */

const KEPT = 30 * 86_400; // seconds; what the server may ask for again after a restored backup
/** @type {ReadonlySet<Stage>} */
const GOES = new Set(["inviting", "credited", "partial", "rejected", "voided"]);

/** @param {Bytes} own a pass @returns {Till} */
export const tillOf = (own) => ({ own, requests: [], taken: [] });

/** @param {Pick<Request, "id" | "phone" | "amount" | "memo" | "madeAt">} asked @returns {Request} */
export const requestOf = (asked) => ({
  ...asked,
  stage: "asking",
  hash: NONE,
  answeredAt: 0,
  invite: NONE,
  pay: NONE,
  receipt: NONE,
  void: NONE,
});

/** @param {import("./messages.js").Message<"pay">} pay @returns {Taken} */
export const takenOf = ({ payer, sequence, previous, hash, amount, cumulative }) => ({
  payer: payer.id,
  sequence,
  previous,
  hash,
  amount,
  cumulative,
  until: payer.expiry,
});

/** @param {Till} till @param {Bytes} id */
export const findRequest = ({ requests }, id) => requests.find((one) => sameBytes(one.id, id));

/** @param {Till} till @param {Bytes} hash of its INVITE */
export const askedWith = ({ requests }, hash) => requests.find((one) => sameBytes(one.hash, hash));

/** @param {Till} till @param {Request} request one more @returns {Till} */
export const withRequest = (till, request) => ({ ...till, requests: [...till.requests, request] });

/** @param {Till} till @param {Request} request one that was never signed @returns {Till} */
export const without = (till, { id }) => ({
  ...till,
  requests: till.requests.filter((one) => !sameBytes(one.id, id)),
});

/** @param {Till} till @param {Request} request in place of the one with its id @returns {Till} */
export const changed = (till, request) => ({
  ...till,
  requests: till.requests.map((one) => (sameBytes(one.id, request.id) ? request : one)),
});

/** @param {Till} till @param {Taken} taken @returns {Till} with one more payment seen; the same when it was seen before */
export const taking = (till, taken) =>
  till.taken.some((one) => isSame(one, taken)) ? till : { ...till, taken: [...till.taken, taken] };

/** @param {Taken} one @param {Taken} other */
const isSame = (one, other) =>
  /** @type {(keyof Taken)[]} */ (Object.keys(one)).every((name) => String(one[name]) === String(other[name]));

/**
 * @param {Till} till @param {number} now
 * @returns {Till} without what no message can concern any more: payments of expired passes, and old requests that are
 * finished or that nobody paid
 */
export const tidied = (till, now) => ({
  ...till,
  requests: till.requests.filter((one) => !GOES.has(one.stage) || one.madeAt + KEPT > now),
  taken: till.taken.filter((one) => one.until > now),
});
