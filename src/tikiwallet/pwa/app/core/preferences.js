// Choices of this device, kept in localStorage: what must be known before anything is fetched.
import { effect, signal } from "./ui.js";

/** @typedef {"system" | "light" | "dark"} Theme */

/** @param {string} name */
function read(name) {
  try {
    return localStorage.getItem(name);
  } catch {
    return null; // storage is refused (private mode): the choice lasts as long as the page
  }
}

/** @param {string} name @param {string | null} value */
function write(name, value) {
  try {
    if (value === null) localStorage.removeItem(name);
    else localStorage.setItem(name, value);
  } catch {
    // As above.
  }
}

const darkSystem = matchMedia("(prefers-color-scheme: dark)");
const systemIsDark = signal(darkSystem.matches);
darkSystem.addEventListener("change", () => (systemIsDark.value = darkSystem.matches));

/** What was chosen; "system" follows the device. */
export const theme = signal(/** @type {Theme} */ (read("tw.theme") ?? "system"));

/** Whether balances are shown as dots. */
export const hideBalance = signal(read("tw.hide") === "yes");

/** @returns {string | null} the language chosen on this device, or null for the device's own */
export const chosenLanguage = () => read("tw.language");

/** @param {string | null} code */
export const keepLanguage = (code) => write("tw.language", code);

/** @param {string} name @returns {string | null} a small note to ourselves */
export const readNote = (name) => read(`tw.note.${name}`);

/** @param {string} name @param {string | null} value */
export const keepNote = (name, value) => write(`tw.note.${name}`, value);

const BROWSER_BAR = { light: "#faf6ee", dark: "#111916" };

/** Lets the page follow the choices; called once. */
export function followPreferences() {
  effect(() => {
    write("tw.theme", theme.value === "system" ? null : theme.value);
    const shown = theme.value === "system" ? (systemIsDark.value ? "dark" : "light") : theme.value;
    document.documentElement.dataset.theme = shown;
    document.querySelector('meta[name="theme-color"]')?.setAttribute("content", BROWSER_BAR[shown]);
  });
  effect(() => write("tw.hide", hideBalance.value ? "yes" : null));
}
