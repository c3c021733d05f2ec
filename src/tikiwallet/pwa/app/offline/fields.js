// What one field of a message may hold, and how it stands in the payload. Writing refuses what is out of bounds too,
// by reading what it wrote.
import { demand } from "./cbor.js";
import { importKey } from "./p256.js";
/** @typedef {import("./cbor.js").Item} Item */
/** @typedef {(item: Item) => unknown} Read checks what a payload holds, and makes the field's value of it or its promise */
/** @typedef {{ read: Read, write: (value: any) => Item }} Rule */

// Controls, marks that turn or hide the text around them, and line ends: nothing of a stranger's text reaches past
// the place it is shown in. Joiners stay, which Indic scripts and emoji need.
const UNSHOWN =
  /[\0-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]/;
export const UINT32_MAX = 0xffff_ffff;

/** @param {Read} read @returns {Rule} for a value that stands in the payload as it is */
const plain = (read) => ({ read, write: (value) => value });

/** @param {number} least @param {number} most */
export const integer = (least, most) =>
  plain((item) => {
    demand(typeof item === "number" && item >= least && item <= most, "integer");
    return item;
  });

/** @param {number} least @param {number} [most] */
export const octets = (least, most = least) =>
  plain((item) => {
    demand(item instanceof Uint8Array && item.length >= least && item.length <= most, "octets");
    return item;
  });

/** @param {number} most bytes of UTF-8, and at least 1 */
export const text = (most) =>
  plain((item) => {
    demand(typeof item === "string" && item !== "" && new TextEncoder().encode(item).length <= most, "text");
    demand(!UNSHOWN.test(item), "unshown");
    return item;
  });

/** @param {Rule} rule @param {number} least @param {number} most @returns {Rule} */
export const several = (rule, least, most) => ({
  read(item) {
    demand(Array.isArray(item) && item.length >= least && item.length <= most, "array");
    return Promise.all(item.map(rule.read));
  },
  write: (values) => values.map(rule.write),
});

/** @param {Record<string, Rule>} rules @returns {Rule} an array with one value for each member, in their order */
export const record = (rules) => ({
  async read(item) {
    const names = Object.keys(rules);
    demand(Array.isArray(item) && item.length === names.length, "array");
    const values = await Promise.all(Object.values(rules).map((rule, i) => rule.read(/** @type {Item} */ (item[i]))));
    return Object.fromEntries(names.map((name, i) => [name, values[i]]));
  },
  write: (value) => Object.entries(rules).map(([name, rule]) => rule.write(value[name])),
});

const keyOctets = octets(33);

/** Its 33 bytes, known to be a point of the curve. */
export const PUBLIC_KEY = plain(async (item) => {
  const key = /** @type {import("./cbor.js").Bytes} */ (keyOctets.read(item));
  await importKey(key);
  return key;
});
export const ID = octets(16);
export const HASH = octets(32);
export const PSEUDONYM = octets(8);
export const AMOUNT = integer(0, UINT32_MAX);
/** An amount that moves. */
export const SOME = integer(1, UINT32_MAX);
/** Whole seconds since 1970, until 2106. */
export const TIME = integer(0, UINT32_MAX);
export const SEQUENCE = integer(1, 65_535);
export const CURRENCY = integer(1, 65_535);
export const EPOCH = integer(0, UINT32_MAX);
