// Payments as text and links that can be handed on.
import { formatMoment } from "../core/dates.js";
import { t } from "../core/i18n.js";
import { formatMoney } from "../core/money.js";
import { payLink } from "./links.js";
import { titleOf } from "./words.js";

/** @typedef {import("./wallets.js").Entry} Entry */

/** @param {Entry} entry @returns {string} a receipt in a few lines, for a message */
export function receiptText(entry) {
  const { direction, amount, created_at, memo, payment_id } = entry;
  const lines = [
    t(direction === "in" ? "receipt.in" : "receipt.out", { name: titleOf(entry), amount: formatMoney(amount) }),
    formatMoment(created_at),
    memo ?? "",
    t("receipt.number", { id: payment_id }),
  ];
  return lines.filter(Boolean).join("\n");
}

/** @param {Entry} entry @returns {string | null} where the same is paid again; null where nobody was paid */
export function repeatLink({ counterparty, direction, amount, memo, kind }) {
  if (!counterparty.username || kind !== "payment") return null;
  const to = `@${counterparty.username}`;
  if (direction === "in") return `/pay?to=${to}`;
  const { pathname, search } = new URL(payLink({ to, money: amount, memo: memo ?? undefined }));
  return pathname + search;
}
