// Words in the person's language. An area of the app has a file of words per language, loaded with
// the first screen of that area; `t` gives the words, Intl the plural forms.
import { chosenLanguage, keepLanguage } from "./preferences.js";
import { signal } from "./ui.js";

/**
 * A form for each of the language's plural rules. `zero` is said for 0 in every language that has it.
 * @typedef {Partial<Record<Intl.LDMLPluralRule, string>> & { other: string }} Plural
 */
/** @typedef {Record<string, string | Plural>} WordList */
/**
 * What a translation must hold: each key of the English words, plural where those are.
 * @template T
 * @typedef {{ [K in keyof T]: T[K] extends string ? string : Plural }} Translation
 */
/** @typedef {typeof import("../strings/en/core.js").default} CoreWords */
/** @typedef {typeof import("../strings/en/account.js").default} AccountWords */
/** @typedef {typeof import("../strings/en/money.js").default} MoneyWords */
/** @typedef {typeof import("../strings/en/dev.js").default} DevWords */
/** @typedef {typeof import("../strings/en/help.js").default} HelpWords */
/** @typedef {typeof import("../strings/en/offline.js").default} OfflineWords */
/** @typedef {CoreWords & AccountWords & MoneyWords & OfflineWords & HelpWords & DevWords} Words */
/** @typedef {"core" | "account" | "money" | "offline" | "help" | "dev"} Area */
/** @typedef {Record<string, string | number>} Params */

/** Languages with their own names; `data-languages` in index.html lists the same codes. */
export const LANGUAGES = /** @type {const} */ ({
  en: { name: "English", dir: "ltr" },
  ar: { name: "العربية", dir: "rtl" },
  hi: { name: "हिन्दी", dir: "ltr" },
  id: { name: "Bahasa Indonesia", dir: "ltr" },
  zh: { name: "简体中文", dir: "ltr" },
});
/** @typedef {keyof typeof LANGUAGES} Language */

/** The language on the screen. Reading it in a component draws that again when it changes. */
export const language = signal(/** @type {Language} */ ("en"));

/** @type {WordList} */
let words = {};
/** @type {Set<Area>} */
const areas = new Set(["core"]);
const changed = signal(0);

/** @param {string | null | undefined} tag @returns {tag is Language} */
export const isLanguage = (tag) => Boolean(tag) && Object.hasOwn(LANGUAGES, String(tag));

/** @returns {Language} chosen on this device, else the first of the browser's that we have */
export function preferredLanguage() {
  const wanted = [chosenLanguage(), ...navigator.languages].map((tag) => tag?.split("-")[0]);
  return wanted.find(isLanguage) ?? "en";
}

/** @param {Language} code @param {Area} area @returns {Promise<WordList>} */
const fetchWords = async (code, area) => (await import(`../strings/${code}/${area}.js`)).default;

/** @param {Area} area makes sure that its words are there */
export async function loadArea(area) {
  if (areas.has(area)) return;
  const more = await fetchWords(language.peek(), area);
  areas.add(area);
  words = { ...words, ...more };
}

/**
 * Shows the app in another language; rejects, changing nothing, when its words cannot be had.
 * @param {Language} code @param {{ keep?: boolean }} [options] keep: remember it on this device
 */
export async function setLanguage(code, { keep = false } = {}) {
  const lists = await Promise.all([...areas].map((area) => fetchWords(code, area)));
  words = Object.assign({}, ...lists);
  language.value = code;
  changed.value += 1;
  document.documentElement.lang = code;
  document.documentElement.dir = LANGUAGES[code].dir;
  if (keep) keepLanguage(code);
}

/** @param {string} tag @returns {string} as "zh-Hans": a language and the script it is written in */
const writing = (tag) => {
  const { language, script } = new Intl.Locale(tag).maximize();
  return `${language}-${script}`;
};

/** The tag for Intl: the language as the device's region writes it, where in the same script. */
export function locale() {
  const code = language.value;
  return navigator.languages.find((tag) => writing(tag) === writing(code)) ?? code;
}

/** @type {Map<string, Intl.PluralRules>} */
const plurals = new Map();

/** @param {string | Plural} words @param {Params} params */
function fill(words, params) {
  let text = words;
  if (typeof text !== "string") {
    const tag = locale();
    let rules = plurals.get(tag);
    if (!rules) plurals.set(tag, (rules = new Intl.PluralRules(tag)));
    const count = Number(params.count ?? 0);
    text = (count === 0 && text.zero) || (text[rules.select(count)] ?? text.other);
  }
  return text.replace(/\{(\w+)\}/g, (whole, name) => {
    const value = params[name];
    if (value === undefined) return whole;
    return typeof value === "number" ? new Intl.NumberFormat(locale()).format(value) : value;
  });
}

/**
 * The words of `key`, with `{name}` filled in; `count` chooses the plural form.
 * @param {keyof Words} key @param {Params} [params]
 */
export function t(key, params = {}) {
  return tryWords(key, params) ?? key;
}

/** @param {string} key @param {Params} [params] @returns {string | undefined} as `t`, if there are words */
export function tryWords(key, params = {}) {
  void changed.value; // subscribes the component that is being drawn
  const found = words[key];
  return found === undefined ? undefined : fill(found, params);
}
