// What a device knows of the issuer and of the time, without a network. Pure. Its time is the largest of its clock,
// the last time an issuer signed and the latest it has seen: turning the clock back brings no expired pass back. Only
// the server itself sets it back.
import { sameBytes } from "./cbor.js";
import { parse } from "./messages.js";
import { Trust } from "./trust.js";
/** @typedef {import("./cbor.js").Bytes} Bytes */
/** @template {import("./cose.js").Kind} K @typedef {import("./messages.js").Message<K>} Message */
/**
 * @typedef {object} Known times are seconds since 1970
 * @property {Bytes} root the pinned key
 * @property {Bytes} keys the newest KEYS
 * @property {Bytes[]} lists REVOCATIONS, a whole list and what followed it, kept to be handed on
 * @property {number} epoch of the lists
 * @property {number} listedAt
 * @property {Bytes[]} revoked ids of passes, sorted: what the lists come to
 * @property {number} signedAt
 * @property {number} now
 */

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
  const isNewer = epoch > known.epoch || (epoch === known.epoch && time > known.listedAt);
  if (!isNewer || time < known.listedAt || since > known.epoch || !(await hasIssued(known, news))) return known;
  const [lists, revoked] = since === 0 ? [[], []] : [known.lists, known.revoked];
  const fresh = passes.filter((id) => !revoked.some((one) => sameBytes(one, id)));
  const all = { epoch, listedAt: time, lists: [...lists, news.raw], revoked: [...revoked, ...fresh].sort(compare) };
  return atSignature({ ...known, ...all }, time);
}

/** @param {Bytes} one @param {Bytes} other of the same length */
function compare(one, other) {
  const at = one.findIndex((byte, i) => byte !== other[i]);
  return at < 0 ? 0 : Number(one[at]) - Number(other[at]);
}
