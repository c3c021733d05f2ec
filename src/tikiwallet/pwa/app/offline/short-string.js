// Six digits that two people compare, so that nobody sits between their devices: the arithmetic of
// terminal/short_string.py. A phone has no certificate, so `sides` is the hash of the terminal's.

import { join } from "./cbor.js";
import { sha256 } from "./cose.js";

/** @typedef {import("./cbor.js").Bytes} Bytes */

export const NONCE_BYTES = 32;
const DOMAIN = "tikiwallet/offline/1/";

/** What the phone says before it reveals `nonce`. @param {Bytes} sides @param {Bytes} nonce */
export const commitment = (sides, nonce) => hash("link-commit", sides, nonce);

/**
 * What both screens show, from the nonces of both sides.
 * @param {Bytes} sides @param {Bytes} connecting @param {Bytes} answering
 */
export async function digits(sides, connecting, answering) {
  const whole = await hash("link-digits", sides, connecting, answering);
  const number = new DataView(whole.buffer).getBigUint64(0) % 1_000_000n;
  return number.toString().padStart(6, "0");
}

/** @param {string} name @param {Bytes[]} parts */
const hash = (name, ...parts) => sha256(join(new TextEncoder().encode(`${DOMAIN}${name}\0`), ...parts));
