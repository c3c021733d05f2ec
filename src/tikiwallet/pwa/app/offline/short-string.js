// Six digits that two people compare, so that nobody sits between their devices: the arithmetic of
// terminal/short_string.py. A phone has no certificate, so `sides` is the hash of the terminal's.

export const NONCE_BYTES = 32;
const DOMAIN = "tikiwallet/offline/1/";

/** What the phone says before it reveals `nonce`. @param {Uint8Array} sides @param {Uint8Array} nonce */
export const commitment = (sides, nonce) => hash("link-commit", sides, nonce);

/**
 * What both screens show, from the nonces of both sides.
 * @param {Uint8Array} sides @param {Uint8Array} connecting @param {Uint8Array} answering
 */
export async function digits(sides, connecting, answering) {
  const whole = await hash("link-digits", sides, connecting, answering);
  const number = new DataView(whole.buffer).getBigUint64(0) % 1_000_000n;
  return number.toString().padStart(6, "0");
}

/** @param {string} name @param {Uint8Array[]} parts */
async function hash(name, ...parts) {
  const data = await new Blob([`${DOMAIN}${name}\0`, ...parts.map((part) => part.slice())]).arrayBuffer();
  return new Uint8Array(await crypto.subtle.digest("SHA-256", data));
}
