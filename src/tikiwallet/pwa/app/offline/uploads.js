// What is handed in together: a payment goes with all that it passes on, which the service may not know of otherwise.
import { parse } from "./messages.js";
/** @typedef {import("./effects.js").Item} Item */

/** @param {Item[]} items @returns {Item[]} each once, with its receipt if there is one */
export function once(items) {
  /** @type {Map<string, Item>} */
  const found = new Map();
  for (const item of items) {
    const name = String([item.close, item.void, item.pay]);
    if (!found.get(name)?.receipt.length) found.set(name, item);
  }
  return [...found.values()];
}

/** @param {Item[]} items a source before who spends it @param {number} most items at once @returns {Promise<Item[][]>} */
export async function uploadsOf(items, most) {
  /** @type {Map<string, Item[]>} by the hash of the PAY */
  const payments = new Map();
  /** @type {Set<Item>[]} */
  const uploads = [];
  for (const item of items) {
    let together = [item];
    if (item.pay.length) {
      const { hash, sources = [] } = await parse("pay", item.pay);
      together = [...sources.flatMap((one) => payments.get(String(one)) ?? []), item];
      payments.set(String(hash), together);
    }
    const last = new Set([...(uploads.at(-1) ?? []), ...together]);
    if (uploads.length && last.size <= most) uploads.splice(-1, 1, last);
    else uploads.push(new Set(together));
  }
  return uploads.map((some) => [...some]);
}
