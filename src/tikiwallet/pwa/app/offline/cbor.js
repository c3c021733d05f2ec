// The part of CBOR (RFC 8949) that offline messages consist of, and only in its one deterministic form:
// what another writer could have written differently is refused, so equal messages have equal bytes.

/** @typedef {Uint8Array<ArrayBuffer>} Bytes */
/** @typedef {number | string | Bytes | Item[] | Map<number, Item>} Item numbers are whole, 0 to 2^53 - 1; keys 0 to 23 */

/** What arrived is not what the protocol allows; `reason` is one short word for it. */
export class Malformed extends Error {
  /** @param {string} reason */
  constructor(reason) {
    super(reason);
    this.reason = reason;
  }
}

/** Bytes that are not there. */
export const NONE = /** @type {Bytes} */ (new Uint8Array());

const LENGTH_MAX = 16_384;
const DEPTH_MAX = 6; // arrays and maps inside each other
const KEY_MAX = 23;
const [UNSIGNED, BYTES, TEXT, ARRAY, MAP] = [0, 2, 3, 4, 5];

const utf8 = new TextEncoder();
const strictUtf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** @param {boolean} holds @param {string} reason @returns {asserts holds} */
export function demand(holds, reason) {
  if (!holds) throw new Malformed(reason);
}

/** @param {...ArrayLike<number>} parts @returns {Bytes} */
export function join(...parts) {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** @param {ArrayLike<number>} one @param {ArrayLike<number>} other */
export const sameBytes = (one, other) =>
  one.length === other.length && Array.prototype.every.call(one, (byte, i) => byte === other[i]);

/** @param {number} kind @param {number} value @returns {number[]} the shortest head of an item */
function head(kind, value) {
  const major = kind << 5;
  if (value < 24) return [major | value];
  const size = value < 0x100 ? 1 : value < 0x1_0000 ? 2 : value < 0x1_0000_0000 ? 4 : 8;
  const bytes = [major | (24 + Math.log2(size))];
  for (let i = size - 1; i >= 0; i--) bytes.push(Math.floor(value / 256 ** i) % 256);
  return bytes;
}

/** @param {Item} item @returns {Bytes} throws Malformed where the item cannot be said in this form */
export function encode(item) {
  const whole = write(item, 1);
  demand(whole.length <= LENGTH_MAX, "length");
  return whole;
}

/** @param {Item} item @param {number} depth @returns {Bytes} */
function write(item, depth) {
  if (typeof item === "number") {
    demand(Number.isSafeInteger(item) && item >= 0, "number");
    return join(head(UNSIGNED, item));
  }
  if (typeof item === "string") {
    const bytes = utf8.encode(item);
    demand(strictUtf8.decode(bytes) === item, "text"); // half a pair of surrogates
    return join(head(TEXT, bytes.length), bytes);
  }
  if (item instanceof Uint8Array) return join(head(BYTES, item.length), item);
  demand(depth <= DEPTH_MAX, "depth");
  if (Array.isArray(item)) return join(head(ARRAY, item.length), ...item.map((one) => write(one, depth + 1)));
  const keys = [...item.keys()].sort((a, b) => a - b);
  demand(keys.every((key) => key >= 0 && key <= KEY_MAX && Number.isInteger(key)), "key");
  const pairs = keys.flatMap((key) => [[key], write(/** @type {Item} */ (item.get(key)), depth + 1)]);
  return join(head(MAP, keys.length), ...pairs);
}

/** @param {Bytes} data @returns {Item} throws Malformed */
export function decode(data) {
  demand(data.length <= LENGTH_MAX, "length");
  const reader = new Reader(data);
  const item = reader.item(1);
  demand(reader.at === data.length, "trailing");
  return item;
}

class Reader {
  /** @param {Bytes} data */
  constructor(data) {
    this.data = data;
    this.at = 0;
  }

  /** @param {number} count @returns {Bytes} */
  take(count) {
    demand(count <= this.data.length - this.at, "truncated");
    return this.data.slice(this.at, (this.at += count));
  }

  /** @returns {[number, number]} kind and value */
  head() {
    const [first = 0] = this.take(1);
    const low = first & 31;
    if (low < 24) return [first >> 5, low];
    demand(low < 28, "indefinite");
    const size = 2 ** (low - 24);
    const value = this.take(size).reduce((sum, byte) => sum * 256 + byte, 0);
    demand(value <= Number.MAX_SAFE_INTEGER, "number");
    demand(value >= (size === 1 ? 24 : 256 ** (size / 2)), "canonical");
    return [first >> 5, value];
  }

  /** @param {number} depth @returns {Item} */
  item(depth) {
    const [kind, value] = this.head();
    if (kind === UNSIGNED) return value;
    if (kind === BYTES) return this.take(value);
    if (kind === TEXT) return textOf(this.take(value));
    // Each item is a byte at least, so that no promised count makes this run long.
    demand((kind === ARRAY || kind === MAP) && value <= this.data.length, "type");
    demand(depth <= DEPTH_MAX, "depth");
    return kind === ARRAY ? Array.from({ length: value }, () => this.item(depth + 1)) : this.map(value, depth);
  }

  /** @param {number} count @param {number} depth @returns {Map<number, Item>} */
  map(count, depth) {
    const items = new Map();
    let last = -1;
    for (let i = 0; i < count; i++) {
      const [key = 0] = this.take(1);
      demand(key <= KEY_MAX, "key");
      demand(key > last, "order");
      last = key;
      items.set(key, this.item(depth + 1));
    }
    return items;
  }
}

/** @param {Bytes} bytes */
function textOf(bytes) {
  try {
    return strictUtf8.decode(bytes);
  } catch {
    throw new Malformed("text");
  }
}
