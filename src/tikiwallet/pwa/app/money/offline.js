// What home says of the money on this phone, without loading what handles it.
import { readNote } from "../core/preferences.js";
import { me } from "../core/session.js";

/** @typedef {{ currency: string, left: number, expires: number }} Part expires: milliseconds since 1970 */

/** @param {string} currency @returns {Part | undefined} what may still be paid offline from this phone */
export function offlinePart(currency) {
  const { person, parts } = /** @type {{ person?: string, parts: Part[] }} */ (
    JSON.parse(readNote("offline.parts") ?? '{"parts":[]}')
  );
  if (person !== me.value?.person_id) return undefined;
  return parts.find((part) => part.currency === currency && part.expires > Date.now());
}
