// Who is signed in. The cookie says whether there is a session; `/v1/me` says whose it is.
import { csrfToken, get, post, whenSignedOut } from "./api.js";
import { keepNote, readNote } from "./preferences.js";
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
 * @property {string} [language]
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
  if (!signedIn.value) return;
  if (!me.value) me.value = (await recall("me"))?.data ?? null;
}

/** Asks who is signed in; throws Problem. The cache is whose it says, or it is emptied. */
export async function loadMe() {
  const fresh = /** @type {Me} */ (await get("/v1/me"));
  if (readNote("person") !== fresh.person_id) {
    await forgetAll();
    keepNote("person", fresh.person_id);
  }
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
  signedIn.value = true;
  await loadMe();
}

/** Ends the session here and on the server; offline, the cookies outlive this until they run out. */
export async function signOut() {
  await post("/v1/auth/logout", {}, { quiet: true });
  await leave();
}

/** The session is over: nothing of the person stays on the screen or in the cache. */
export async function leave() {
  signedIn.value = false;
  me.value = null;
  keepNote("person", null);
  sessionStorage.clear();
  await forgetAll();
}

whenSignedOut(() => void leave());
