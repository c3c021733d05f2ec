// Every screen of the app and its address. A screen loads when it is first visited.

/** @typedef {import("./core/router.js").Route} Route */

/** @type {Omit<Route, "path" | "load" | "who">} */
const ACCOUNT = { areas: ["account"], styles: ["account"] };
/** @type {Omit<Route, "path" | "load" | "who">} */
const YOU = { ...ACCOUNT, tab: "you" };

/** @type {Route[]} */
export const routes = [
  { path: "/", who: "out", styles: ["landing"], load: () => import("./screens/landing.js") },

  // The person and their device.
  { path: "/you", who: "in", ...YOU, load: () => import("./screens/you.js") },

  { path: "/not-found", who: "any", load: () => import("./screens/not-found.js") },
];
