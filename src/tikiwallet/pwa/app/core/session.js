// Who is signed in. The cookie says whether there is a session; `/v1/me` says whose it is.
import { csrfToken, get, patch, post, whenSignedOut } from "./api.js";
import { chosenLanguage, keepNote, readNote } from "./preferences.js";
import { forgetAll, recall, remember } from "./storage.js";
import { signal } from "./ui.js";

/** @typedef {import("./money.js").Money} Money */
/**
 * @typedef {object} Me
 * @property {string} person_id
 * @property {string} phone
 * @property {string} username
 * @property {string} display_name
 * @property {string} created_at
 * @property {string} tier
 * @property {{ wallet_ceiling: Money, payment_without_pin: Money }} limits
 * @property {boolean} pin_set
 * @property {string | null} [language]
 * @property {string} [home_currency]
 * @property {Money | null} [pin_threshold]
 * @property {{ security: boolean, payments: boolean, news: boolean }} [notices]
 * @property {string | null} [restricted_until]
 * @property {boolean} [second_factor]
 */

/** The person, once known; from the cache first. */
export const me = signal(/** @type {Me | null} */ (null));

/** Whether there is a session, as far as this device knows. */
export const signedIn = signal(false);

/** Looks for a session: at start, and when the page comes back from sleep. */
export async function findSession() {
  signedIn.value = csrfToken() !== null;
  if (!signedIn.value) {
    me.value = null;
    // It ran out while nobody looked.
    if (readNote("person")) await forgetAll();
  } else if (!me.value) {
    me.value = (await recall("me"))?.data ?? null;
  }
}

/** Asks who is signed in; throws Problem. Of somebody else nothing stays. */
export async function loadMe() {
  const fresh = /** @type {Me} */ (await get("/v1/me"));
  const before = readNote("person");
  if (before && before !== fresh.person_id) {
    sessionStorage.clear();
    await forgetAll();
  }
  keepNote("person", fresh.person_id);
  keepMe(fresh);
  return fresh;
}

/** @param {Me} fresh an answer that holds the person */
export function keepMe(fresh) {
  me.value = fresh;
  void remember("me", fresh);
}

/** After an answer that set the session's cookies: the app is the person's from here on. */
export async function enter() {
  // First whose it is: what is cached of somebody else must not be seen. Where that cannot be told
  // nothing cached is.
  const fresh = await loadMe().catch(forgetAll);
  signedIn.value = true;
  // What was chosen here before signing in is what text messages shall speak, too.
  const chosen = chosenLanguage();
  if (fresh && chosen && chosen !== fresh.language) {
    patch("/v1/me", { language: chosen }).then(keepMe, () => {});
  }
}

/** Ends the session here and on the server; throws Problem, as when there is no network. */
export async function signOut() {
  await post("/v1/auth/logout", {}, { quiet: true });
  await leave();
}

/** The person has left: nothing of theirs stays on the screen or on this device. */
export async function leave() {
  keepNote("person", null);
  sessionStorage.clear();
  await lock();
}

/**
 * The session is over, perhaps ended from another device: what was cached goes. What was being paid
 * keeps its idempotency key in this tab, so that going on after signing in again pays it once.
 */
async function lock() {
  signedIn.value = false;
  me.value = null;
  await forgetAll();
}

whenSignedOut(() => void lock());
