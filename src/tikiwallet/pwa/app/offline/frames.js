// Messages in QR codes: Base45 (RFC 9285), whose letters a QR code packs best. What is too large for one code is
// cut into numbered frames: mark, number from 0, how many, 4 bytes of the whole's SHA-256, chunk.
import { NONE, demand, join, sameBytes } from "./cbor.js";
import { sha256 } from "./cose.js";
/** @typedef {import("./cbor.js").Bytes} Bytes */
/** @typedef {{ index: number, total: number, digest: Bytes, chunk: Bytes }} Frame */

const ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:";
const ONE_CODE = 444; // bytes: version 14, level L
const MARK = 0xf0; // begins no message and no bundle
const HEAD = 7;
const CHUNK = ONE_CODE - HEAD;
const FRAMES_MAX = 32;
/** Bytes that frames can carry together. */
export const WHOLE_MAX = FRAMES_MAX * CHUNK;
const TEXT_MAX = (ONE_CODE / 2) * 3;

/** @param {Bytes} data */
const digestOf = async (data) => (await sha256(data)).slice(0, 4);

/** @param {Bytes} data @returns {string} Base45 */
function write(data) {
  let text = "";
  for (let i = 0; i < data.length; i += 2) {
    const [high = 0, low] = data.subarray(i, i + 2);
    let value = low === undefined ? high : high * 256 + low;
    for (let left = low === undefined ? 2 : 3; left; left--, value = Math.floor(value / 45)) text += ALPHABET[value % 45];
  }
  return text;
}

/** @param {Bytes} data @returns {Promise<string[]>} what the QR codes say that together carry it; throws Malformed */
export async function textsOf(data) {
  demand(data.length > 0 && data[0] !== MARK, "frame");
  if (data.length <= ONE_CODE) return [write(data)];
  const total = Math.ceil(data.length / CHUNK);
  demand(total <= FRAMES_MAX, "length");
  const digest = await digestOf(data);
  return Array.from({ length: total }, (_, i) =>
    write(join([MARK, i, total], digest, data.subarray(i * CHUNK, (i + 1) * CHUNK))),
  );
}

/** @param {string} text @returns {Bytes} what is in one QR code: a message, or a frame of one. Throws Malformed */
export function bytesOf(text) {
  demand(text !== "" && text.length <= TEXT_MAX && text.length % 3 !== 1, "base45");
  const bytes = [];
  for (let i = 0; i < text.length; i += 3) {
    const digits = Array.from(text.slice(i, i + 3), (one) => ALPHABET.indexOf(one));
    const value = digits.reduceRight((sum, digit) => sum * 45 + digit, 0);
    const isPair = digits.length === 3;
    demand(!digits.includes(-1) && value < (isPair ? 0x1_0000 : 0x100), "base45");
    if (isPair) bytes.push(value >> 8);
    bytes.push(value & 0xff);
  }
  return new Uint8Array(bytes);
}

/** @param {Bytes} data @returns {Frame} throws Malformed; all chunks are full but the last */
function frameOf(data) {
  const [, index = 0, total = 0] = data;
  const chunk = data.slice(HEAD);
  demand(total > 1 && total <= FRAMES_MAX && index < total, "frame");
  demand(chunk.length > 0 && chunk.length <= CHUNK && (index === total - 1 || chunk.length === CHUNK), "frame");
  return { index, total, digest: data.slice(3, HEAD), chunk };
}

/**
 * Puts together what a camera sees, one QR code after the other, in any order and again and again. Holds one
 * message at a time: a frame of another one begins anew.
 */
export class Collector {
  constructor() {
    /** @type {Map<number, Bytes>} */
    this.chunks = new Map();
    this.digest = NONE;
    /** How many frames there are; 0 before the first. */
    this.total = 0;
  }

  /** How many frames are still to be seen; 0 before the first. */
  get missing() {
    return this.total - this.chunks.size;
  }

  /**
   * @param {string} text of one QR code @returns {Promise<Bytes | null>} the whole once it is there. Throws Malformed
   * for what is none of ours, which changes nothing, and for frames that make no whole, which are then forgotten
   */
  async add(text) {
    const data = bytesOf(text);
    if (data[0] !== MARK) return data;
    const { index, total, digest, chunk } = frameOf(data);
    if (total !== this.total || !sameBytes(digest, this.digest)) this.begin(digest, total);
    this.chunks.set(index, chunk);
    if (this.missing) return null;
    const whole = join(...[...this.chunks].sort(([one], [other]) => one - other).map(([, part]) => part));
    this.begin(NONE, 0);
    demand(sameBytes(await digestOf(whole), digest) && whole.length > ONE_CODE && whole[0] !== MARK, "frame");
    return whole;
  }

  /** @private @param {Bytes} digest @param {number} total */
  begin(digest, total) {
    this.digest = digest;
    this.total = total;
    this.chunks = new Map();
  }
}
