// Money is whole numbers of minor units; only showing and reading it knows of decimal points.
import { LANGUAGES, language, locale } from "./i18n.js";

/** @typedef {{ amount: number, currency: string }} Money */

/** Decimal places where they are not 2: ISO 4217's, which differ from the browser's for some. */
const EXPONENTS = /** @type {Record<string, number>} */ ({});
const OTHERS = {
  0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
  3: "BHD IQD JOD KWD LYD OMR TND",
  4: "CLF UYW",
  8: "BTC",
  9: "ETH",
};
for (const [places, codes] of Object.entries(OTHERS)) {
  for (const code of codes.split(" ")) EXPONENTS[code] = Number(places);
}

/** The largest amount there is, in minor units. */
export const AMOUNT_MAX = Number.MAX_SAFE_INTEGER;

/** Those offered first when a currency is chosen. */
export const COMMON_CURRENCIES =
  "SGD USD EUR GBP IDR INR MYR PHP THB VND CNY JPY AUD AED SAR EGP KES NGN BTC ETH TIK".split(" ");

/** Signs that are plain in every country; `$` alone is not. */
const SIGNS = /** @type {Record<string, string>} */ ({
  SGD: "S$",
  USD: "US$",
  AUD: "A$",
  HKD: "HK$",
  CAD: "C$",
  NZD: "NZ$",
  EUR: "€",
  GBP: "£",
  JPY: "¥",
  INR: "₹",
  IDR: "Rp",
  PHP: "₱",
  VND: "₫",
  KRW: "₩",
  NGN: "₦",
});

/** @param {string} code @returns {number} decimal places of the currency's major unit */
export const exponentOf = (code) => EXPONENTS[code] ?? 2;

/** @param {string} code @returns {string} its short sign, or the code itself */
export const signOf = (code) => SIGNS[code] ?? code;

/** @param {string} code @returns {string} its name in the person's language */
export function nameOf(code) {
  if (code === "TIK") return "Tiki";
  try {
    return new Intl.DisplayNames(locale(), { type: "currency" }).of(code) ?? code;
  } catch {
    return code;
  }
}

/** @param {number} amount @param {string} code @returns {string} "12.50", exact, for Intl and inputs */
export function toDecimal(amount, code) {
  const places = exponentOf(code);
  const digits = String(Math.abs(amount)).padStart(places + 1, "0");
  const whole = digits.slice(0, digits.length - places);
  const sign = amount < 0 ? "-" : "";
  return places ? `${sign}${whole}.${digits.slice(-places)}` : `${sign}${whole}`;
}

/** @param {string} text @param {string} code @returns {number | null} what `toDecimal` wrote; for links */
export function fromDecimal(text, code) {
  const [, whole = "", fraction = ""] = /^(\d{1,16})(?:\.(\d+))?$/.exec(text) ?? [];
  const places = exponentOf(code);
  if (!whole || fraction.length > places) return null;
  const minor = Number(whole + fraction.padEnd(places, "0"));
  return minor <= AMOUNT_MAX ? minor : null;
}

/** @type {Map<string, Intl.NumberFormat>} */
const formats = new Map();

/** @param {string} code @param {boolean} signed whether what came in has a plus */
function formatOf(code, signed) {
  const tag = locale();
  const key = `${tag} ${code} ${signed}`;
  let format = formats.get(key);
  if (!format) {
    const places = exponentOf(code);
    // Nine decimals of ether say less than two; of cents none may be left out.
    const least = places > 4 ? 2 : places;
    format = new Intl.NumberFormat(tag, {
      style: "currency",
      currency: code,
      // A sign of ours stands as close as the language puts signs; a code keeps its distance.
      currencyDisplay: Object.hasOwn(SIGNS, code) ? "narrowSymbol" : "code",
      signDisplay: signed ? "exceptZero" : "auto",
      minimumFractionDigits: least,
      maximumFractionDigits: places,
    });
    formats.set(key, format);
  }
  return format;
}

