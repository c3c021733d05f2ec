// Addresses and screens. A screen is a module that loads when its address is first visited; the screen
// before it stays until then.
import { loadArea } from "./i18n.js";
import { batch, signal } from "./ui.js";

/** @typedef {import("./i18n.js").Area} Area */
/** @typedef {Record<string, string>} PathParams */
/** @typedef {{ params: PathParams, query: URLSearchParams }} ScreenProps what a screen is given */
/**
 * @typedef {object} Route
 * @property {string} path such as `/payments/:id`
 * @property {() => Promise<{ default: (props: ScreenProps) => any }>} load
 * @property {"in" | "out" | "any"} who may see it: signed in, signed out, anybody
 * @property {Area[]} [areas] whose words it needs, beside `core`
 * @property {string[]} [styles] its own stylesheets in `styles/`, without ending
 * @property {"home" | "history" | "pay" | "receive" | "you"} [tab] lit in the navigation
 * @property {boolean} [focused] a flow of its own: no navigation around it on a phone
 */
/** @typedef {{ route: Route, params: PathParams, path: string }} Match */
/** @typedef {Match & { Screen: (props: ScreenProps) => any, query: URLSearchParams }} Shown */

/** The screen that is shown. */
export const shown = signal(/** @type {Shown | null} */ (null));
/** Whether another one is on its way. */
export const moving = signal(false);
/** Whether the last one could not be loaded (no network, or the app was updated meanwhile). */
export const stuck = signal(false);

/** @type {Route[]} */
let routes = [];
/** @type {(route: Route) => boolean} */
let mayShow = () => true;
/** @type {(path: string) => string} */
let elsewhere = () => "/";
let visit = 0;

/** @param {string} path @returns {Match | null} of several the first that may be shown, else the first */
function match(path) {
  const found = routes.flatMap((route) => fit(route, path) ?? []);
  return found.find(({ route }) => mayShow(route)) ?? found[0] ?? null;
}

/** @param {Route} route @param {string} path @returns {Match | null} */
function fit(route, path) {
  const asked = path.split("/").filter(Boolean);
  const parts = route.path.split("/").filter(Boolean);
  if (parts.length !== asked.length) return null;
  /** @type {PathParams} */
  const params = {};
  const fits = parts.every((part, i) => {
    const word = /** @type {string} */ (asked[i]);
    if (!part.startsWith(":")) return part === word;
    params[part.slice(1)] = decoded(word);
    return true;
  });
  return fits ? { route, params, path } : null;
}

/** @param {string} word */
function decoded(word) {
  try {
    return decodeURIComponent(word);
  } catch {
    return word;
  }
}

/** @type {Set<string>} */
const styles = new Set();

/** @param {string} name @returns {Promise<void>} resolves also when it fails: better plain than nothing */
function loadStyles(name) {
  if (styles.has(name)) return Promise.resolve();
  return new Promise((resolve) => {
    const link = document.createElement("link");
    link.rel = "stylesheet";
    link.href = new URL(`../styles/${name}.css`, import.meta.url).href;
    link.onload = () => {
      styles.add(name);
      resolve();
    };
    link.onerror = () => {
      link.remove();
      resolve();
    };
    document.head.append(link);
  });
}

/** Shows what the address bar says. */
async function show() {
  const mine = ++visit;
  const here = location.pathname + location.search;
  let found = match(location.pathname) ?? match("/not-found");
  if (found && !mayShow(found.route)) {
    const there = elsewhere(here);
    if (there !== here) return navigate(there, { replace: true });
    found = match("/not-found");
  }
  if (!found) return;
  const { route } = found;
  moving.value = true;
  try {
    const [module] = await Promise.all([
      route.load(),
      ...(route.areas ?? []).map(loadArea),
      ...(route.styles ?? []).map(loadStyles),
    ]);
    if (mine !== visit) return;
    batch(() => {
      stuck.value = false;
      shown.value = { ...found, Screen: module.default, query: new URLSearchParams(location.search) };
    });
    restoreScroll();
  } catch (error) {
    console.error(error);
    if (mine === visit) stuck.value = true;
  } finally {
    if (mine === visit) moving.value = false;
  }
}

/** @param {string} address @param {{ replace?: boolean }} [options] goes there without a page load */
export function navigate(address, { replace = false } = {}) {
  const here = location.pathname + location.search;
  if (address === here && !replace) return void show();
  const depth = replace ? (history.state?.depth ?? 0) : (history.state?.depth ?? 0) + 1;
  if (!replace) history.replaceState({ ...history.state, y: scrollY }, "");
  history[replace ? "replaceState" : "pushState"]({ depth }, "", address);
  void show();
}

/** @param {string} otherwise where to go when this page was the first one; else one step back */
export function goBack(otherwise) {
  if ((history.state?.depth ?? 0) > 0) history.back();
  else navigate(otherwise, { replace: true });
}

/** @param {string | null} text @returns {string} an address of this app, never of another site */
export const ownAddress = (text) => (text && /^\/(?![/\\])/.test(text) ? text : "/");

/** Looks again at who may see the screen: after signing in or out. */
export const revisit = () => void show();

function restoreScroll() {
  const y = history.state?.y ?? 0;
  requestAnimationFrame(() => scrollTo(0, y));
}

/** @param {MouseEvent} event links of the app change the screen, all others the page */
function follow(event) {
  if (event.defaultPrevented || event.button !== 0) return;
  if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  const link = /** @type {Element} */ (event.target).closest?.("a");
  if (!link?.href || link.target || link.hasAttribute("download")) return;
  const url = new URL(link.href);
  if (url.origin !== location.origin || !match(url.pathname)) return;
  if (url.hash && url.pathname === location.pathname && url.search === location.search) return;
  event.preventDefault();
  navigate(url.pathname + url.search + url.hash);
}

/**
 * @param {Route[]} table
 * @param {(route: Route) => boolean} allowed whether it may be shown now
 * @param {(address: string) => string} otherwise where to go instead
 */
export function startRouter(table, allowed, otherwise) {
  routes = table;
  mayShow = allowed;
  elsewhere = otherwise;
  history.scrollRestoration = "manual";
  addEventListener("popstate", () => void show());
  addEventListener("click", follow);
  return show();
}
