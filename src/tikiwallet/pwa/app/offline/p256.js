// ECDSA on the curve P-256 with SHA-256. Keys travel compressed, and of the two signatures that a signer could
// make of one (r, s) and (r, n - s), only the one with the low s counts.
import { demand, join } from "./cbor.js";

/** @typedef {import("./cbor.js").Bytes} Bytes */
/** @typedef {{ public: Bytes, sign: (data: Bytes) => Promise<Bytes> }} Signer public: 33 bytes, compressed */

const CURVE = { name: "ECDSA", namedCurve: "P-256" };
const ALGORITHM = { name: "ECDSA", hash: "SHA-256" };
const P = 0xffffffff00000001000000000000000000000000ffffffffffffffffffffffffn;
const N = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;
const B = 0x5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604bn;
const NUMBER = 32;
const CACHED = 64;

/** @param {Bytes} bytes @returns {bigint} */
const numberOf = (bytes) => bytes.reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n);

/** @param {bigint} number @returns {Bytes} */
const bytesOf = (number) => Uint8Array.from({ length: NUMBER }, (_, i) => Number((number >> BigInt(8 * (31 - i))) & 255n));

/** @param {bigint} base @param {bigint} exponent @returns {bigint} modulo P */
function power(base, exponent) {
  let result = 1n;
  for (let square = base; exponent; exponent >>= 1n, square = (square * square) % P) {
    if (exponent & 1n) result = (result * square) % P;
  }
  return result;
}

/**
 * @param {Bytes} key 33 bytes @returns {Bytes} 65: Safari 26, and Firefox before 146, do not import the short form. Throws
 * Malformed
 */
function decompress(key) {
  const sign = key[0];
  demand(key.length === NUMBER + 1 && (sign === 2 || sign === 3), "key");
  const x = numberOf(key.subarray(1));
  demand(x < P, "key");
  const square = (x * x * x - 3n * x + B) % P; // B is larger than 2: never below 0
  const root = power(square, (P + 1n) / 4n);
  demand((root * root) % P === square, "key");
  const y = (root & 1n) === BigInt(sign & 1) ? root : P - root;
  return join([4], key.subarray(1), bytesOf(y));
}

/** @param {Bytes} point 65 bytes @returns {Bytes} 33 */
const compress = (point) => join([2 + ((point[64] ?? 0) & 1)], point.subarray(1, 33));

/** @type {Map<string, Promise<CryptoKey>>} */
const imported = new Map();

/**
 * @param {Bytes} key @returns {Promise<CryptoKey>} remembered: a device meets few keys, each many times. Throws
 * Malformed for what is no point of the curve
 */
export async function importKey(key) {
  const name = String(key);
  let found = imported.get(name);
  if (!found) {
    if (imported.size >= CACHED) imported.clear();
    found = crypto.subtle.importKey("raw", decompress(key), CURVE, false, ["verify"]);
    imported.set(name, found);
  }
  return found;
}

/**
 * @param {Bytes} key 33 bytes @param {Bytes} signature 64 bytes, r then s @param {Bytes} data
 * @returns {Promise<boolean>} throws Malformed for what is no key
 */
export async function verify(key, signature, data) {
  const open = await importKey(key);
  if (signature.length !== 2 * NUMBER || numberOf(signature.subarray(NUMBER)) > N >> 1n) return false;
  return crypto.subtle.verify(ALGORITHM, open, signature, data);
}

/** @param {CryptoKeyPair} pair @returns {Promise<Signer>} */
export async function signerOf({ publicKey, privateKey }) {
  const point = new Uint8Array(await crypto.subtle.exportKey("raw", publicKey));
  return {
    public: compress(point),
    async sign(data) {
      const signature = new Uint8Array(await crypto.subtle.sign(ALGORITHM, privateKey, data));
      const s = numberOf(signature.subarray(NUMBER));
      return s > N >> 1n ? join(signature.subarray(0, NUMBER), bytesOf(N - s)) : signature;
    },
  };
}

/** @param {boolean} [extractable] only while it is wrapped @returns {Promise<CryptoKeyPair>} */
export const makePair = (extractable = false) => crypto.subtle.generateKey(CURVE, extractable, ["sign", "verify"]);
