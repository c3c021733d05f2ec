// Checks a payment's proof on this device, as docs/audit.md describes it: the server need not be believed.
import { keepNote, readNote } from "../core/preferences.js";

/**
 * @typedef {object} Proof as `/v1/payments/{id}/proof` gives it; bytes are hexadecimal
 * @property {{ n: number, transaction_id: string, amount: number, at: string }} row
 * @property {string} leaf
 * @property {number} index
 * @property {string[]} path
 * @property {{ shard: number, number: number, size: number, at: number | string, epoch: number, root: string,
 *   previous: string, key_id: string, signature: string }} head
 * @property {string} public_key
 */
/**
 * @typedef {object} Findings each true, false, or null where this browser cannot tell
 * @property {boolean} isThisPayment the sealed record is about this payment and amount
 * @property {boolean} isInLog the hashes lead from it to the signed state
 * @property {boolean | null} isSigned
 * @property {boolean} isSameKey signed with the key that this device saw first
 */

const LEAF = "tikiwallet/log-row/1\n";
const HEAD = "tikiwallet/tree-head/1\n";
const text = new TextEncoder();

/** @param {string} hex @returns {Uint8Array<ArrayBuffer>} */
const bytes = (hex) => Uint8Array.from(hex.match(/../g) ?? [], (pair) => parseInt(pair, 16));

/** @param {Uint8Array} data */
const hexOf = (data) => Array.from(data, (one) => one.toString(16).padStart(2, "0")).join("");

/** @param {...(Uint8Array | number[])} parts @returns {Uint8Array<ArrayBuffer>} */
function join(...parts) {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** @param {...(Uint8Array | number[])} parts */
const sha256 = async (...parts) => new Uint8Array(await crypto.subtle.digest("SHA-256", join(...parts)));

/** @param {Proof} proof @returns {Promise<boolean>} RFC 9162, section 2.1.3.2 */
async function leadsToRoot({ leaf, index, path, head }) {
  let hash = await sha256([0], bytes(leaf));
  let position = index;
  let last = head.size - 1;
  if (position < 0 || position > last) return false;
  for (const step of path.map(bytes)) {
    if (last <= 0) return false;
    if (position % 2 === 1 || position === last) {
      hash = await sha256([1], step, hash);
      while (position > 0 && position % 2 === 0) {
        position = Math.floor(position / 2);
        last = Math.floor(last / 2);
      }
    } else {
      hash = await sha256([1], hash, step);
    }
    position = Math.floor(position / 2);
    last = Math.floor(last / 2);
  }
  return last === 0 && hexOf(hash) === head.root;
}

/** @param {Proof} proof @param {string} id @returns {boolean} whether the sealed bytes say what is shown */
function isAbout({ leaf, index, row }, id) {
  const data = bytes(leaf);
  const domain = text.encode(LEAF);
  if (data.length !== domain.length + 136 || domain.some((one, i) => data[i] !== one)) return false;
  const view = new DataView(data.buffer, domain.length);
  const sealed = hexOf(data.subarray(domain.length + 20, domain.length + 36));
  return (
    sealed === id.replaceAll("-", "").toLowerCase() &&
    Number(view.getBigInt64(4)) === row.n &&
    row.n === index + 1 &&
    Number(view.getBigInt64(94)) === row.amount
  );
}

/** @param {Proof} proof @returns {Promise<boolean | null>} */
async function isSigned({ head, public_key }) {
  const key = bytes(public_key);
  if (hexOf(await sha256(key)) !== head.key_id) return false;
  const numbers = new DataView(new ArrayBuffer(34));
  numbers.setInt16(0, head.shard);
  [head.number, head.size, Number(head.at), head.epoch].forEach((value, i) =>
    numbers.setBigInt64(2 + 8 * i, BigInt(value)),
  );
  const signed = join(
    text.encode(HEAD),
    new Uint8Array(numbers.buffer),
    ...[head.root, head.previous, head.key_id].map(bytes),
  );
  try {
    const imported = await crypto.subtle.importKey("raw", key, "Ed25519", false, ["verify"]);
    return await crypto.subtle.verify("Ed25519", imported, bytes(head.signature), signed);
  } catch {
    return null; // a browser without Ed25519
  }
}

/** @param {Proof} proof @param {string} id of the payment @returns {Promise<Findings>} */
export async function checkProof(proof, id) {
  const first = readNote("log-key");
  if (!first) keepNote("log-key", proof.head.key_id);
  return {
    isThisPayment: isAbout(proof, id),
    isInLog: await leadsToRoot(proof),
    isSigned: await isSigned(proof),
    isSameKey: !first || first === proof.head.key_id,
  };
}
