// Every screen of the app and its address. A screen loads when it is first visited.

/** @typedef {import("./core/router.js").Route} Route */

/** @type {Omit<Route, "path" | "load" | "who">} */
const ACCOUNT = { areas: ["account"], styles: ["account"] };
/** @type {Omit<Route, "path" | "load" | "who">} */
const YOU = { ...ACCOUNT, tab: "you" };

/** @type {Omit<Route, "path" | "load" | "who">} */
const MONEY = { areas: ["money"], styles: ["money"] };

/** @type {Route[]} */
export const routes = [
  { path: "/", who: "out", styles: ["landing"], load: () => import("./screens/landing.js") },

  // The person and their device.
  { path: "/you", who: "in", ...YOU, load: () => import("./screens/you.js") },

  // Money.
  { path: "/", who: "in", ...MONEY, tab: "home", load: () => import("./screens/home.js") },
  { path: "/pay", who: "in", ...MONEY, tab: "pay", focused: true, load: () => import("./screens/pay.js") },
  { path: "/receive", who: "in", ...MONEY, tab: "receive", load: () => import("./screens/receive.js") },
  { path: "/topup", who: "in", ...MONEY, tab: "home", focused: true, load: () => import("./screens/topup.js") },
  { path: "/history", who: "in", ...MONEY, tab: "history", load: () => import("./screens/history.js") },
  { path: "/payments/:id", who: "in", ...MONEY, tab: "history", load: () => import("./screens/payment.js") },
  { path: "/contacts", who: "in", ...MONEY, tab: "pay", load: () => import("./screens/contacts.js") },
  { path: "/notices", who: "in", ...MONEY, tab: "home", load: () => import("./screens/notices.js") },

  { path: "/not-found", who: "any", load: () => import("./screens/not-found.js") },
];
