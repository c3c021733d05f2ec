// Installing the app: Chromium offers a prompt, Safari only words; installed, storage is kept.
import { signal } from "./ui.js";

/** @typedef {Event & { prompt(): Promise<{ outcome: "accepted" | "dismissed" }> }} InstallEvent */

/** The browser's offer, while it stands. */
export const offer = signal(/** @type {InstallEvent | null} */ (null));

export const isInstalled = () =>
  matchMedia("(display-mode: standalone)").matches || /** @type {any} */ (navigator).standalone === true;

/** Safari on a phone installs from its share menu and never asks. */
export const needsShareMenu = () =>
  /iPhone|iPad/.test(navigator.userAgent) && !isInstalled();

addEventListener("beforeinstallprompt", (event) => {
  event.preventDefault();
  offer.value = /** @type {InstallEvent} */ (event);
});
addEventListener("appinstalled", () => (offer.value = null));

/** Shows the browser's own question. */
export async function install() {
  const { outcome } = (await offer.value?.prompt()) ?? { outcome: "dismissed" };
  if (outcome === "accepted") offer.value = null;
  return outcome === "accepted";
}

/** Asks that what is cached is not evicted; browsers grant it to installed apps without a question. */
export async function keepStorage() {
  return (await navigator.storage?.persist?.().catch(() => false)) ?? false;
}
