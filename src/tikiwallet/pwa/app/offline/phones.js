// Who a pass belongs to: a commitment to a phone number, which whoever knows the number can check. It keeps a number
// off the screen, not out of reach: numbers are few enough to be tried.
import { demand, join } from "./cbor.js";
import { sha256 } from "./cose.js";
/** @typedef {import("./cbor.js").Bytes} Bytes */

const DOMAIN = "tikiwallet/offline/1/phone\0";
const E164 = /^\+[1-9][0-9]{1,14}$/;

/** @param {Bytes} salt 8 bytes of a pass @param {string} phone as +919876543210 @returns {Promise<Bytes>} 16 bytes; throws Malformed */
export async function commitment(salt, phone) {
  demand(E164.test(phone) && salt.length === 8, "phone");
  return (await sha256(join(new TextEncoder().encode(DOMAIN), salt, new TextEncoder().encode(phone)))).slice(0, 16);
}
