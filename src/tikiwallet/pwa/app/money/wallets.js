// The person's wallets and what happened in them lately, as several screens show them.
import { get, post } from "../core/api.js";
import { keepNote, readNote } from "../core/preferences.js";
import { createResource } from "../core/resource.js";
import { me } from "../core/session.js";
import { signal } from "../core/ui.js";

/** @typedef {import("../core/money.js").Money} Money */
/**
 * @typedef {object} Wallet amounts are minor units of `currency`
 * @property {string} id
 * @property {string} currency
 * @property {number} available what can be spent
 * @property {number} held reserved of it
 * @property {number} posted
 * @property {number} offline set aside in offline passes
 * @property {number} [returning] on its way back from such passes
 */
/** @typedef {{ name: string, username: string | null, wallet_id: string | null }} Party */
/**
 * @typedef {object} Entry what one posting did to a wallet
 * @property {string} id
 * @property {string} payment_id
 * @property {string} created_at
 * @property {string} kind
 * @property {"posted" | "held" | "released"} status
 * @property {"in" | "out"} direction
 * @property {Money} amount
 * @property {Party} counterparty
 * @property {string | null} memo
 */

const RECENT = 6;

/** All wallets, oldest first. */
export const wallets = createResource(
  "wallets",
  async () => /** @type {Wallet[]} */ ((await get("/v1/wallets")).items),
);

/** The newest entries of all wallets together. */
export const recent = createResource("recent", async () => {
  const mine = wallets.data.value ?? /** @type {Wallet[]} */ ((await get("/v1/wallets")).items);
  const pages = await Promise.all(
    mine.map(({ id }) => get(`/v1/wallets/${id}/entries`, { query: { limit: RECENT } })),
  );
  const entries = /** @type {Entry[]} */ (pages.flatMap((page) => page.items));
  return entries.sort((a, b) => (a.created_at < b.created_at ? 1 : -1)).slice(0, RECENT * 2);
});

/** Everything that a movement of money changes, asked for anew. */
export const refreshMoney = () => Promise.all([wallets.refresh(), recent.refresh()]);

const chosen = signal(readNote("wallet"));

/** @param {Wallet[]} list @returns {Wallet | undefined} the one that is shown first and paid from */
export function mainWallet(list) {
  return (
    list.find(({ id }) => id === chosen.value) ??
    list.find(({ currency }) => currency === me.value?.home_currency) ??
    list[0]
  );
}

/** @param {string} id */
export function chooseWallet(id) {
  chosen.value = id;
  keepNote("wallet", id);
}

/** @param {string} currency opens a wallet, or finds the one there is; throws Problem */
export async function openWallet(currency) {
  const wallet = /** @type {Wallet} */ (await post("/v1/wallets", { currency }));
  chooseWallet(wallet.id);
  const others = (wallets.data.value ?? []).filter(({ id }) => id !== wallet.id);
  wallets.set([...others, wallet]);
  return wallet;
}

/** @param {{ wallet_id: string, available: number, held: number, posted: number }} told by a payment */
export function tellBalance({ wallet_id, available, held, posted }) {
  const list = wallets.data.value;
  if (!list) return;
  wallets.set(list.map((one) => (one.id === wallet_id ? { ...one, available, held, posted } : one)));
}
