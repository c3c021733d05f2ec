// Signed messages: COSE_Sign1 (RFC 9052) with ES256, tagged. What a message is for is signed along as a domain, so
// that no signature of one kind can stand under another.
import { NONE, decode, demand, encode, join, sameBytes } from "./cbor.js";
import { verify } from "./p256.js";
/** @typedef {import("./cbor.js").Bytes} Bytes */
/** @typedef {import("./cbor.js").Item} Item */
/** @typedef {Map<number, Item>} Payload by the numbers of the protocol; key 0 is the kind's */
/** @typedef {typeof KINDS[number]} Kind */
/** @typedef {{ toSign: Bytes, hash: Bytes, withSignature: (signature: Bytes) => Bytes }} Unsealed hash: known before it is signed */
/**
 * @typedef {object} Sealed a message taken apart, of which nothing is verified yet
 * @property {Bytes} raw all of it
 * @property {Kind} kind
 * @property {Bytes} kid the first 4 bytes of the signing key's SHA-256; empty where a pass names the signer
 * @property {Bytes} signature
 * @property {Bytes} signed what the signature is over
 * @property {Bytes} hash SHA-256 of `signed`: it names the content, whatever the signature's own randomness was
 */

/** In the order of their numbers, which begin with 1. */
export const KINDS = /** @type {const} */ (["pass", "invite", "pay", "receipt", "void", "close", "keys", "revocations"]);

export const TAG = 0xd2;
const ES256 = new Uint8Array([0xa1, 1, 0x26]);
const ES256_KID = [0xa2, 1, 0x26, 4, 0x44];
const KID = 4;
const SIGNATURE = 64;
/** @type {ReadonlySet<Kind>} */
const BY_ISSUER = new Set(["pass", "keys", "revocations"]);

/** @param {Bytes} data */
export const sha256 = async (data) => new Uint8Array(await crypto.subtle.digest("SHA-256", data));

/** @param {Bytes} key @returns {Promise<Bytes>} its short name: which to try, no proof of anything */
export const kidOf = async (key) => (await sha256(key)).slice(0, KID);

/** @param {Kind} kind @param {Bytes} header @param {Bytes} payload @returns {Bytes} the Sig_structure */
const signedOf = (kind, header, payload) =>
  encode(["Signature1", header, new TextEncoder().encode(`tikiwallet/offline/1/${kind}`), payload]);

/** @param {Kind} kind @param {Payload} payload @returns {Promise<Unsealed>} throws Malformed */
export async function prepare(kind, payload) {
  demand(!BY_ISSUER.has(kind), "kind"); // no device signs these
  const body = encode(payload);
  const toSign = signedOf(kind, ES256, body);
  return {
    toSign,
    hash: await sha256(toSign),
    withSignature(signature) {
      demand(signature.length === SIGNATURE, "signature");
      return join([TAG], encode([ES256, new Map(), body, signature]));
    },
  };
}

/** @param {Bytes} raw @returns {Promise<Sealed & { payload: Payload }>} throws Malformed */
export async function open(raw) {
  demand(raw[0] === TAG, "tag");
  const parts = decode(raw.slice(1));
  demand(Array.isArray(parts) && parts.length === 4, "parts");
  const [header, unprotected, body, signature] = parts;
  demand(unprotected instanceof Map && unprotected.size === 0, "header");
  demand(header instanceof Uint8Array && body instanceof Uint8Array, "parts");
  demand(signature instanceof Uint8Array && signature.length === SIGNATURE, "signature");
  const payload = decode(body);
  demand(payload instanceof Map, "payload");
  const kind = KINDS[Number(payload.get(0)) - 1];
  demand(kind !== undefined && typeof payload.get(0) === "number", "kind");
  const signed = signedOf(kind, header, body);
  return { raw, kind, payload, kid: readKid(header, kind), signature, signed, hash: await sha256(signed) };
}

/** Both headers there are have one encoding each, so they are compared. @param {Bytes} header @param {Kind} kind */
function readKid(header, kind) {
  if (!BY_ISSUER.has(kind)) {
    demand(sameBytes(header, ES256), "header");
    return NONE;
  }
  const start = ES256_KID.length;
  demand(header.length === start + KID && sameBytes(header.subarray(0, start), ES256_KID), "header");
  return header.slice(start);
}

/** @param {{ signature: Bytes, signed: Bytes }} sealed @param {Bytes} key 33 bytes @returns {Promise<boolean>} */
export const isSignedBy = ({ signature, signed }, key) => verify(key, signature, signed);
