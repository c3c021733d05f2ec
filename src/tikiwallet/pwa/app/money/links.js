// Links and codes that ask for money: /pay?to=@name&amount=12.50&currency=SGD.
import { countryOf, diallingCode, guessCountry } from "../core/countries.js";
import { fromDecimal, plainDigits, toDecimal } from "../core/money.js";
import { me } from "../core/session.js";

const WALLET = /^w_[0-9a-hjkmnp-tv-z]{13}$/;
const NAME = /^@?[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?$/i;

/** @typedef {import("../core/money.js").Money} Money */
/** @typedef {{ to: string, money?: Money | undefined, memo?: string | undefined }} Request */

/** @param {Request} request @returns {string} the link, on this service's own address */
export function payLink({ to, money, memo }) {
  const link = new URL("/pay", location.origin);
  // "@" is plain in a query, and people read links.
  let query = `to=${encodeURIComponent(to).replace("%40", "@")}`;
  if (money) query += `&amount=${toDecimal(money.amount, money.currency)}&currency=${money.currency}`;
  if (memo) query += `&memo=${encodeURIComponent(memo)}`;
  link.search = query;
  return link.href;
}

/** @param {URLSearchParams} query of a /pay address @returns {Request | null} */
export function readQuery(query) {
  const to = readPayee(query.get("to") ?? "");
  if (!to) return null;
  const currency = (query.get("currency") ?? "").toUpperCase();
  const written = query.get("amount");
  const memo = query.get("memo")?.slice(0, 140) || undefined;
  if (!written || !/^[A-Z]{3}$/.test(currency)) return { to, memo };
  const amount = fromDecimal(written, currency);
  const money = amount ? { amount, currency } : undefined;
  return { to, money, memo };
}

/**
 * Who is meant by what was typed.
 * @param {string} text @returns {string | null} a phone, an @username or a wallet's id
 */
export function readPayee(text) {
  const plain = plainDigits(text.trim()).replace(/[\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, "");
  if (WALLET.test(plain)) return plain;
  const digits = plain.replace(/[\s().-]/g, "");
  if (/^(\+|00)\d{6,15}$/.test(digits)) return digits.replace(/^00/, "+");
  if (/^\d{5,14}$/.test(digits)) return inOwnCountry(digits);
  if (/^\d+$/.test(digits)) return null;
  return NAME.test(plain) ? `@${plain.replace(/^@/, "").toLowerCase()}` : null;
}

/** @param {string} digits without a country: the payer's own is meant, and the whole number is shown */
function inOwnCountry(digits) {
  const country = me.value?.phone ? countryOf(me.value.phone) : guessCountry();
  return `+${diallingCode(country)}${digits.replace(/^0+/, "")}`;
}

/**
 * What a scanned or pasted text asks for.
 * @param {string} text
 * @returns {Request | { foreign: string } | null} foreign: a link of another service, by its host
 */
export function readCode(text) {
  const trimmed = text.trim();
  if (/^https?:\/\//i.test(trimmed)) {
    try {
      const url = new URL(trimmed);
      if (url.origin !== location.origin) return { foreign: url.host };
      return url.pathname === "/pay" ? readQuery(url.searchParams) : null;
    } catch {
      return null;
    }
  }
  const to = readPayee(trimmed);
  return to ? { to } : null;
}
