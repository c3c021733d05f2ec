// What the person is about to pay. It outlives a reload and a visit to another screen, not the tab.
import { effect, signal } from "../core/ui.js";
import { signedIn } from "../core/session.js";

/** @typedef {import("../core/money.js").Money} Money */
/** @typedef {{ to: string, name?: string | undefined, amount: number | null }} Payee name: as the server gave it */
/**
 * @typedef {object} Draft
 * @property {string | null} wallet paid from; null: the main one
 * @property {Payee[]} payees
 * @property {"equal" | "own"} shares how several share: one total in equal parts, or each their own
 * @property {number | null} total of equal shares, or the amount for one
 * @property {string | null} currency that a link asked for
 * @property {string} memo
 * @property {boolean} sent whether it may have reached the server without an answer
 */

const KEPT = "tw.draft.pay";
export const PAYEES_MAX = 20;
export const MEMO_MAX = 140;

/** @type {Draft} */
const EMPTY = {
  wallet: null,
  payees: [],
  shares: "equal",
  total: null,
  currency: null,
  memo: "",
  sent: false,
};

/** @returns {Draft} */
function restored() {
  try {
    return { ...EMPTY, ...JSON.parse(sessionStorage.getItem(KEPT) ?? "{}") };
  } catch {
    return EMPTY;
  }
}

export const draft = signal(restored());
effect(() => sessionStorage.setItem(KEPT, JSON.stringify(draft.value)));

/** @param {Partial<Draft>} part */
export const changeDraft = (part) => (draft.value = { ...draft.peek(), ...part });

export const clearDraft = () => (draft.value = EMPTY);

/** @param {string} to @param {Partial<Payee>} part */
export const changePayee = (to, part) =>
  changeDraft({
    payees: draft.peek().payees.map((one) => (one.to === to ? { ...one, ...part } : one)),
  });

/** @param {string} to @param {string} [name] @returns {boolean} false when they are in it already */
export function addPayee(to, name) {
  const { payees } = draft.peek();
  if (payees.some((one) => one.to === to)) return false;
  changeDraft({ payees: [...payees, { to, name, amount: null }] });
  return true;
}

/** @param {string} to */
export const removePayee = (to) =>
  changeDraft({ payees: draft.peek().payees.filter((one) => one.to !== to) });

/** @param {number} total @param {number} parts @returns {number[]} that add up to `total`, the first ones larger by one */
export function splitEqually(total, parts) {
  const least = Math.floor(total / parts);
  const over = total - least * parts;
  return Array.from({ length: parts }, (_, i) => least + (i < over ? 1 : 0));
}

/** @param {Draft} of @returns {number[] | null} each payee's amount; null while one is missing */
export function amountsOf({ payees, shares, total }) {
  if (payees.length === 0) return null;
  if (payees.length === 1 || shares === "equal") {
    return total && total >= payees.length ? splitEqually(total, payees.length) : null;
  }
  const own = payees.map(({ amount }) => amount ?? 0);
  return own.every((amount) => amount > 0) ? own : null;
}

signedIn.subscribe((is) => {
  if (!is) clearDraft();
});