/** @param {string} code @returns {string} its sign, kept in one piece between words that run from the right */
const isolated = (code) =>
  LANGUAGES[language.value].dir === "rtl" ? `\u2066${signOf(code)}\u2069` : signOf(code);

/**
 * The pieces of an amount as the language orders them, so that a screen can size them.
 * @param {Money} money @param {{ sign?: boolean }} [options] sign: a plus before what came in
 * @returns {{ type: string, value: string }[]}
 */
export function moneyParts({ amount, currency }, { sign = false } = {}) {
  const format = formatOf(currency, sign);
  // A decimal string is formatted exactly; the type of TypeScript's library knows numbers only.
  const exact = /** @type {any} */ (toDecimal(amount, currency));
  return format.formatToParts(exact).map((part) => {
    if (part.type === "currency") return { ...part, value: isolated(currency) };
    return part.type === "minusSign" ? { ...part, value: part.value.replace("-", "−") } : part;
  });
}

/** @param {Money} money @param {{ sign?: boolean }} [options] sign: a plus before what came in */
export const formatMoney = (money, options) =>
  moneyParts(money, options)
    .map((part) => part.value)
    .join("");

const OTHER_DIGITS = /[٠-٩۰-۹०-९]/g;

/** @param {string} text @returns {string} with ASCII digits, whichever digits were typed */
export function plainDigits(text) {
  return text.replace(OTHER_DIGITS, (digit) => {
    const code = digit.charCodeAt(0);
    const zero = code >= 0x966 ? 0x966 : code >= 0x6f0 ? 0x6f0 : 0x660;
    return String(code - zero);
  });
}

/** @typedef {{ amount: number } | { problem: "empty" | "form" | "places" | "large" }} Reading */

/** @param {"group" | "decimal"} type @returns {string} how the person's language writes it */
function markOf(type) {
  const parts = new Intl.NumberFormat(locale()).formatToParts(1_000_000.5);
  return parts.find((part) => part.type === type)?.value ?? (type === "group" ? "," : ".");
}

/** @param {number} amount @param {string} code @returns {string} as the person would type it */
export const toTyped = (amount, code) =>
  toDecimal(amount, code).replace(".", markOf("decimal") === "," ? "," : ".");

/** Thousands, or lakhs and crores: groups of two or three, the last of three. */
const GROUPS = /^[1-9]\d{0,2}(?:[.,]\d{2,3})*[.,]\d{3}$/;

/**
 * Reads what a person typed. Of two different marks the last is the decimal one, and one that is
 * repeated groups thousands. A single mark groups only where the language writes it so: "1,250" is
 * more than a thousand in English, "1.250" is not, and is refused rather than guessed.
 * @param {string} text @param {string} code
 * @returns {Reading} minor units, or what is wrong
 */
export function readAmount(text, code) {
  const plain = plainDigits(text).replace(/[\s\u00a0\u202f'’_٬]/g, "").replace(/٫/g, ".");
  if (plain === "") return { problem: "empty" };
  if (!/^[\d.,]+$/.test(plain) || !/\d/.test(plain)) return { problem: "form" };
  const places = exponentOf(code);
  const marks = new Set(plain.replace(/\d/g, ""));
  const last = Math.max(plain.lastIndexOf("."), plain.lastIndexOf(","));
  const mark = plain.charAt(last);
  const isRepeated = plain.indexOf(mark) !== last;
  const isGrouped = marks.size === 1 && (isRepeated || (mark === markOf("group") && GROUPS.test(plain)));
  const whole = isGrouped || last < 0 ? plain : plain.slice(0, last);
  const fraction = isGrouped || last < 0 ? "" : plain.slice(last + 1);
  if (/[.,]/.test(whole) && (!GROUPS.test(whole) || whole.includes(",") === whole.includes("."))) {
    return { problem: "form" };
  }
  if (fraction.length > places) return { problem: "places" };
  const minor = BigInt(`${whole.replace(/[.,]/g, "") || "0"}${fraction.padEnd(places, "0")}`);
  return minor > BigInt(AMOUNT_MAX) ? { problem: "large" } : { amount: Number(minor) };
}
