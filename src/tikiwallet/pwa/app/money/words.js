// What entries of a history are called and how they look.
import { t, tryWords } from "../core/i18n.js";

/** @typedef {import("./wallets.js").Entry} Entry */
/** @typedef {import("../components/icons.js").IconName} IconName */

/** Kinds of movements that have words of their own; payments are named after the other side. */
export const KINDS = /** @type {const} */ (["payment", "top_up", "reversal", "fee"]);

const ICONS = /** @type {Record<string, IconName>} */ ({
  top_up: "card",
  fee: "coin",
  reversal: "undo",
  payout: "bank",
  conversion: "swap",
  hold: "hourglass",
  capture: "hourglass",
  void: "undo",
  adjustment: "edit",
});

/** @param {Pick<Entry, "kind" | "counterparty">} entry @returns {string} */
export function titleOf({ kind, counterparty }) {
  return counterparty.username ? counterparty.name : kindWords(kind);
}

/** @param {string} kind @returns {string} */
export const kindWords = (kind) => tryWords(`kind.${kind}`) ?? t("kind.other");

/** @param {string} kind @returns {IconName} */
export const iconOf = (kind) => ICONS[kind] ?? "receipt";

/** @param {string} status @returns {string} */
export const statusWords = (status) => tryWords(`status.${status}`) ?? status;

/** @param {Pick<Entry, "status">} entry @returns {boolean} whether the money came or went for good */
export const isFinal = ({ status }) => status === "posted";
