// What happens to a machine (events) and what it wants done (effects), as `tikiwallet/offline/exchange/effects.py` says.
//
// Two effects are answered: `store` by `stored`, before any other event but `restarted`, and `sign` by `signed` or, when
// the person did not unlock the key, by `declined`. Nothing that a state with a star says leaves the device before its
// `stored`. A machine's `step` is a promise; whoever runs it gives it one event at a time.
import { NONE } from "./cbor.js";
import { linksOf, payOf, readChain } from "./chain.js";
/** @typedef {import("./cbor.js").Bytes} Bytes */
/** @typedef {import("./refusals.js").Refusal} Refusal */
/** @typedef {import("./till.js").Taken} Taken */

/** @typedef {"recorded" | "credited" | "partial" | "voided" | "returned" | "rejected" | "conflict" | "closed"} OutcomeWord */
/**
 * What both machines meet. `now` is what the device's clock shows, in seconds since 1970.
 * @typedef {{ now: number } & (
 *   | { type: "tick" }
 *   | { type: "received", data: Bytes }
 *   | { type: "stored" }
 *   | { type: "signed", hash: Bytes, signature: Bytes }
 *   | { type: "declined", hash: Bytes }
 *   | { type: "outcome", hash: Bytes, outcome: OutcomeWord }
 *   | { type: "synced", sequence: number, hash: Bytes, cumulative: number, ended: boolean }
 *   | { type: "restarted", sequenceSeen: number | null }
 * )} Event
 */
/**
 * @typedef {{ now: number } & (
 *   | { type: "typed", phone: string }
 *   | { type: "confirmed" | "setAside" | "closing" }
 *   | { type: "gained", chain: Bytes }
 * )} PayerEvent chain: a payment to this very pass that the device has accepted, as `bundleOf` made it
 */
/**
 * @typedef {{ now: number } & (
 *   | { type: "asked", request: Bytes, phone: string, amount: number, memo: string }
 *   | { type: "cancelled", request: Bytes }
 *   | { type: "renewed", data: Bytes }
 *   | { type: "seen", taken: Taken }
 * )} PayeeEvent request: 16 fresh random bytes
 */

/**
 * @typedef {"type_number" | "review" | "sending" | "asking" | "accepted" | "voided" | "closed" | "settled" | "returned"
 *   | "conflict" | "sync_first" | "refused"} View
 */
/** @typedef {{ invite: Bytes, pay: Bytes, receipt: Bytes, void: Bytes, close: Bytes }} Item what goes to the server as one */
/**
 * @typedef {{ type: "store" }
 *   | { type: "sign", hash: Bytes, toSign: Bytes, key: Bytes }
 *   | { type: "send", data: Bytes }
 *   | { type: "show", view: View, refusal: Refusal | null }
 *   | { type: "upload", items: Item[] }} Effect
 */

/** An event that this state cannot meet: a bug in whoever runs the machine. */
export class OutOfTurn extends Error {}

/** @type {Effect} */
export const STORE = { type: "store" };

/** @param {Bytes} data @returns {Effect} */
export const send = (data) => ({ type: "send", data });

/** @param {View} view @param {Refusal | null} [refusal] @returns {Effect} */
export const show = (view, refusal = null) => ({ type: "show", view, refusal });

/** @template S @param {S} state @param {Refusal} refusal @returns {[S, Effect[]]} */
export const refused = (state, refusal) => [state, [show("refused", refusal)]];

/** @param {Item[]} items @returns {Effect[]} each once */
export const upload = (items) =>
  items.length ? [{ type: "upload", items: [...new Map(items.map((one) => [String(Object.values(one)), one])).values()] }] : [];

/** @param {Partial<Item>} parts @returns {Item} `invite` with `pay` (and `receipt`) or `void`; or `close` alone */
export const item = (parts) => ({ invite: NONE, pay: NONE, receipt: NONE, void: NONE, close: NONE, ...parts });

/**
 * @param {Omit<Item, "close">} parts of a payment or a request, its PAY as it travels
 * @returns {Promise<Item[]>} what it passes on, oldest first, and then itself
 */
export async function itemsOf({ invite, pay, receipt, void: off }) {
  if (off.length) return [item({ invite, void: off })];
  const alone = payOf(pay);
  const links = alone === pay ? [] : linksOf((await readChain(pay)).sources);
  return [...links.map((one) => item({ invite: one.invite.raw, pay: one.pay.raw })), item({ invite, pay: alone, receipt })];
}
