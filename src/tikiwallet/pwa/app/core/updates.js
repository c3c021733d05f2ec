// The service worker: it keeps the app for offline starts and tells when a newer version is ready.
import { language } from "./i18n.js";
import { effect, signal } from "./ui.js";

/** The version that waits to be started, if there is one. */
export const waiting = signal(/** @type {ServiceWorker | null} */ (null));

/** @param {ServiceWorkerRegistration} registration */
function watch(registration) {
  const look = () => {
    // Without a controller this is the first visit: nothing older is running.
    if (registration.waiting && navigator.serviceWorker.controller) {
      waiting.value = registration.waiting;
    }
  };
  look();
  registration.addEventListener("updatefound", () => {
    registration.installing?.addEventListener("statechange", look);
  });
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState === "visible") registration.update().catch(() => {});
  });
}

/** @param {ServiceWorker | null} worker @param {string} code has the words of the language kept: the worker has no way to know it */
function keepWords(worker, code) {
  const keep = ["core", "account", "money", "offline", "help"].map(
    (area) => new URL(`../strings/${code}/${area}.js`, import.meta.url).href,
  );
  worker?.postMessage({ keep });
}

/** Registers the worker once the first screen is there, so that it does not compete with it. */
export async function startUpdates() {
  if (!("serviceWorker" in navigator)) return;
  try {
    watch(await navigator.serviceWorker.register("/sw.js"));
    const { active } = await navigator.serviceWorker.ready;
    effect(() => keepWords(active, language.value));
  } catch (error) {
    console.warn("no offline start:", error);
  }
}

/** Starts the version that waits; the page loads anew with it. */
export function applyUpdate() {
  navigator.serviceWorker.addEventListener("controllerchange", () => location.reload(), {
    once: true,
  });
  waiting.value?.postMessage("start");
}
