// People one pays: those known already, and the name behind what was typed.
import { get } from "../core/api.js";
import { asProblem, Problem } from "../core/problems.js";
import { createResource } from "../core/resource.js";
import { me } from "../core/session.js";
import { recent } from "./wallets.js";

/**
 * @typedef {object} Contact
 * @property {string} to what a payment takes
 * @property {string} name
 * @property {string} last_at
 * @property {boolean} favourite
 */

/** People paid or paying lately, favourites first. */
export const contacts = createResource("contacts", async () => {
  const { items } = await get("/v1/contacts");
  return /** @type {Contact[]} */ (items).sort((a, b) => Number(b.favourite) - Number(a.favourite));
});

/** @returns {Contact[]} the contacts; until they could be loaded, who is in the activity shown */
export function knownPeople() {
  const known = contacts.data.value;
  if (known) return known;
  /** @type {Map<string, Contact>} */
  const seen = new Map();
  for (const { counterparty, created_at } of recent.data.value ?? []) {
    const { name, username } = counterparty;
    if (!username || seen.has(username)) continue;
    seen.set(username, { to: `@${username}`, name, last_at: created_at, favourite: false });
  }
  return [...seen.values()];
}

/** @param {string} to @returns {string | undefined} the name as it was seen last: to show, not to trust */
export const knownName = (to) => knownPeople().find((one) => one.to === to)?.name;

/** @param {string} to @returns {boolean} */
export const isOneself = (to) =>
  me.value !== null && (to === `@${me.value.username}` || to === me.value.phone);

/** @param {string} to @param {AbortSignal} [signal] @returns {Promise<string>} throws Problem */
export async function lookUpName(to, signal) {
  try {
    const options = signal ? { signal } : {};
    return (await get(`/v1/names/${encodeURIComponent(to)}`, options)).name;
  } catch (error) {
    const problem = asProblem(error);
    throw problem.code === "not_found" ? new Problem("unknown_recipient", { status: 404 }) : problem;
  }
}
