// What a device knows of the issuer and of the time, without a network. Pure. Its time is the largest of its clock,
// the last time an issuer signed and the latest it has seen: turning the clock back brings no expired pass back. Only
// the server itself sets it back.
import { sameBytes } from "./cbor.js";
import { REVOKED_MAX, parse } from "./messages.js";
import { Trust } from "./trust.js";
/** @typedef {import("./cbor.js").Bytes} Bytes */
/** @template {import("./cose.js").Kind} K @typedef {import("./messages.js").Message<K>} Message */
/**
 * @typedef {object} Known times are seconds since 1970
 * @property {Bytes} root the pinned key
 * @property {Bytes} keys the newest KEYS
 * @property {Bytes[]} lists REVOCATIONS, a whole list and what followed it, the newest of them, kept to be handed on
 * @property {number} epoch of the lists
 * @property {number} listedAt all that was revoked until then is in them
 * @property {Bytes[]} revoked ids of passes, sorted: what the lists come to
 * @property {number} signedAt
 * @property {number} now
 */

const LISTS_MAX = 6;

/** @param {Known} known @param {number} clock what it shows @returns {Known} */
export const atClock = (known, clock) => ({ ...known, now: Math.max(known.now, clock) });

/** @param {Known} known @param {number} clock the server's: one here that ran ahead is forgotten @returns {Known} */
export const atServer = (known, clock) => ({ ...known, now: Math.max(known.signedAt, clock) });

/** @param {Known} known @param {number} time of an issuer's signature: it is at least that late @returns {Known} */
export const atSignature = (known, time) => ({
  ...known,
  now: Math.max(known.now, time),
  signedAt: Math.max(known.signedAt, time),
});

/** @type {{ of: Bytes[], trust: Promise<Trust> } | null} pure: the same root and keys trust the same */
let last = null;

/** @param {Known} known @returns {Promise<Trust>} */
function trustOf({ root, keys }) {
  if (!last || !sameBytes(last.of[0] ?? [], root) || !sameBytes(last.of[1] ?? [], keys)) {
    last = { of: [root, keys], trust: parse("keys", keys).then((message) => Trust.begin(root, message)) };
  }
  return last.trust;
}

/** @param {Known} known @param {Message<"pass" | "revocations">} message whether a key signed it that the root vouches for */
export const hasIssued = async (known, message) => (await trustOf(known)).hasIssued(message);

/** @param {Known} known @param {Message<"pass">} pass */
export const hasRevoked = ({ revoked }, { id }) => revoked.some((one) => sameBytes(one, id));

/**
 * @param {Known} known @param {Message<"keys" | "revocations">} message
 * @returns {Promise<Known>} with newer keys or a newer list; the same when it is not newer, not the issuer's, or leaves
 * a gap after the list that is known
 */
export const learn = (known, message) => (message.kind === "keys" ? withKeys(known, message) : withList(known, message));

/** @param {Known} known @param {Message<"keys">} message @returns {Promise<Known>} */
async function withKeys(known, message) {
  const trust = await Trust.begin(known.root, await parse("keys", known.keys));
  return (await trust.learn(message)) ? atSignature({ ...known, keys: message.raw }, message.time) : known;
}

/** @param {Known} known @param {Message<"revocations">} news @returns {Promise<Known>} */
async function withList(known, news) {
  const { epoch, since, time, passes } = news;
  // A full list may go on in another, so it does not say what was revoked up to its time.
  const isWhole = passes.length < REVOKED_MAX;
  const isFresher = isWhole && time > known.listedAt;
  const isNewer = epoch > known.epoch || (epoch === known.epoch && isFresher);
  // The service was restored from a backup, and counts anew.
  const isSetBack = epoch < known.epoch && since === 0 && isFresher;
  if (!(isNewer || isSetBack) || time < known.listedAt || since > known.epoch) return known;
  if (!(await hasIssued(known, news))) return known;
  const ids = since || isSetBack ? [...known.revoked, ...passes] : passes;
  const revoked = [...new Map(ids.map((id) => [String(id), id])).values()].sort(compare);
  const earlier = await Promise.all(known.lists.map((one) => parse("revocations", one)));
  const lists = [...earlier.filter((one) => one.since < since).map(({ raw }) => raw), news.raw].slice(-LISTS_MAX);
  return atSignature({ ...known, epoch, listedAt: isWhole ? time : known.listedAt, lists, revoked }, time);
}

/** @param {Bytes} one @param {Bytes} other of the same length */
function compare(one, other) {
  const at = one.findIndex((byte, i) => byte !== other[i]);
  return at < 0 ? 0 : Number(one[at]) - Number(other[at]);
}
